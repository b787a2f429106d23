"""What a worker tells the watchers, as the driver needs it; the event bus implements it."""

from datetime import datetime
from typing import Protocol

from jobs.runs import Run


class Announcer(Protocol):
    def step_began(self, run: Run, path: str, node: str, attempt: int, at: datetime) -> None:
        """An attempt begins: ephemeral, may be dropped."""
        ...
