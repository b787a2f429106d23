"""Removes the bytes of files whose time is over, that were deleted, or that nobody came to claim."""

import asyncio
import logging

from domain import files_keep
from domain.files import FileSweeping, Storage
from domain.sources import Clock

log = logging.getLogger("weir.files")

_EVERY = 60.0


class FileSweeper:
    """Runs in every worker and scheduler; several at once share the work."""

    def __init__(self, sweeping: FileSweeping, storage: Storage, clock: Clock) -> None:
        self._sweeping = sweeping
        self._storage = storage
        self._clock = clock

    async def run(self) -> None:
        while True:
            try:
                await self.once()
            except ConnectionError as error:
                log.warning("sweeping files failed, trying again: %s", error)
            await asyncio.sleep(_EVERY)

    async def once(self) -> tuple[int, int]:
        """How many files had expired, and the bytes of how many were removed."""
        expired, removed = await files_keep.sweep(self._sweeping, self._storage, self._clock)
        if expired:
            log.info("%d files had expired", expired)
        return expired, removed
