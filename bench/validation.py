"""How long it takes to say all that is wrong with a graph of 1,000 nodes, seen for the first time and again."""

import gc
from collections.abc import Callable, Sequence
from time import perf_counter

from bench.results import Bench, Result, percentile
from bench.workflows import mixed
from domain.formats.documents import graph_from_json
from domain.graphs import Definition, Variable
from domain.validation import validate
from jobs.nodes.catalog import CATALOG

NODES = 1_000
TENTH = NODES // 10
TARGET_MS = 100.0
_LEAST = 5


async def measure(bench: Bench) -> Sequence[Result]:
    """All levels, nothing found; every graph is new, with expressions that no other has."""
    bench.say(f"validation: graphs of {TENTH} and {NODES:,} nodes")
    _timed(_definition(TENTH, "warm"))
    whole = _rounds(NODES, bench.seconds / 2)
    tenth = _rounds(TENTH, bench.seconds / 2)
    first, again = (percentile([each[at] for each in whole], 0.5) for at in (0, 1))
    small = percentile([each[0] for each in tenth], 0.5)
    return [
        _result(f"{NODES:,} nodes, p50", first, "the target", TARGET_MS),
        _result(f"{NODES:,} nodes, p50", first, f"ten times {TENTH} nodes", 10 * small),
        _result(f"{NODES:,} nodes again, p50", again, "the first time", first),
        _result(f"{TENTH} nodes, p50", small, "a tenth of the target", TARGET_MS / 10),
    ]


def _result(name: str, value: float, versus: str, reference: float) -> Result:
    return Result(name=name, value=value, unit="ms", versus=versus, reference=reference)


def _rounds(nodes: int, seconds: float) -> Sequence[tuple[float, float]]:
    """Milliseconds of the first time and the second, for one graph after the other."""
    times: list[tuple[float, float]] = []
    began = perf_counter()
    while len(times) < _LEAST or perf_counter() - began < seconds:
        definition = _definition(nodes, f"g{nodes}x{len(times)}")
        gc.collect()  # what was thrown away before is not this one's work
        times.append((_timed(definition), _timed(definition)))
    return times


def _definition(nodes: int, name: str) -> Definition:
    return Definition(graph=graph_from_json(mixed(nodes, name)), variables={"api": Variable()})


def _timed(definition: Definition, clock: Callable[[], float] = perf_counter) -> float:
    began = clock()
    findings = validate(definition, CATALOG)
    took = (clock() - began) * 1000
    assert findings == [], findings[:3]
    return took
