"""YAML 1.1 text to JSON values and back, by libyaml's events: no object is ever made by a tag.

Scalars mean what they mean in PyYAML (`yes`, `no`, `on`, `off` are booleans, `0x1f` and `12:30` are numbers), with
two differences: dates stay text, because JSON has none, and a key must be text. Anchors, aliases and merge keys
(`<<`) work as long as they do not blow the document up.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from domain.formats.source import MAX_DEPTH, Unreadable, check_values, decode, too_deep
from domain.json import JSON, as_list, is_list

MAX_ALIASED = 1024 * 1024
"""What aliases may add to a document, in characters."""

_TAG = "tag:yaml.org,2002:"
_TEXTS = {f"{_TAG}{name}" for name in ("str", "timestamp", "value", "merge")}
_READERS: dict[str, Any] = {
    f"{_TAG}int": yaml.CSafeLoader.construct_yaml_int,
    f"{_TAG}float": yaml.CSafeLoader.construct_yaml_float,
    f"{_TAG}bool": yaml.CSafeLoader.construct_yaml_bool,
    f"{_TAG}null": yaml.CSafeLoader.construct_yaml_null,
}


def parse(document: bytes | str) -> JSON:
    """Raises TooLarge for size and nesting, Unreadable with line and column for anything else."""
    text = decode(document)
    builder = _Builder()
    try:
        for event in yaml.parse(text, Loader=yaml.CSafeLoader):
            builder.take(event)
    except yaml.MarkedYAMLError as error:
        raise _unreadable(error.problem or error.context or "no valid YAML", error.problem_mark) from None
    except yaml.YAMLError as error:
        raise Unreadable(f"This is no valid YAML: {error}"[:300]) from None
    check_values(builder.root)
    return builder.root


def write(value: JSON) -> str:
    return yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110)


class _Dumper(yaml.CSafeDumper):
    def ignore_aliases(self, data: object) -> bool:
        return True


@dataclass(slots=True)
class _Frame:
    """A list or object being read. `size` is what it comes to in characters, aliases written out."""

    value: list[JSON] | dict[str, JSON]
    anchor: str | None
    size: int = 2
    key: str | None = None
    merging: bool = False
    merged: list[JSON] = field(default_factory=list["JSON"])


class _Builder:
    """Takes events one by one; `root` is the document's value afterwards."""

    def __init__(self) -> None:
        self.root: JSON = None
        self._loader: Any = yaml.CSafeLoader("")
        self._frames: list[_Frame] = []
        self._anchors: dict[str, tuple[JSON, int]] = {}
        self._documents = 0
        self._aliased = 0

    def take(self, event: yaml.Event) -> None:
        match event:
            case yaml.DocumentStartEvent():
                self._documents += 1
                if self._documents > 1:
                    raise _unreadable("a second document begins", event.start_mark)
            case yaml.ScalarEvent():
                self._take_scalar(event)
            case yaml.AliasEvent():
                self._take_alias(event)
            case yaml.SequenceStartEvent() | yaml.MappingStartEvent():
                self._open(event)
            case yaml.SequenceEndEvent() | yaml.MappingEndEvent():
                self._close(event)
            case _:
                pass

    def _take_scalar(self, event: yaml.ScalarEvent) -> None:
        text: str = event.value
        if not event.tag and not event.implicit[0]:
            value: JSON = text
        elif self._is_merge(event):
            self._frames[-1].merging = True
            return
        else:
            value = self._read(text, event)
        if event.anchor:
            self._anchors[event.anchor] = (value, len(text) + 1)
        self._add(value, len(text) + 1, event)

    def _read(self, text: str, event: yaml.ScalarEvent) -> JSON:
        tag = event.tag or self._loader.resolve(yaml.ScalarNode, text, (True, False))
        if tag in _TEXTS:
            return text
        reader = _READERS.get(tag)
        if reader is None:
            raise _unreadable(f"the tag {tag} means nothing here", event.start_mark)
        try:
            return reader(self._loader, yaml.ScalarNode(tag, text))
        except (ValueError, KeyError):
            raise _unreadable(f"{text[:40]!r} is no {tag.removeprefix(_TAG)}", event.start_mark) from None

    def _is_merge(self, event: yaml.ScalarEvent) -> bool:
        frame = self._frames[-1] if self._frames else None
        waits_for_key = frame is not None and isinstance(frame.value, dict) and frame.key is None
        return waits_for_key and event.value == "<<" and not event.tag and not event.anchor

    def _take_alias(self, event: yaml.AliasEvent) -> None:
        name = str(event.anchor)
        if name not in self._anchors:
            raise _unreadable(f"the alias *{name} refers to nothing finished before it", event.start_mark)
        value, size = self._anchors[name]
        self._aliased += size
        if self._aliased > MAX_ALIASED:
            raise _unreadable(f"aliases add more than {MAX_ALIASED:,} characters", event.start_mark)
        self._add(value, size, event)

    def _open(self, event: yaml.SequenceStartEvent | yaml.MappingStartEvent) -> None:
        if len(self._frames) >= MAX_DEPTH:
            raise too_deep()
        is_list = isinstance(event, yaml.SequenceStartEvent)
        if event.tag not in (None, "!", _TAG + ("seq" if is_list else "map")):
            raise _unreadable(f"the tag {event.tag} means nothing here", event.start_mark)
        frame = self._frames[-1] if self._frames else None
        if frame is not None and isinstance(frame.value, dict) and frame.key is None and not frame.merging:
            raise _unreadable("a key must be text, not a list or an object", event.start_mark)
        self._frames.append(_Frame(value=[] if is_list else {}, anchor=event.anchor))

    def _close(self, event: yaml.Event) -> None:
        frame = self._frames.pop()
        value = frame.value
        if isinstance(value, dict):
            for key, member in _members(frame.merged, event):
                value.setdefault(key, member)
        if frame.anchor:
            self._anchors[frame.anchor] = (value, frame.size)
        self._add(value, frame.size, event)

    def _add(self, value: JSON, size: int, event: yaml.Event) -> None:
        if not self._frames:
            self.root = value
            return
        frame = self._frames[-1]
        frame.size += size
        if isinstance(frame.value, list):
            frame.value.append(value)
        elif frame.merging:
            frame.merging = False
            frame.merged.append(value)
        elif frame.key is None:
            frame.key = _key(value, frame.value, event)
        else:
            frame.value[frame.key] = value
            frame.key = None


def _key(value: JSON, known: Mapping[str, JSON], event: yaml.Event) -> str:
    if not isinstance(value, str):
        written = str(value).lower() if isinstance(value, bool) else str(value)[:40]
        message = f"a key must be text, and this one is read as {written}; put it in quotes"
        raise _unreadable(message, event.start_mark)
    if value in known:
        raise _unreadable(f"the key {value[:80]!r} stands twice in one object", event.start_mark)
    return value


def _members(merged: list[JSON], event: yaml.Event) -> Iterator[tuple[str, JSON]]:
    """What `<<` brings in; of several sources the first that has a key wins."""
    for source in merged:
        for each in as_list(source) if is_list(source) else [source]:
            if not isinstance(each, Mapping):
                raise _unreadable("'<<' needs an object or a list of objects", event.start_mark)
            yield from each.items()


def _unreadable(problem: str, mark: Any) -> Unreadable:
    at = f"Line {mark.line + 1}, column {mark.column + 1}: " if mark is not None else ""
    return Unreadable(f"{at}{problem}"[:300], remedy="Mend the YAML there.")
