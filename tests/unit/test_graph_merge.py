"""What comes out when a branch is merged: everybody's changes, or exactly what a person has to decide."""

from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given

from domain.formats.stored import definition_from_json, definition_to_json
from domain.graph_merge import ABSENT, Conflict, Merge, Take, merge
from domain.graph_parts import Path
from domain.graphs import Definition, Edge, Graph, Node, Variable, WorkflowSettings
from domain.json import JSON
from domain.versions import content_hash
from tests.unit.graph_edits import DEFINITIONS

START = Node(id="start", kind="trigger")
PRICE = Node(id="price", kind="http", config={"url": "a", "method": "GET"})
DONE = Node(id="done", kind="end")
TO_PRICE, TO_DONE = Edge(source="start", target="price"), Edge(source="price", target="done")
BASE = Definition(graph=Graph(nodes=(START, PRICE, DONE), edges=(TO_PRICE, TO_DONE)))


def of(*nodes: Node, edges: tuple[Edge, ...] = (TO_PRICE, TO_DONE), **more: object) -> Definition:
    made = Definition(graph=Graph(nodes=nodes, edges=edges))
    return replace(made, **more)  # pyright: ignore[reportArgumentType] - a test names fields freely


def merging(
    base: Definition, draft: Definition, branch: Definition, resolutions: Mapping[Path, Take] | None = None
) -> Merge:
    return merge(definition_to_json(base), definition_to_json(draft), definition_to_json(branch), resolutions or {})


def merged(
    base: Definition, draft: Definition, branch: Definition, resolutions: Mapping[Path, Take] | None = None
) -> Definition:
    outcome = merging(base, draft, branch, resolutions)
    assert (outcome.conflicts, outcome.unused) == ((), ())
    return definition_from_json(outcome.value)


def configured(**config: JSON) -> Definition:
    return of(START, replace(PRICE, config=config), DONE)


@given(DEFINITIONS, DEFINITIONS)
def test_merging_with_an_unchanged_side_gives_the_other_side(base: Definition, changed: Definition) -> None:
    for outcome in (merged(base, base, changed), merged(base, changed, base), merged(base, changed, changed)):
        assert content_hash(outcome) == content_hash(changed)


@given(DEFINITIONS, DEFINITIONS, DEFINITIONS)
def test_the_same_places_are_in_conflict_whichever_side_is_the_branch(
    base: Definition, one: Definition, other: Definition
) -> None:
    there, back = merging(base, one, other), merging(base, other, one)

    assert {conflict.path for conflict in there.conflicts} == {conflict.path for conflict in back.conflicts}


@given(DEFINITIONS, DEFINITIONS, DEFINITIONS)
def test_resolutions_at_the_places_named_leave_no_conflict(
    base: Definition, draft: Definition, branch: Definition
) -> None:
    first = merging(base, draft, branch)
    outcome = merging(base, draft, branch, {conflict.path: Take(branch=True) for conflict in first.conflicts})

    assert (outcome.conflicts, outcome.unused) == ((), ())
    assert definition_from_json(outcome.value)


def test_changes_of_different_places_come_together() -> None:
    log = Node(id="log", kind="log", config={"message": "hi"})
    draft = of(START, replace(PRICE, config={"url": "b", "method": "GET"}), DONE, variables={"a": Variable(default=1)})
    branch = of(
        START,
        log,
        replace(PRICE, config={"url": "a", "method": "POST"}, timeout=5.0),
        DONE,
        edges=(Edge(source="start", target="log"), Edge(source="log", target="price"), TO_DONE),
        variables={"b": Variable(default=2)},
        settings=WorkflowSettings(timeout=60),
    )

    assert merged(BASE, draft, branch) == of(
        START,
        log,
        replace(PRICE, config={"url": "b", "method": "POST"}, timeout=5.0),
        DONE,
        edges=(Edge(source="start", target="log"), Edge(source="log", target="price"), TO_DONE),
        variables={"a": Variable(default=1), "b": Variable(default=2)},
        settings=WorkflowSettings(timeout=60),
    )


def test_two_changes_of_one_field_are_a_conflict_there_and_nowhere_else() -> None:
    draft, branch = configured(url="b", method="POST"), configured(url="c", method="GET")

    assert merging(BASE, draft, branch).conflicts == (
        Conflict(path=("nodes", "price", "config", "url"), base="a", draft="b", branch="c"),
    )


@pytest.mark.parametrize(
    ("take", "url"), [(Take(draft=True), "b"), (Take(branch=True), "c"), (Take(value="b then c"), "b then c")]
)
def test_a_conflict_is_resolved_by_either_side_or_by_a_value_of_the_callers(take: Take, url: str) -> None:
    draft, branch = configured(url="b", method="POST"), configured(url="c", method="GET")

    outcome = merged(BASE, draft, branch, {("nodes", "price", "config", "url"): take})

    assert outcome == configured(url=url, method="POST")


def test_a_resolution_where_there_is_no_conflict_is_told() -> None:
    outcome = merging(BASE, BASE, configured(url="c", method="GET"), {("nodes", "price"): Take(draft=True)})

    assert outcome.unused == (("nodes", "price"),)


def test_a_node_that_one_side_removed_and_the_other_changed_is_a_conflict() -> None:
    removed = of(START, DONE, edges=(Edge(source="start", target="done"),))
    changed = configured(url="b", method="GET")
    at = ("nodes", "price")

    outcome = merging(BASE, removed, changed)
    gone, kept = (
        merged(BASE, removed, changed, {at: Take(draft=True)}),
        merged(BASE, removed, changed, {at: Take(branch=True)}),
    )

    (conflict,) = outcome.conflicts
    assert (conflict.path, conflict.draft) == (at, ABSENT)
    assert conflict.branch == {"id": "price", "kind": "http", "config": {"url": "b", "method": "GET"}}
    assert gone == removed
    assert [node.id for node in kept.graph.nodes] == ["start", "price", "done"]


def test_a_node_that_one_side_removed_and_the_other_leads_a_new_edge_to_is_a_conflict() -> None:
    removed = of(START, DONE, edges=(Edge(source="start", target="done"),))
    retrying = of(START, PRICE, DONE, edges=(TO_PRICE, TO_DONE, Edge(source="done", target="price", max_iterations=2)))
    at = ("nodes", "price")

    for draft, branch, without, keeping in (
        (removed, retrying, Take(draft=True), Take(branch=True)),
        (retrying, removed, Take(branch=True), Take(draft=True)),
    ):
        assert [conflict.path for conflict in merging(BASE, draft, branch).conflicts] == [at]
        assert merged(BASE, draft, branch, {at: without}) == removed
        kept = merged(BASE, draft, branch, {at: keeping})
        assert {node.id for node in kept.graph.nodes} == {"start", "price", "done"}
        assert Edge(source="done", target="price", max_iterations=2) in kept.graph.edges


def test_the_config_of_a_node_whose_kind_the_other_side_changed_is_a_conflict() -> None:
    draft, branch = of(START, replace(PRICE, kind="webhook"), DONE), configured(url="b", method="GET")

    (conflict,) = merging(BASE, draft, branch).conflicts

    assert conflict == Conflict(
        path=("nodes", "price", "config"),
        base={"url": "a", "method": "GET"},
        draft={"url": "a", "method": "GET"},
        branch={"url": "b", "method": "GET"},
    )


def test_two_nodes_added_under_one_id_are_a_conflict_as_a_whole() -> None:
    draft = of(START, PRICE, DONE, Node(id="new", kind="log", config={"message": "a"}))
    branch = of(START, PRICE, DONE, Node(id="new", kind="log", config={"level": "INFO"}))

    (conflict,) = merging(BASE, draft, branch).conflicts

    assert (conflict.path, conflict.base) == (("nodes", "new"), ABSENT)


def test_bodies_are_merged_node_by_node() -> None:
    def loop(*nodes: JSON) -> Definition:
        return of(START, Node(id="loop", kind="loop", config={"body": {"nodes": list(nodes), "edges": []}}), edges=())

    def say(name: str, message: str) -> JSON:
        return {"id": name, "kind": "log", "config": {"message": message}}

    base = loop(say("a", "1"), say("b", "1"))

    assert merged(base, loop(say("a", "2"), say("b", "1")), loop(say("a", "1"), say("b", "3"), say("c", "1"))) == loop(
        say("a", "2"), say("b", "3"), say("c", "1")
    )
    (conflict,) = merging(base, loop(say("a", "2"), say("b", "1")), loop(say("a", "3"), say("b", "1"))).conflicts
    assert conflict.path == ("nodes", "loop", "config", "body", "nodes", "a", "config", "message")


def test_cases_that_both_sides_order_anew_are_decided_by_a_person() -> None:
    def cases(*names: str) -> Definition:
        return configured(cases=[{"name": name} for name in names])

    base = cases("a", "b", "c")

    assert merged(base, cases("b", "a", "c"), cases("a", "b", "c", "d")) == cases("b", "a", "c", "d")
    (conflict,) = merging(base, cases("b", "a", "c"), cases("a", "c", "b")).conflicts
    assert conflict.path == ("nodes", "price", "config", "cases")
