"""The workflows that are measured: changes when another shape is."""

from collections.abc import Mapping, Sequence
from itertools import pairwise

from domain.json import JSON, JSONObject

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


def _set(name: str) -> JSONObject:
    return {"id": name, "kind": "set", "config": {"values": {"n": "{{ input.n + 1 }}"}}}


def _in_line(steps: Sequence[JSONObject]) -> JSONObject:
    nodes: list[JSONObject] = [{"id": "start", "kind": "trigger"}, *steps]
    return {"nodes": nodes, "edges": [{"source": a["id"], "target": b["id"]} for a, b in pairwise(nodes)]}
