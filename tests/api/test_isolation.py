"""Another tenant's objects: wherever an id or a name is taken, theirs answers to the byte as one of nothing.

A field that takes an id fails a test until somebody has decided which objects it means.
"""

import re
from collections.abc import Sequence
from typing import Any

import httpx
import pytest
import uuid_utils.compat as uuid

from domain.ids import PREFIXES
from tests.api.application import Application, Caller
from tests.api.id_places import ANY, PREFIX, asked_at
from tests.api.schema_words import Place, Question, places
from tests.api.whole_world import World, missing, new_world, rows

ALL = [place for operation in ("Query", "Mutation", "Subscription") for place in places(operation)]
QUERIED = [place for place in ALL if place.operation == "Query" and place.coordinate not in ANY]
MUTATED = [place for place in ALL if place.operation == "Mutation"]
NOWHERE_ELSE = frozenset({"Mutation.executionsMigrate(after:)", "DeadLetterFilter.workflowId"})
"""What only chooses among the tenant's own: nothing of that id is looked for."""


@pytest.fixture(scope="module")
async def ours(api: Application, http: httpx.AsyncClient) -> World:
    return await new_world(api, http)


@pytest.fixture(scope="module")
async def theirs(api: Application, http: httpx.AsyncClient) -> World:
    return await new_world(api, http)


async def answer(caller: Caller, asked: Question, hidden: str) -> str:
    """The body as it came over the wire, with the id or name that was asked for blotted out."""
    response = await caller.http.post(
        "/graphql",
        json={"query": asked.text, "variables": asked.variables},
        headers={"X-API-Key": caller.key, "Accept": "application/graphql-response+json"},
    )
    assert "GRAPHQL_VALIDATION_FAILED" not in response.text, response.text
    return response.text.replace(hidden, "…")


def _mutation(field: str) -> str:
    declared = ["$name: String!", *(f"${each}: ID!" for each in ("workflow", "task") if f"${each}" in field)]
    return f"mutation ({', '.join(declared)}) {{ it: {field} {{ errors {{ message code path remedy }} }} }}"


def codes(body: str) -> Sequence[str]:
    return re.findall(r'"code":"([A-Z_]+)"', body)


def test_it_has_been_decided_which_objects_every_id_names() -> None:
    assert {place.coordinate for place in ALL} == PREFIX.keys() | ANY


@pytest.mark.parametrize("place", QUERIED, ids=str)
async def test_a_query_answers_another_tenants_id_as_one_of_nothing(ours: World, theirs: World, place: Place) -> None:
    prefix = PREFIX[place.coordinate]
    own, foreign, none = ours.ids[prefix], theirs.ids[prefix], missing(prefix)

    about_theirs = await answer(ours.person, asked_at(place, ours.ids, foreign), foreign)
    about_nothing = await answer(ours.person, asked_at(place, ours.ids, none), none)
    about_ours = await answer(ours.person, asked_at(place, ours.ids, own), own)

    assert about_theirs == about_nothing != about_ours


@pytest.mark.parametrize("place", MUTATED, ids=str)
async def test_a_mutation_answers_another_tenants_id_as_one_of_nothing_and_changes_nothing(
    api: Application, ours: World, theirs: World, place: Place
) -> None:
    prefix = PREFIX[place.coordinate]
    foreign, none = theirs.ids[prefix], missing(prefix)
    before = [await rows(api.pool, world.tenant) for world in (ours, theirs)]

    about_theirs = await answer(ours.person, asked_at(place, ours.ids, foreign), foreign)
    about_nothing = await answer(ours.person, asked_at(place, ours.ids, none), none)

    assert about_theirs == about_nothing
    assert codes(about_theirs) == ([] if place.coordinate in NOWHERE_ELSE else ["NOT_FOUND"])
    assert [await rows(api.pool, world.tenant) for world in (ours, theirs)] == before


@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize("field", ["node", "nodes"])
async def test_another_tenants_object_is_no_node(ours: World, theirs: World, field: str, prefix: str) -> None:
    (place,) = (each for each in ALL if each.field == field)
    foreign, none = theirs.ids[prefix], missing(prefix)

    about_theirs = await answer(ours.person, asked_at(place, ours.ids, foreign), foreign)
    about_nothing = await answer(ours.person, asked_at(place, ours.ids, none), none)

    assert about_theirs == about_nothing


async def test_the_events_of_another_tenants_execution_are_those_of_nothing(
    api: Application, ours: World, theirs: World
) -> None:
    (place,) = (each for each in ALL if each.field == "executionEvents")

    async def told(execution_id: str) -> str:
        asked = asked_at(place, ours.ids, execution_id)
        context = await api.context(ours.person.key)
        frames: Any = await api.schema.subscribe(
            asked.text, variable_values=dict(asked.variables), context_value=context
        )
        return str([[error.formatted for error in frame.errors] async for frame in frames]).replace(execution_id, "…")

    about_theirs = await told(theirs.ids["execution"])

    assert about_theirs == await told(missing("execution"))
    assert "NOT_FOUND" in about_theirs


NAMED = [
    ("workflow", "query ($name: String!) { it: workflow(name: $name) { id } }"),
    ("stream", "query ($name: String!) { it: stream(name: $name) { id } }"),
    ("connection", "query ($name: String!) { it: connection(name: $name) { id } }"),
    ("environment", _mutation("environmentUpdate(name: $name, input: {variables: {a: 1}})")),
    ("environment", _mutation("environmentReorder(names: [$name])")),
    ("environment", _mutation("environmentDelete(name: $name)")),
    ("environment", _mutation("workflowPromote(id: $workflow, to: $name)")),
    ("environment", _mutation("workflowPromote(id: $workflow, from: $name, to: $name)")),
    ("environment", _mutation("executionStart(input: {workflowId: $workflow, environment: $name})")),
    (
        "environment",
        _mutation("splitStart(input: {workflowId: $workflow, version: 2, percent: 1, environment: $name})"),
    ),
    ("user", _mutation("taskDelegate(id: $task, to: $name)")),
    ("email", _mutation("taskDelegate(id: $task, to: $name)")),
]


@pytest.mark.parametrize(("what", "text"), NAMED)
async def test_what_is_named_is_the_tenants_own(
    api: Application, ours: World, theirs: World, what: str, text: str
) -> None:
    foreign = theirs.names[what]
    none = missing("user") if what == "user" else f"{uuid.uuid7().hex}@example.com"
    given = {each: ours.ids[each] for each in ("workflow", "task") if f"${each}:" in text}
    before = [await rows(api.pool, world.tenant) for world in (ours, theirs)]

    about_theirs = await answer(ours.person, Question(text=text, variables={"name": foreign, **given}), foreign)
    about_nothing = await answer(ours.person, Question(text=text, variables={"name": none, **given}), none)

    assert about_theirs == about_nothing
    assert [await rows(api.pool, world.tenant) for world in (ours, theirs)] == before


@pytest.mark.parametrize("place", [*QUERIED, *MUTATED], ids=str)
async def test_what_is_no_id_of_the_right_kind_is_refused(api: Application, ours: World, place: Place) -> None:
    before = await rows(api.pool, ours.tenant)
    wrong = ["", "\x00", "1", f"{PREFIX[place.coordinate]}_{'z' * 26}", missing("worker")]

    answers = [await answer(ours.person, asked_at(place, ours.ids, each), "…") for each in wrong]

    assert [codes(body) for body in answers] == [["INVALID_ID"]] * len(wrong)
    assert await rows(api.pool, ours.tenant) == before
