"""Changes when another kind of value has to be made fit for json.

PostgreSQL's json holds neither U+0000 nor half a surrogate pair, and JSON has no NaN. What people send is refused at
the edge (`domain.storable`); what a node returns must not stop an execution, so here such characters become U+FFFD
and such numbers null, as a browser's decoder and JSON.stringify have it.
"""

import json
import math
import re
from collections.abc import Mapping
from typing import cast

import orjson

from domain.json import JSON, is_list

_NUL = re.compile(rb"(?<!\\)((?:\\\\)*)\\u0000")
"""The escape of U+0000: its backslash has an even number of backslashes before it."""
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def dump(value: JSON) -> str:
    """JSON text that json takes. Integers may have any size; they are read back as doubles beyond 64 bits.

    Raises TypeError for what is no JSON, ValueError for an integer of over 4,300 digits, RecursionError for a value
    nested some hundred levels deep.
    """
    try:
        written = orjson.dumps(value)
    except TypeError:  # a large integer, half a surrogate pair, a Mapping that is no dict, deep nesting
        return json.dumps(_plain(value), ensure_ascii=False, separators=(",", ":"))
    if b"\\u0000" in written:
        written = _NUL.sub(rb"\1\\ufffd", written)
    return written.decode()


def dump_or_null(value: JSON) -> str | None:
    """As `dump`, but None stays None: SQL's null, not JSON's."""
    return None if value is None else dump(value)


def _plain(value: JSON) -> JSON:
    """The value as dicts, lists and scalars that any JSON writer and json take."""
    if isinstance(value, str):
        return _UNSTORABLE.sub("\ufffd", value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {_UNSTORABLE.sub("\ufffd", key): _plain(item) for key, item in value.items()}
    if is_list(value):
        return [_plain(item) for item in cast("list[JSON]", value)]
    return value
