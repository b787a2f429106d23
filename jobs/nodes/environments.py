"""What a step's environment changes for it: the connections that stand for those its config names."""

from collections.abc import Iterable

from domain.environments import connections_of, placed_by
from domain.expressions import Scope
from domain.json import JSONObject, as_object


def environment_of(scope: Scope) -> str:
    """The name of the environment the step's execution runs in."""
    return placed_by(_trigger(scope)).environment


def mapped(config: JSONObject, fields: Iterable[str], scope: Scope) -> JSONObject:
    """The config with the connections its environment uses; the very same object where nothing is mapped.

    `fields` are those of the config that name connections.
    """
    named = {field: name for field in fields if isinstance(name := config.get(field), str)}
    if not named:
        return config
    stand_ins = connections_of(_trigger(scope))
    changed = {field: stand_ins[name] for field, name in named.items() if name in stand_ins}
    return {**config, **changed} if changed else config


def _trigger(scope: Scope) -> JSONObject:
    return as_object(as_object(scope.get("execution")).get("trigger"))
