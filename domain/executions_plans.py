"""Compiled plans by version, for everything that folds logs in order to read them."""

from collections import OrderedDict

from domain.engine.plan import Plan, compile_plan
from domain.ids import VersionId
from domain.nodes import NodeCatalog
from domain.versions import Version


class Plans:
    """Plans of the versions used last; versions never change, so neither do their plans."""

    def __init__(self, catalog: NodeCatalog, *, capacity: int = 256) -> None:
        self._catalog = catalog
        self._capacity = capacity
        self._known: OrderedDict[VersionId, Plan] = OrderedDict()

    def of(self, version: Version) -> Plan:
        plan = self._known.get(version.id)
        if plan is None:
            plan = compile_plan(version.definition, self._catalog)
            if len(self._known) >= self._capacity:
                self._known.popitem(last=False)
            self._known[version.id] = plan
        else:
            self._known.move_to_end(version.id)
        return plan
