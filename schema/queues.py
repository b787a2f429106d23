"""The queue an execution waits in before it begins, as the API shows it."""

from datetime import datetime

import strawberry

from domain.limits import QueuePlace, QueueReason

strawberry.enum(QueueReason, description="What an execution waits for before it begins.")


@strawberry.type(name="QueuePlace", description="Where an execution stands that has not begun.")
class QueuePlaceType:
    position: int = strawberry.field(description="From 1, among those that wait for the same.")
    reason: QueueReason
    limit: int | None = strawberry.field(description="That of the reason, if it is one.")
    starts_at: datetime | None = strawberry.field(description="For START_TIME.")

    @classmethod
    def is_type_of(cls, value: object, _info: object) -> bool:
        return isinstance(value, QueuePlace)
