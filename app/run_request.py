"""What `weir run` is asked to do: the file, its inputs and variables, all checked before anything starts."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from domain.errors import Invalid
from domain.formats import Format, loads
from domain.graphs import Document
from domain.json import JSON, is_list

FORMATS = {".yaml": Format.YAML, ".yml": Format.YAML, ".json": Format.JSON}
MAX_RUNS = 10_000
_LABELS = ("id", "orderId", "invoice", "ticket", "name", "number", "key")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRequest:
    """One execution per input. `text` is the file as it stands, for a server."""

    file: Path
    text: str
    format: Format
    document: Document
    inputs: Sequence[JSON]
    many: bool
    variables: Mapping[str, JSON]

    @property
    def labels(self) -> Sequence[str]:
        """What each execution is called on the screen: its order's number, its ticket's, else its place."""
        return [_label(value, index) for index, value in enumerate(self.inputs)]


def read_request(file: Path, *, input_: str | None, each: str | None, variables: Sequence[str]) -> RunRequest:
    """Raises Invalid, which names the option, and whatever is wrong with the document."""
    if input_ is not None and each is not None:
        raise Invalid("--input and --each exclude each other", path=("each",), remedy="Give one of them.")
    kind = FORMATS.get(file.suffix.lower())
    if kind is None:
        raise Invalid(
            f"{file.name} is no workflow file", path=("file",), remedy=f"Give a file that ends in {', '.join(FORMATS)}."
        )
    raw = _read(file, "file")
    document = loads(raw, kind)
    many = each is not None
    inputs = _list(read_value(each, "each")) if each is not None else [read_value(input_, "input") if input_ else None]
    return RunRequest(
        file=file,
        text=raw.decode(),
        format=kind,
        document=document,
        inputs=inputs,
        many=many,
        variables=dict(_variable(text) for text in variables),
    )


def read_value(text: str, option: str) -> JSON:
    """JSON as given, or that of the file after an @. Raises Invalid, which names the option."""
    given = _read(Path(text[1:]), option) if text.startswith("@") else text
    try:
        return cast("JSON", json.loads(given))
    except (ValueError, RecursionError) as error:
        remedy = f"Give JSON, or @FILE with JSON in it: --{option} '{{\"name\": 1}}' or --{option} @input.json"
        raise Invalid(f"--{option} is no JSON: {error}", path=(option,), remedy=remedy) from error


def _list(value: JSON) -> Sequence[JSON]:
    if not is_list(value):
        raise Invalid("--each is no list", path=("each",), remedy="Give a JSON list, one element per execution.")
    elements = cast("Sequence[JSON]", value)
    if len(elements) > MAX_RUNS:
        raise Invalid(f"--each has {len(elements):,} elements; at most {MAX_RUNS:,} are taken", path=("each",))
    return elements


def _variable(text: str) -> tuple[str, JSON]:
    name, separator, value = text.partition("=")
    if not separator or not name:
        raise Invalid(f"--var {text!r} has no value", path=("var",), remedy="Write --var NAME=VALUE.")
    try:
        return name, cast("JSON", json.loads(value))
    except ValueError:
        return name, value


def _read(file: Path, option: str) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise Invalid(f"{file} cannot be read: {error.strerror}", path=(option,)) from error


def _label(value: JSON, index: int) -> str:
    if isinstance(value, Mapping):
        for name in _LABELS:
            found = value.get(name)
            if isinstance(found, str | int) and not isinstance(found, bool):
                return str(found)
    return str(index + 1)
