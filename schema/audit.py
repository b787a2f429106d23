"""The audit log, as the API shows it."""

from datetime import datetime

import strawberry

from domain.audit import AuditEntry, AuditFilter, place
from domain.storable import checked_text
from resolvers import audit
from schema.enums import AuditActorKind, AuditOutcome
from schema.info import Info
from schema.paging import Connection, Cursors, Listed
from schema.scalars import JSON, BigInt

_LONGEST = 200


@strawberry.type(description="Who did it.")
class AuditActor:
    kind: AuditActorKind
    id: strawberry.ID | None
    name: str | None = strawberry.field(description="As it was then.")


@strawberry.type(name="AuditObject", description="What it was done to.")
class AuditObjectType:
    type: str
    id: str = strawberry.field(description="Its id, or its name where it has none.")


@strawberry.type(name="AuditEntry", description="One act; entries are never changed or deleted.")
class AuditEntryType:
    @classmethod
    def is_type_of(cls, value: object, _info: object) -> bool:
        return isinstance(value, AuditEntry)

    @strawberry.field(description="Counts the tenant's entries from 1 without gaps.")
    @staticmethod
    def seq(root: strawberry.Parent[AuditEntry]) -> BigInt:
        return BigInt(root.seq)

    @strawberry.field
    @staticmethod
    def at(root: strawberry.Parent[AuditEntry]) -> datetime:
        return root.record.at

    @strawberry.field
    @staticmethod
    def actor(root: strawberry.Parent[AuditEntry]) -> AuditActor:
        record = root.record
        identity = strawberry.ID(record.actor_id) if record.actor_id else None
        return AuditActor(kind=record.actor_kind, id=identity, name=root.actor_name)

    @strawberry.field(description="What was asked for: workflow.publish, session.signIn.")
    @staticmethod
    def action(root: strawberry.Parent[AuditEntry]) -> str:
        return root.record.action

    @strawberry.field
    @staticmethod
    def object(root: strawberry.Parent[AuditEntry]) -> AuditObjectType | None:
        shown = root.record.object
        return AuditObjectType(type=shown.type, id=shown.id) if shown else None

    @strawberry.field(description="All ids that were named.")
    @staticmethod
    def ids(root: strawberry.Parent[AuditEntry]) -> list[strawberry.ID]:
        return [strawberry.ID(each) for each in root.record.ids]

    @strawberry.field
    @staticmethod
    def outcome(root: strawberry.Parent[AuditEntry]) -> AuditOutcome:
        return root.record.outcome

    @strawberry.field(description="Why it was refused.")
    @staticmethod
    def code(root: strawberry.Parent[AuditEntry]) -> str | None:
        return root.record.code

    @strawberry.field(description="The object as it was, without secrets.")
    @staticmethod
    def before(root: strawberry.Parent[AuditEntry]) -> JSON | None:
        return root.record.before

    @strawberry.field(description="The object as it became, without secrets.")
    @staticmethod
    def after(root: strawberry.Parent[AuditEntry]) -> JSON | None:
        return root.record.after

    @strawberry.field
    @staticmethod
    def ip(root: strawberry.Parent[AuditEntry]) -> str | None:
        return root.record.origin.ip

    @strawberry.field
    @staticmethod
    def user_agent(root: strawberry.Parent[AuditEntry]) -> str | None:
        return root.record.origin.user_agent

    @strawberry.field(description="What the request gave as X-Request-ID, else an id made for it.")
    @staticmethod
    def request_id(root: strawberry.Parent[AuditEntry]) -> str:
        return root.record.origin.request_id

    @strawberry.field(description="SHA-256 over the hash of the entry before and this entry, in hexadecimal.")
    @staticmethod
    def hash(root: strawberry.Parent[AuditEntry]) -> str:
        return root.hash.hex()


@strawberry.input(description="Entries of which all of this is true.")
class AuditEntryFilter:
    actor: str | None = strawberry.field(default=None, description="The id of a user or an API key.")
    action: str | None = None
    object: str | None = strawberry.field(default=None, description="An id, or the name of an environment.")
    from_: datetime | None = strawberry.field(default=None, name="from", description="Included.")
    to: datetime | None = strawberry.field(default=None, description="Not included.")

    def chosen(self) -> AuditFilter:
        """Raises Invalid."""
        for name, text in (("actor", self.actor), ("action", self.action), ("object", self.object)):
            if text is not None:
                checked_text(text, "filter", name, most=_LONGEST)
        return AuditFilter(actor=self.actor, action=self.action, object=self.object, since=self.from_, until=self.to)


@strawberry.type
class AuditQuery:
    @strawberry.field(graphql_type=Connection[AuditEntryType], description="Newest first.")
    async def audit_entries(
        self,
        info: Info,
        filter: AuditEntryFilter | None = None,
        first: int | None = None,
        after: str | None = None,
        last: int | None = None,
        before: str | None = None,
    ) -> Listed[AuditEntry]:
        chosen = filter.chosen() if filter else AuditFilter()
        cursors = Cursors(kind="audit", orders_by=int, scope=chosen)
        found = await audit.page(info.context, chosen, cursors.page(first, after, last, before))
        return cursors.listed(found, place)
