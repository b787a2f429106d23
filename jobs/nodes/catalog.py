"""Every node kind of this process: the modules of this package that define `KIND`."""

import pkgutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from importlib import import_module

from domain.errors import Finding
from domain.graphs import ERROR, Node, OnError
from domain.nodes import NodeKind
from jobs import nodes
from jobs.nodes.base import Behaviour


class Catalog:
    """A NodeCatalog (see `domain.nodes`) that also knows how kinds run."""

    def __init__(self, behaviours: Iterable[Behaviour]) -> None:
        self._behaviours = {behaviour.kind.name: behaviour for behaviour in behaviours}
        self._kinds = {name: behaviour.kind for name, behaviour in self._behaviours.items()}

    def kinds(self) -> Mapping[str, NodeKind]:
        return self._kinds

    def behaviour(self, kind: str) -> Behaviour:
        """Raises KeyError for an unknown kind."""
        return self._behaviours[kind]

    def handles(self, node: Node) -> Sequence[str]:
        """The node's outputs; `error` among them when its errors are routed."""
        handles = tuple(self._behaviours[node.kind].handles(node.config))
        return (*handles, ERROR) if node.on_error is OnError.ROUTE and ERROR not in handles else handles

    def check(self, node: Node) -> Sequence[Finding]:
        findings = self._behaviours[node.kind].check(node.config)
        return [replace(finding, node_id=node.id, path=("config", *finding.path)) for finding in findings]


def discover() -> Catalog:
    """The catalog of all kinds in this package, sorted by name."""
    modules = [import_module(f"{nodes.__name__}.{module.name}") for module in pkgutil.iter_modules(nodes.__path__)]
    behaviours: list[Behaviour] = [module.KIND for module in modules if hasattr(module, "KIND")]
    return Catalog(sorted(behaviours, key=lambda behaviour: behaviour.kind.name))


CATALOG = discover()
