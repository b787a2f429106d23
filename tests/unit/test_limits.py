"""What an operation may be: its form, its cost, and what is told when it is too much."""

import time
from dataclasses import dataclass, replace
from typing import Any

import pytest
import strawberry
from graphql import get_introspection_query
from strawberry.types import ExecutionResult

from schema.limits import Limits
from schema.negotiation import Answer, negotiate
from schema.payloads import encoded
from schema.protection import ProtectedSchema

CALLS: list[str] = []


@strawberry.interface
class Node:
    id: strawberry.ID


@strawberry.type
class Run(Node):
    @strawberry.field
    def workflow(self) -> "Workflow":
        return Workflow(id=self.id)

    @strawberry.field
    def steps(self) -> list["Run"]:
        return []


@strawberry.type
class Edge:
    cursor: str
    node: Run


@strawberry.type
class PageInfo:
    has_next_page: bool = False


@strawberry.type
class RunConnection:
    edges: list[Edge]
    nodes: list[Run]
    page_info: PageInfo


@strawberry.type
class Workflow(Node):
    name: str = "w"

    @strawberry.field
    def parent(self) -> "Workflow":
        return self

    @strawberry.field
    def runs(self, first: int | None = None, last: int | None = None) -> RunConnection:
        return RunConnection(edges=[], nodes=[], page_info=PageInfo())


@strawberry.type
class Query:
    @strawberry.field
    def workflow(self) -> Workflow:
        CALLS.append("workflow")
        return Workflow(id=strawberry.ID("w"))

    @strawberry.field
    def workflows(self, first: int = 20) -> list[Workflow]:
        return []

    @strawberry.field
    def node(self) -> Node | None:
        return None

    @strawberry.field
    def nodes(self, ids: list[strawberry.ID]) -> list[Node | None]:
        return []


@dataclass
class Caller:
    may_introspect: bool = True

    def renewed(self) -> "Caller":
        return self


LIMITS = Limits()
SCHEMA = ProtectedSchema(Query, types=[Workflow, Run], limits=LIMITS)


async def run(
    query: str, *, limits: Limits | None = None, name: str | None = None, **variables: Any
) -> ExecutionResult:
    schema = SCHEMA if limits is None else ProtectedSchema(Query, types=[Workflow, Run], limits=limits)
    return await schema.execute(query, variable_values=variables or None, operation_name=name, context_value=Caller())


async def cost(query: str, *, name: str | None = None, variables: dict[str, Any] | None = None) -> int:
    result = await run(query, limits=replace(LIMITS, cost=10**30), name=name, **(variables or {}))
    assert result.errors is None
    assert result.extensions is not None
    return result.extensions["cost"]["requested"]


def told(result: ExecutionResult) -> list[tuple[str, Any]]:
    """The code and the rest of each error's extensions but its remedy; there must be no data."""
    assert result.data is None
    found: list[tuple[str, Any]] = []
    for error in result.errors or []:
        rest = dict(error.extensions or {})
        rest.pop("remedy", None)
        found.append((rest.pop("code"), rest))
    return found


def too_complex(limit: str, requested: int, maximum: int) -> list[tuple[str, Any]]:
    return [("QUERY_TOO_COMPLEX", {"limit": limit, "requested": requested, "maximum": maximum})]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("{ __typename }", 0),
        ("{ workflow { id name } }", 1),
        ("{ workflow { parent { parent { id } } } }", 3),
        # a list without a size: ten; with a default or a size: that many
        ("{ node { ... on Run { steps { id } } } }", 1 + 10),
        ("{ workflows { id } }", 20),
        ("{ workflows(first: 3) { id parent { id } } }", 3 * 2),
        ("{ workflows(first: 0) { id } }", 0),
        ("{ nodes(ids: [1, 2, 3]) { id } }", 3),
        # a connection: itself, then its edges or nodes as often as its page is long
        ("{ workflow { runs(first: 5) { nodes { id } } } }", 1 + 1 + 5),
        ("{ workflow { runs(first: 5) { edges { node { id } } pageInfo { hasNextPage } } } }", 1 + 1 + 5 * 2 + 1),
        ("{ workflow { runs(last: 5) { nodes { id } } } }", 1 + 1 + 5),
        ("{ workflow { runs { nodes { id } } } }", 1 + 1 + 10),
        ("{ workflow { runs(first: null) { nodes { id } } } }", 1 + 1 + 10),
        ("{ workflows(first: 10) { runs(first: 10) { nodes { steps { id } } } } }", 10 * (1 + 1 + 10 * (1 + 10))),
        # the dearest of the branches that exclude each other
        ("{ node { ... on Workflow { parent { id } } ... on Run { steps { id } } } }", 1 + 10),
        ("{ node { id ... on Node { ... on Run { steps { id } } } ... on Workflow { parent { id } } } }", 1 + 10 + 1),
        # an alias is a field more, and so is a field written twice
        ("{ a: workflow { id } b: workflow { id } workflow { id } workflow { name } }", 4),
        ("{ __schema { types { fields { name } } } workflow { id } }", 101),
    ],
)
async def test_an_object_costs_one_and_a_list_as_often_as_it_is_long(query: str, expected: int) -> None:
    assert await cost(query) == expected


async def test_fragments_hide_nothing_from_the_cost() -> None:
    plain = "{ workflow { runs(first: 7) { nodes { steps { id } } } } }"
    spread = """
        query { ...a }
        fragment a on Query { workflow { runs(first: 7) { ...b } } }
        fragment b on RunConnection { ... { ...c } }
        fragment c on RunConnection { nodes { ...d } }
        fragment d on Node { ... on Run { steps { id } } }
    """
    assert await cost(plain) == await cost(spread) == 1 + 1 + 7 * (1 + 10)


async def test_one_fragment_costs_by_the_page_in_which_it_is_spread() -> None:
    query = """
        { workflow { a: runs(first: 2) { ...f } b: runs(first: 30) { ...f } } }
        fragment f on RunConnection { nodes { id } }
    """
    assert await cost(query) == 1 + (1 + 2) + (1 + 30)


@pytest.mark.parametrize(
    ("variables", "expected"),
    [({"n": 4}, 4), ({"n": 0}, 0), ({}, 7), ({"n": 9, "unused": 5}, 9)],
)
async def test_page_sizes_in_variables_count_and_so_do_their_defaults(variables: dict[str, int], expected: int) -> None:
    assert await cost("query ($n: Int! = 7) { workflows(first: $n) { id } }", variables=variables) == expected


async def test_ids_in_a_variable_count_by_their_number() -> None:
    query = "query ($ids: [ID!]!) { nodes(ids: $ids) { id } }"
    assert [await cost(query, variables={"ids": ["a"] * number}) for number in (1, 3, 1)] == [1, 3, 1]


async def test_only_the_operation_that_runs_is_priced() -> None:
    query = "query A { workflow { id } } query B { workflows(first: 50) { id } }"
    assert [await cost(query, name="A"), await cost(query, name="B")] == [1, 50]


async def test_what_is_too_costly_is_refused_before_it_runs_and_told_by_how_much() -> None:
    CALLS.clear()
    result = await run("query ($n: Int!) { workflow { id } workflows(first: $n) { id } }", n=10_000)
    assert told(result) == [("QUERY_TOO_COSTLY", {"cost": {"requested": 10_001, "maximum": 10_000}})]
    assert CALLS == []


async def test_what_is_just_affordable_runs() -> None:
    result = await run("{ workflows(first: 10000) { id } }")
    assert (result.errors, result.extensions) == (None, {"cost": {"requested": 10_000, "maximum": 10_000}})


async def test_an_unnamed_huge_page_size_is_no_way_around() -> None:
    query = "query ($n: Int) { workflow { runs(last: $n) { nodes { id } } } }"
    assert told(await run(query, n=2**31 - 1)) == [
        ("QUERY_TOO_COSTLY", {"cost": {"requested": 2**31 + 1, "maximum": 10_000}})
    ]


@pytest.mark.parametrize(
    ("query", "limit", "requested", "maximum"),
    [
        ("{ workflow " + "{ parent " * 15 + "{ id }" + "}" * 15 + "}", "depth", 17, 16),
        ("{" + "".join(f"a{number}: __typename " for number in range(51)) + "}", "root_fields", 51, 50),
        ("{" + "__typename " * 51 + "}", "root_fields", 51, 50),
        ("{ workflow {" + "".join(f"a{number}: id " for number in range(101)) + "} }", "aliases", 101, 100),
        ("{ __typename" + " @skip(if: false)" * 5 + "}", "directives_at_once", 5, 4),
        ("query" + " @aa" * 5 + "{ __typename }", "directives_at_once", 5, 4),
        ("query ($n: Int" + " @aa" * 5 + ") { workflows(first: $n) { id } }", "directives_at_once", 5, 4),
        ("{ workflow {" + "id @skip(if: false) " * 101 + "} }", "directives", 101, 100),
        ("{" + "... {" * 64 + "__typename" + "}" * 64 + "}", "nesting", 65, 64),
    ],
)
async def test_a_document_beyond_a_limit_is_refused_with_the_limit(
    query: str, limit: str, requested: int, maximum: int
) -> None:
    assert told(await run(query)) == too_complex(limit, requested, maximum)


async def test_fragments_count_wherever_they_are_spread() -> None:
    spread = (
        "{ workflow {"
        + "...f " * 11
        + "} } fragment f on Workflow {"
        + "".join(f"a{number}: name " for number in range(10))
        + "}"
    )
    assert told(await run(spread)) == too_complex("aliases", 110, 100)
    nested = "{ workflow { ...f } } fragment f on Workflow {" + "parent {" * 15 + "id" + "}" * 16
    assert told(await run(nested)) == too_complex("depth", 17, 16)


async def test_more_tokens_than_allowed_are_not_even_parsed() -> None:
    result = await run("{" + "id " * 2_000 + "}")
    assert [error.message for error in result.errors or []] == [
        "Syntax Error: Document contains more than 2000 tokens. Parsing aborted."
    ]
    assert told(result) == [("GRAPHQL_PARSE_FAILED", {})]


async def test_fragments_that_double_each_other_are_measured_in_no_time() -> None:
    count = 60
    doubling = "".join(
        f"fragment f{number} on Workflow {{ ...f{number + 1} ...f{number + 1} }} " for number in range(count)
    )
    query = f"{{ workflow {{ ...f0 }} }} {doubling} fragment f{count} on Workflow {{ a: name }}"
    begun = time.process_time()
    result = await run(query)
    assert time.process_time() - begun < 1
    assert told(result) == too_complex("aliases", 2**count, 100)


async def test_fragments_that_double_without_an_alias_are_priced_in_no_time() -> None:
    count = 25
    doubling = "".join(
        f"fragment f{number} on Workflow {{ ...f{number + 1} ...f{number + 1} }} " for number in range(count)
    )
    query = f"{{ workflow {{ ...f0 }} }} {doubling} fragment f{count} on Workflow {{ parent {{ id }} }}"
    begun = time.process_time()
    result = await run(query)
    assert time.process_time() - begun < 1
    assert told(result) == [("QUERY_TOO_COSTLY", {"cost": {"requested": 2**count + 1, "maximum": 10_000}})]


@pytest.mark.parametrize(
    "query",
    [
        "{ workflow { ...a } } fragment a on Workflow { parent { ...b } } fragment b on Workflow { parent { ...a } }",
        "{ workflow { ...a } } fragment a on Workflow { ...a }",
        "{ ...missing }",
    ],
)
async def test_fragments_that_spread_themselves_or_are_missing_are_refused_by_validation(query: str) -> None:
    assert {code for code, _ in told(await run(query))} == {"GRAPHQL_VALIDATION_FAILED"}


async def test_a_long_chain_of_fragments_is_refused() -> None:
    chain = "".join(f"fragment f{number} on Query {{ ...f{number + 1} }} " for number in range(240))
    result = await run(f"{{ ...f0 }} {chain} fragment f240 on Query {{ __typename }}")
    assert [code for code, _ in told(result)] == ["QUERY_TOO_COMPLEX"]


async def test_the_introspection_of_graphiql_fits_every_limit() -> None:
    result = await run(get_introspection_query(input_value_deprecation=True, type_depth=9))
    assert (result.errors, result.extensions) == (None, {"cost": {"requested": 100, "maximum": 10_000}})


async def test_introspection_that_goes_in_circles_is_refused() -> None:
    circle = "{ __schema { types { fields { type { fields { type { fields { type { fields { name } } } } } } } } } }"
    result = await run(circle)
    assert [error.message for error in result.errors or []] == ["Maximum introspection depth exceeded"]


async def test_a_refusal_names_no_neighbour_of_a_misspelt_name() -> None:
    result = await run("query ($n: Int) { workflow { nam runs(frst: $n) { nodes { id } } } }")
    assert [error.message for error in result.errors or []] == [
        "Cannot query field 'nam' on type 'Workflow'.",
        "Unknown argument 'frst' on field 'Workflow.runs'.",
    ]


async def test_a_refused_document_is_refused_every_time() -> None:
    query = "{ workflow { nothing } }"
    assert told(await run(query)) == told(await run(query)) == [("GRAPHQL_VALIDATION_FAILED", {})]


@pytest.mark.parametrize(
    ("accept", "answer"),
    [
        (None, Answer(single="application/json", stream=False, prefers_stream=False)),
        ("text/*", Answer(single=None, stream=False, prefers_stream=False)),
        ("text/event-stream;q=0", Answer(single=None, stream=False, prefers_stream=False)),
        ("*/*;q=0", Answer(single=None, stream=False, prefers_stream=False)),
        (
            "text/event-stream, */*;q=0.1",
            Answer(single="application/json", stream=True, prefers_stream=True),
        ),
        (
            "application/json, text/event-stream",
            Answer(single="application/json", stream=True, prefers_stream=False),
        ),
    ],
)
def test_an_accept_header_is_weighed(accept: str | None, answer: Answer) -> None:
    assert negotiate(accept) == answer


def test_json_that_the_fast_encoder_refuses_is_written_all_the_same() -> None:
    assert encoded({"n": 2**70, "s": "\ud800"}) == b'{"n":1180591620717411303424,"s":"\\ud800"}'
