"""What a step's environment changes for it: the connections that stand for those its config names."""

from domain.environments import connections_of, placed_by
from domain.expressions import Scope
from domain.json import JSONObject, as_object

CONNECTION = "connection"


def environment_of(scope: Scope) -> str:
    """The name of the environment the step's execution runs in."""
    return placed_by(_trigger(scope)).environment


def mapped(config: JSONObject, scope: Scope) -> JSONObject:
    """The config with the connection its environment uses; the very same object where nothing is mapped."""
    name = config.get(CONNECTION)
    if not isinstance(name, str):
        return config
    stand_in = connections_of(_trigger(scope)).get(name)
    return config if stand_in is None else {**config, CONNECTION: stand_in}


def _trigger(scope: Scope) -> JSONObject:
    return as_object(as_object(scope.get("execution")).get("trigger"))
