"""Files, as the API shows, finds and deletes them; their bytes come and go over HTTP."""

from datetime import datetime
from functools import partial
from typing import Any

import strawberry

from domain import files as domain_files
from domain.executions import Execution
from domain.files import File, FileFilter
from domain.ids import ExecutionId, FileId, decode, encode
from domain.storable import checked_text
from resolvers import executions, files
from schema.errors import Answer, Payload, answer
from schema.executions import ExecutionType
from schema.identifiers import read_id
from schema.info import Info
from schema.nodes import Node
from schema.paging import Connection, Cursors, Listed
from schema.scalars import JSON, BigInt

MAX_TEXT = 1_000


@strawberry.type(name="File", description="Bytes that are kept for the tenant; outputs and inputs hold references.")
class FileType(Node):
    name: str
    media_type: str
    sha256: str = strawberry.field(description="SHA-256 of its bytes, hexadecimal.")
    created_at: datetime
    created_by: str | None = strawberry.field(description="The user or API key that uploaded it.")
    expires_at: datetime | None = strawberry.field(
        description="From then on it is deleted, unless its execution lives; null: never."
    )

    @strawberry.field(description="Bytes.")
    @staticmethod
    def size(root: strawberry.Parent[File]) -> BigInt:
        return BigInt(root.size)

    @strawberry.field(description="What stands for the file in an input or output: {$file, name, mediaType, …}")
    @staticmethod
    def reference(root: strawberry.Parent[File]) -> JSON:
        return root.ref.as_json()

    @strawberry.field(description="Where it is downloaded, with the same credentials as this API.")
    @staticmethod
    def url(root: strawberry.Parent[File], info: Info) -> str:
        return f"{info.context.services.url}/api/v1/files/{encode('file', root.id)}"

    @strawberry.field(graphql_type=ExecutionType | None, description="The execution whose step made it.")
    @staticmethod
    async def execution(root: strawberry.Parent[File], info: Info) -> Execution | None:
        return await executions.by_id(info.context, root.execution_id) if root.execution_id is not None else None

    @classmethod
    def is_type_of(cls, value: object, _info: object) -> bool:
        return isinstance(value, File)


@strawberry.input(name="FileFilter", description="Every part given must hold.")
class FileFilterInput:
    search: str | None = strawberry.field(default=None, description="In the name.")
    execution_id: strawberry.ID | None = strawberry.field(default=None, description="Made by this execution.")

    def chosen(self) -> FileFilter:
        """Raises Invalid for a text that nothing stored can hold, InvalidId."""
        checked_text(self.search or "", "filter", "search", most=MAX_TEXT)
        of = self.execution_id
        return FileFilter(
            search=self.search or None,
            execution_id=ExecutionId(read_id("execution", of, "filter", "executionId")) if of is not None else None,
        )


@strawberry.type
class FileQuery:
    @strawberry.field(graphql_type=FileType | None)
    async def file(self, info: Info, id: strawberry.ID) -> File | None:
        return await files.by_id(info.context, _id(id))

    @strawberry.field(graphql_type=Connection[FileType], description="Latest first.")
    async def files(
        self,
        info: Info,
        first: int | None = None,
        after: str | None = None,
        last: int | None = None,
        before: str | None = None,
        filter: FileFilterInput | None = None,
    ) -> Listed[File]:
        chosen = filter.chosen() if filter else FileFilter()
        cursors = Cursors(kind="files", orders_by=datetime, scope=chosen)
        found = await files.page(info.context, chosen, cursors.page(first, after, last, before))
        return cursors.listed(found, domain_files.place, partial(files.count, info.context, chosen))


@strawberry.type
class FileDeletePayload(Payload):
    @strawberry.field(graphql_type=FileType | None)
    @staticmethod
    def file(root: strawberry.Parent[Answer[Any]]) -> File | None:
        return root.value


@strawberry.type
class FileMutation:
    @strawberry.mutation(graphql_type=FileDeletePayload, description="Gives back what was deleted.")
    async def file_delete(self, info: Info, id: strawberry.ID) -> Answer[File]:
        async def work() -> File:
            return await files.delete(info.context, _id(id))

        return await answer(work())


def _id(text: strawberry.ID) -> FileId:
    return FileId(decode("file", text))
