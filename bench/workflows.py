"""The workflows that are measured: changes when another shape is."""

from collections.abc import Mapping, Sequence
from itertools import pairwise

from domain.json import JSON, JSONObject, as_list, is_list

STEPS = 10
LOG_ROWS = STEPS + 4
"""Of an execution of `chain(STEPS)`: started, adopted, the trigger and each step, completed."""


def chain(steps: int) -> JSONObject:
    """A trigger and `steps` steps one after the other, each adding one to `n` of what it is given."""
    return _in_line([_set(f"step{number}") for number in range(1, steps + 1)])


def call(url: str) -> JSONObject:
    """A trigger and one request to `url`."""
    return _in_line([{"id": "call", "kind": "http", "config": {"url": url}, "timeout": 600.0}])


def wait_then_chain(signal: str, steps: int) -> JSONObject:
    """A trigger, a wait for `signal`, and `steps` steps."""
    wait: Mapping[str, JSON] = {"id": "wait", "kind": "wait", "config": {"signal": signal}}
    return _in_line([wait, *(_set(f"step{number}") for number in range(1, steps + 1))])


def mixed(nodes: int, name: str) -> JSONObject:
    """So many nodes of seven kinds in line, each with expressions that only the graph of this name has."""
    made: list[JSONObject] = [{"id": "start", "kind": "trigger"}]
    edges: list[JSONObject] = []
    for number in range(1, nodes):
        before, id = made[-1], f"n{number}"
        handle = _HANDLES.get(str(before["kind"]), "out")
        edges.append({"source": before["id"], "target": id, "sourceHandle": handle})
        kind, config = _MIXED[number % len(_MIXED)]
        read = f"steps.{before['id']}.output"
        made.append({"id": id, "kind": kind, "config": _filled(config, {"READ": read, "NAME": f"{name}_{number}"})})
    return {"nodes": made, "edges": edges}


_HANDLES: Mapping[str, str] = {"if": "true", "switch": "home"}
_MIXED: Sequence[tuple[str, JSONObject]] = (
    ("set", {"values": {"total": "{{ trigger.NAME.price * 1.19 }}", "id": "{{ trigger.NAME.id }}"}, "keepOnly": True}),
    (
        "http",
        {
            "method": "POST",
            "url": "{{ vars.api }}/orders/{{ trigger.NAME }}",
            "headers": {"x-source": "weir"},
            "body": {"id": "{{ trigger.NAME.id }}", "lines": ["{{ READ }}", {"quantity": 3}]},
        },
    ),
    ("if", {"condition": "{{ READ.status === 200 && READ.body.NAME > 100 }}"}),
    ("log", {"message": "Order {{ trigger.NAME.id }} came to {{ READ.body.NAME }}"}),
    (
        "switch",
        {
            "expression": "{{ trigger.NAME.country }}",
            "cases": [{"name": "home", "equals": "DE"}, {"name": "near", "equals": "AT"}],
        },
    ),
    ("transform", {"operation": "map", "items": "{{ trigger.NAME.lines }}", "expression": "item.price * item.NAME"}),
    ("code", {"source": "return input.filter(each => each > 'NAME');", "timeout": 5, "memory": 32}),
)


def _filled(value: JSON, words: Mapping[str, str]) -> JSON:
    """The value with these words replaced in all its texts."""
    if isinstance(value, str):
        for word, text in words.items():
            value = value.replace(word, text)
        return value
    if isinstance(value, Mapping):
        return {key: _filled(member, words) for key, member in value.items()}
    return [_filled(member, words) for member in as_list(value)] if is_list(value) else value


def _set(name: str) -> JSONObject:
    return {"id": name, "kind": "set", "config": {"values": {"n": "{{ input.n + 1 }}"}}}


def _in_line(steps: Sequence[JSONObject]) -> JSONObject:
    nodes: list[JSONObject] = [{"id": "start", "kind": "trigger"}, *steps]
    return {"nodes": nodes, "edges": [{"source": a["id"], "target": b["id"]} for a, b in pairwise(nodes)]}
