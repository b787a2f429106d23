"""Regular expressions that users write: RE2's, whose time is linear in the text they search."""

from functools import lru_cache
from typing import Any, Protocol, cast

import re2

from domain.errors import Invalid

MAX_LENGTH = 1_000
_MEMORY = 1 << 20
_re2: Any = re2  # an extension module without type information


class Pattern(Protocol):
    def search(self, text: str) -> object | None:
        """What was found anywhere in the text, None if nothing was."""
        ...


@lru_cache(maxsize=1024)
def compile_pattern(pattern: str) -> Pattern:
    """Raises Invalid when the text is no regular expression of RE2, or longer than 1,000 characters."""
    if len(pattern) > MAX_LENGTH:
        raise Invalid(f"A regular expression has at most {MAX_LENGTH:,} characters, this one {len(pattern):,}")
    options = _re2.Options()
    options.log_errors = False
    options.max_mem = _MEMORY
    try:
        return cast("Pattern", _re2.compile(pattern, options))
    except _re2.error as error:
        reason = error.args[0]
        text = reason.decode(errors="replace") if isinstance(reason, bytes) else str(reason)
        message = f"{pattern[:80]!r} is no regular expression: {text}"
        raise Invalid(message, remedy="RE2 is used: it has no look-around and no back-references.") from None
