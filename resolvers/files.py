"""What callers may do with files: authorise, call the use case, give back its value."""

from collections.abc import AsyncIterator

from domain import files_keep
from domain.access import Permission
from domain.errors import NotFound
from domain.files import File, FileFilter
from domain.files_keep import NewFile
from domain.ids import FileId
from domain.paging import Page, Slice
from resolvers.access import allowed
from resolvers.context import RequestContext


async def by_id(context: RequestContext, file_id: FileId) -> File | None:
    try:
        return await described(context, file_id)
    except NotFound:
        return None


async def described(context: RequestContext, file_id: FileId) -> File:
    """Raises NotFound."""
    return await files_keep.describe(file_id, given=allowed(context, Permission.FILE_READ).keeping)


async def page(context: RequestContext, chosen: FileFilter, page: Page) -> Slice[File]:
    return await allowed(context, Permission.FILE_READ).stores.files.page(chosen, page)


async def count(context: RequestContext, chosen: FileFilter) -> int:
    return await allowed(context, Permission.FILE_READ).stores.files.count(chosen)


async def read(context: RequestContext, file: File, start: int, end: int) -> AsyncIterator[bytes]:
    return await files_keep.read(file, given=allowed(context, Permission.FILE_READ).keeping, start=start, end=end)


async def upload(context: RequestContext, name: str, media_type: str | None, chunks: AsyncIterator[bytes]) -> File:
    given = allowed(context, Permission.FILE_WRITE)
    new = NewFile(name=name, media_type=media_type, created_by=str(given.principal.actor))
    return await files_keep.put(new, chunks, given=given.keeping)


async def delete(context: RequestContext, file_id: FileId) -> File:
    return await files_keep.delete(file_id, given=allowed(context, Permission.FILE_WRITE).keeping)
