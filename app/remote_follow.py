"""Executions on a server, followed live over one WebSocket until each is over: nothing is lost when it breaks."""

import asyncio
from collections.abc import Callable, Sequence
from itertools import islice

from app.remote_server import OPERATIONS, Connection, ConnectionLost, Next, RemoteServer
from domain.errors import InvalidState
from domain.json import JSONObject, as_object

WATCH = """subscription ($id: ID!, $after: Cursor) { executionEvents(id: $id, after: $after) { __typename
  ... on ExecutionEventBatch { cursor events { seq kind nodeId path attempt at data } }
  ... on ExecutionActivity { nodeId path attempt status at }
  ... on StreamCaughtUp { cursor currentSteps { nodeId path attempt status startedAt } }
  ... on StreamEnd { cursor ended: status } } }"""
_PAUSES = (0.2, 0.5, 1, 2, 5)
_GIVES_UP_AFTER = 20
"""Attempts in a row; with the pauses about 80 seconds."""

Frame = JSONObject


class Followed:
    """Up to a hundred at a time; each has its cursor, from which it goes on after a disconnect."""

    def __init__(self, server: RemoteServer, executions: Sequence[str], take: Callable[[int, Frame], None]) -> None:
        """`take` is called with an execution's place in the list and each of its frames."""
        self._server = server
        self._ids = executions
        self._take = take
        self._cursors: dict[int, str | None] = dict.fromkeys(range(len(executions)))
        self._attempts = 0

    async def until_over(self, say: Callable[[str], None]) -> None:
        """Raises InvalidState when the server stays away, and what `Connection.answers` raises."""
        while self._cursors:
            try:
                async with self._server.connection() as connection:
                    await self._follow(connection)
            except ConnectionLost as lost:
                if self._attempts == _GIVES_UP_AFTER:
                    raise InvalidState(
                        f"The server stays away ({lost}); what was started there goes on without a spectator",
                        path=("server",),
                    ) from lost
                if self._attempts == 0:
                    say(f"the connection to the server is lost ({lost}); going on from there when it is back")
                await asyncio.sleep(_PAUSES[min(self._attempts, len(_PAUSES) - 1)])
                self._attempts += 1

    async def _follow(self, connection: Connection) -> None:
        queue = iter(list(self._cursors))
        for number in islice(queue, OPERATIONS):
            await self._subscribe(connection, number)
        async for answer in connection.answers():
            number = int(answer.key)
            if isinstance(answer, Next):
                self._attempts = 0
                self._keep(number, as_object(answer.data.get("executionEvents")))
                continue
            if number in self._cursors:
                raise ConnectionLost("the stream ended early")
            if (following := next(queue, None)) is not None:
                await self._subscribe(connection, following)
            if not self._cursors:
                return

    async def _subscribe(self, connection: Connection, number: int) -> None:
        await connection.subscribe(str(number), WATCH, {"id": self._ids[number], "after": self._cursors[number]})

    def _keep(self, number: int, frame: Frame) -> None:
        self._take(number, frame)
        if frame.get("__typename") == "StreamEnd":
            del self._cursors[number]
        elif isinstance(cursor := frame.get("cursor"), str):
            self._cursors[number] = cursor
