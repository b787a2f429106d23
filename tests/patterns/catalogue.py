"""What each pattern's file says of itself, and the page made of it: changes when the page is to say more.

`python -m tests.patterns.catalogue > docs/patterns.md` writes the page again.
"""

import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from importlib import import_module
from pathlib import Path

FOLDER = Path(__file__).parent

_INTRODUCTION = """\
Wil van der Aalst, Nick Russell and Arthur ter Hofstede collected what people want to say about the order of work, and
called it the 43 workflow control-flow patterns ([workflowpatterns.com](http://www.workflowpatterns.com/patterns/control/)).
This page says how each is expressed in Weir. Each line is run on the real executor by the file it links to: graph,
events and outcome stand there. The page is made from those files; a test keeps it so."""


class Support(StrEnum):
    """PARTLY: a graph behaves so in the usual case, but something that the pattern asks for is missing."""

    SUPPORTED = "supported"
    PARTLY = "partly"
    NOT = "not"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pattern:
    """`how`: which means of Weir express it, in a sentence or two. `why`: why only partly, or not."""

    number: int
    name: str
    support: Support
    how: str
    why: str = ""


def files() -> Sequence[Path]:
    """The pattern files in the order of their numbers."""
    return sorted(FOLDER.glob("test_[0-9][0-9]_*.py"))


def read() -> Sequence[Pattern]:
    """Every file's `PATTERN`, in the order of their numbers."""
    return [import_module(f"tests.patterns.{file.stem}").PATTERN for file in files()]


def markdown(patterns: Sequence[Pattern]) -> str:
    """The whole page, with its last line break."""
    counts = Counter(pattern.support for pattern in patterns)
    total = ", ".join(f"{counts[support]} {support}" for support in Support)
    rows = "\n".join(_row(pattern) for pattern in patterns)
    head = "| | pattern | support | how | file |\n|---|---|---|---|---|"
    return f"# Workflow patterns\n\n{_INTRODUCTION}\n\nOf {len(patterns)} patterns: {total}.\n\n{head}\n{rows}\n"


def _row(pattern: Pattern) -> str:
    (file,) = FOLDER.glob(f"test_{pattern.number:02}_*.py")
    how = " ".join(part for part in (pattern.how, pattern.why) if part).replace("|", r"\|")
    link = f"[{file.name}](../tests/patterns/{file.name})"
    return f"| {pattern.number} | {pattern.name} | {pattern.support} | {how} | {link} |"


if __name__ == "__main__":
    sys.stdout.write(markdown(read()))
