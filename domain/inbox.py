"""The way to an execution for everybody but its owner: a durable message, then a ring at the door."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Protocol

from domain.engine.ports import InboxKind
from domain.ids import ExecutionId, TenantId
from domain.json import JSONObject


class Posted(StrEnum):
    """`repeated`: a message with this key is there already. `missing`: no such execution in this tenant."""

    ACCEPTED = "accepted"
    REPEATED = "repeated"
    FINISHED = "finished"
    MISSING = "missing"


class Inbox(Protocol):
    async def post(
        self, tenant_id: TenantId, execution_id: ExecutionId, kind: InboxKind, key: str, payload: JSONObject
    ) -> Posted:
        """Commit one message under the execution row's lock, and mark the execution as having something to do.

        A cancel also sets the row's `cancel_requested_at`, if it was null.
        """
        ...


class Doorbell(Protocol):
    async def ring(self, tenant_id: TenantId, execution_ids: Sequence[ExecutionId]) -> None:
        """Tell the workers that these have something to do. May be lost; never raises for a lost ring."""
        ...
