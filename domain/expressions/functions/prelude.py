"""The functions for the sandbox: the same families in JavaScript, and how to load those that code may use."""

import json
import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Final

from domain.expressions.functions.signatures import FUNCTIONS, Choice, Parameter

CORE: Final = "core"
FAMILIES: Final = {
    "text": "texts", "list": "lists", "number": "numbers", "date": "dates", "hash": "hashes", "json": "objects",
}  # fmt: skip
"""The families and the files they stand in."""
_FOLDER: Final = Path(__file__).parent / "javascript"


@lru_cache(maxsize=1)
def sources() -> Mapping[str, str]:
    """JavaScript by family, and CORE, which has to stand before any of them.

    Together they are the body of a function whose parameter `zones` is `zone_table()` where `date` is among them; it
    defines each family as a global.
    """
    signatures = {
        name: [[parameter.name, _taken(parameter), not parameter.required] for parameter in function.parameters]
        for name, function in FUNCTIONS.items()
    }
    code = {name: (_FOLDER / f"{file}.js").read_text() for name, file in FAMILIES.items()}
    core = (_FOLDER / "core.js").read_text()
    return {CORE: f'"use strict";\nconst signatures = {json.dumps(signatures)};\n{core}', **code}


def families_in(source: str) -> frozenset[str]:
    """The families code may use: those it names, all where it may make code of text."""
    words = frozenset(re.findall(r"[\w$]+", source))
    return frozenset(FAMILIES) if words & {"eval", "Function", "globalThis", "this"} else words & frozenset(FAMILIES)


def _taken(parameter: Parameter) -> str | list[str]:
    takes = parameter.takes
    return list(takes.options) if isinstance(takes, Choice) else takes.value
