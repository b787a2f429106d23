"""Whether an audit log is as it was written: changes when another way of tampering with it is known."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from domain.audit import AuditEntry, Checkpoint
from domain.audit_chain import GENESIS, Seal, link


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Something wrong with the log at, or from, this entry."""

    seq: int
    what: str


class Verifier:
    """Follows one tenant's chain from its first entry. `checkpoints`: of that tenant, in any order.

    After a fault it goes on from what is stored, so that each change is reported where it is.
    """

    def __init__(self, checkpoints: Iterable[Checkpoint], seal: Seal) -> None:
        self._seal = seal
        self._checkpoints = sorted(checkpoints, key=lambda each: each.seq)
        self._signed: dict[int, list[Checkpoint]] = {}
        for each in self._checkpoints:
            self._signed.setdefault(each.seq, []).append(each)
        self._previous = GENESIS
        self.entries = 0
        """The number of the last entry that was seen, 0 before the first."""

    def forged(self) -> Iterator[Fault]:
        """Checkpoints that nobody with a key has signed."""
        for each in self._checkpoints:
            if not self._seal.holds(each):
                yield Fault(seq=each.seq, what="the signature of its checkpoint does not hold")

    def follow(self, entry: AuditEntry) -> Iterator[Fault]:
        """The next entry in the order of numbers."""
        expected = self.entries + 1
        if entry.seq != expected:
            yield Fault(seq=expected, what=_missing(expected, entry.seq - 1))
        elif link(entry, self._previous) != entry.hash:
            yield Fault(seq=entry.seq, what="it is not as it was written, or not what followed the entry before it")
        yield from self._against_signed(entry.seq, entry.hash)

    def unreadable(self, seq: int, hash: bytes) -> Iterator[Fault]:
        """The next entry holds what no entry can hold."""
        yield Fault(seq=seq, what="it is not as it was written: it cannot be read")
        yield from self._against_signed(seq, hash)

    def _against_signed(self, seq: int, hash: bytes) -> Iterator[Fault]:
        for signed in self._signed.get(seq, ()):
            if self._seal.holds(signed) and signed.hash != hash:
                yield Fault(seq=seq, what="it is not the entry that was signed: the chain was made anew")
        self.entries, self._previous = seq, hash

    def end(self) -> Iterator[Fault]:
        """After the last entry: what was signed beyond it is gone."""
        last = max((each.seq for each in self._checkpoints if self._seal.holds(each)), default=0)
        if last > self.entries:
            yield Fault(seq=self.entries + 1, what=f"{_missing(self.entries + 1, last)} from the end")


def _missing(first: int, last: int) -> str:
    return f"entry {first} is missing" if first == last else f"entries {first} to {last} are missing"
