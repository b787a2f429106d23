"""Every node kind of this process: the modules of this package that define `KIND`, and those of plug-ins."""

import pkgutil
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from importlib import import_module

from domain.errors import Finding
from domain.graphs import ERROR, Node, OnError
from domain.nodes import NodeKind
from jobs import nodes, plugins
from jobs.nodes.base import Behaviour
from jobs.plugins import Plugins


class Catalog:
    """A NodeCatalog (see `domain.nodes`) that also knows how kinds run.

    Plug-ins are loaded when the catalog is first asked, not before: they import the very package that makes it.
    """

    def __init__(
        self, behaviours: Iterable[Behaviour], plugins: Callable[[Collection[str]], Plugins] = lambda _: Plugins()
    ) -> None:
        self._own = {behaviour.kind.name: behaviour for behaviour in behaviours}
        self._load = plugins

    @cached_property
    def plugins(self) -> Plugins:
        """Those that were found, and those that are broken."""
        return self._load(self._own.keys())

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

    @cached_property
    def _behaviours(self) -> Mapping[str, Behaviour]:
        added: dict[str, Behaviour] = {kind.kind.name: kind for kind in self.plugins.kinds}
        return dict(sorted({**self._own, **added}.items()))

    @cached_property
    def _kinds(self) -> Mapping[str, NodeKind]:
        return {name: behaviour.kind for name, behaviour in self._behaviours.items()}


def discover() -> Catalog:
    """The catalog of all kinds in this package and of the plug-ins installed beside it, sorted by name."""
    modules = [import_module(f"{nodes.__name__}.{module.name}") for module in pkgutil.iter_modules(nodes.__path__)]
    behaviours: list[Behaviour] = [module.KIND for module in modules if hasattr(module, "KIND")]
    return Catalog(behaviours, lambda taken: plugins.load(plugins.installed(), taken))


CATALOG = discover()
