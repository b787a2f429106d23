"""What code writes to the log: as many lines, and as long ones, as the call allows."""

from typing import Final

LONGEST: Final = 10_000
_MOST_TEXT: Final = 262_144


class Lines:
    """Keeps the first `most` lines, and at most 256 Ki characters of them."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._left = _MOST_TEXT
        self._kept: list[tuple[str, str]] = []
        self._dropped = 0

    def add(self, level: str, text: str) -> None:
        """`level` is DEBUG, INFO, WARNING or ERROR; a longer line is cut."""
        text = text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
        if len(self._kept) == self._most or len(text) > self._left:
            self._dropped += 1
            return
        self._left -= len(text)
        self._kept.append((level, text))

    def all(self) -> list[tuple[str, str]]:
        """The lines kept, and one that says how many were not."""
        if not self._dropped:
            return self._kept
        return [*self._kept, ("WARNING", f"{self._dropped:,} more lines were dropped")]
