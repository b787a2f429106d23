"""The checks that graphql-cop makes, and a few of their kin, asked of the whole API: nothing is open.

Each is asked by a stranger, who gets nothing at all, and by a developer with every right a tenant's key can have.
"""

import json
from typing import Any

import httpx
import pytest

from app import graphiql
from domain.access import Permission, Role
from domain.tenancy import Tenant
from schema.endpoint import GraphQLEndpoint
from schema.limits import Limits
from schema.root import build_schema
from tests.api.application import Application, Caller, new_caller
from tests.api.operations import CREATE

JSON_TYPE = "application/json"
BROWSER = "text/html,application/xhtml+xml,*/*;q=0.8"
INTROSPECTION = "{ __schema { types { name fields { name } } } }"
CIRCLES = (
    "query cop { __schema { types { fields { type { fields { type { fields { type { fields { type { name } }"
    " } } } } } } } } }"
)
ALIASES = f"query cop {{ {' '.join(f'alias{number}:__typename' for number in range(101))} }}"
DIRECTIVES = f"query cop {{ __typename {'@aa' * 10} }}"
DUPLICATES = f"query cop {{ {'__typename ' * 500} }}"
DEEP_DUPLICATES = f"query cop {{ viewer {{ {'__typename ' * 3000} }} }}"
BATCH = json.dumps([{"query": "query cop { __typename }"}] * 10)


async def post(caller: Caller, query: str, **more: Any) -> httpx.Response:
    return await caller.http.post("/graphql", json={"query": query, **more}, headers=signed(caller))


def signed(caller: Caller, **more: str) -> dict[str, str]:
    return {"X-API-Key": caller.key, "Accept": "application/graphql-response+json, application/json", **more}


def codes(answer: httpx.Response) -> list[str]:
    return [error["extensions"]["code"] for error in answer.json()["errors"]]


@pytest.mark.parametrize(
    "body",
    [
        *({"query": query} for query in ("{ __typename }", INTROSPECTION, CIRCLES, ALIASES, DIRECTIVES, DUPLICATES)),
        *({"query": query} for query in ("{ nothing }", "mutation { nothing }", "{", "", "subscription { nothing }")),
    ],
)
async def test_a_stranger_learns_nothing(http: httpx.AsyncClient, body: dict[str, str]) -> None:
    answer = await http.post("/graphql", json=body)

    assert (answer.status_code, codes(answer)) == (401, ["UNAUTHENTICATED"])
    assert set(answer.json()) == {"errors"}


@pytest.mark.parametrize("query", [ALIASES, DUPLICATES])
async def test_alias_overloading_and_field_duplication_are_refused(developer: Caller, query: str) -> None:
    answer = await post(developer, query)

    assert (answer.status_code, set(codes(answer))) == (400, {"QUERY_TOO_COMPLEX"})
    assert "data" not in answer.json()


async def test_field_duplication_below_the_root_is_not_even_parsed(developer: Caller) -> None:
    answer = await post(developer, DEEP_DUPLICATES)

    assert (answer.status_code, codes(answer)) == (400, ["GRAPHQL_PARSE_FAILED"])


async def test_an_array_is_no_batch(developer: Caller) -> None:
    answer = await developer.http.post(
        "/graphql", content=BATCH, headers={**signed(developer), "Content-Type": JSON_TYPE}
    )

    assert (answer.status_code, codes(answer)) == (400, ["BAD_REQUEST"])
    assert answer.json()["errors"][0]["message"].startswith("Batches are not supported")


async def test_directive_overloading_is_answered_with_one_error(developer: Caller) -> None:
    assert codes(await post(developer, DIRECTIVES)) == ["QUERY_TOO_COMPLEX"]


async def test_introspection_does_not_go_in_circles(developer: Caller) -> None:
    answer = await post(developer, CIRCLES)

    assert answer.status_code == 400
    assert "Maximum introspection depth exceeded" in answer.text


@pytest.mark.parametrize("query", ["{ viewe { id } }", "{ viewer { tenan { id } } }", "mutation { workflowCreat }"])
async def test_a_misspelt_field_is_not_corrected(developer: Caller, query: str) -> None:
    answer = await post(developer, query)

    assert (answer.status_code, "Did you mean" in answer.text, "data" in answer.json()) == (400, False, False)


async def test_a_get_changes_nothing(developer: Caller) -> None:
    variables = json.dumps({"input": {"name": "By a link", "graph": {"nodes": [], "edges": []}}})
    answer = await developer.http.get(
        "/graphql", params={"query": CREATE, "variables": variables}, headers=signed(developer)
    )
    found = await developer.data("{ workflows { edges { node { name } } } }")

    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
    assert found == {"workflows": {"edges": []}}


async def test_a_get_query_needs_a_header_that_no_link_or_form_of_another_site_can_send(developer: Caller) -> None:
    parameters = {"query": "query cop { __typename }", "authorization": developer.key, "x-api-key": developer.key}
    linked = await developer.http.get("/graphql", params=parameters, headers={"Cookie": f"x-api-key={developer.key}"})
    asked = await developer.http.get("/graphql", params=parameters, headers=signed(developer))

    assert (linked.status_code, asked.status_code) == (401, 200)


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        ("application/x-www-form-urlencoded", b"query=query+cop+%7B+__typename+%7D"),
        ("text/plain", b'{"query": "{ __typename }"}'),
        ("multipart/form-data; boundary=x", b'--x\r\ncontent-disposition: form-data; name="query"\r\n\r\n{a}\r\n--x--'),
        ("application/graphql", b"{ __typename }"),
        ("", b'{"query": "{ __typename }"}'),
    ],
)
async def test_a_body_that_a_form_of_another_site_can_send_is_refused(
    developer: Caller, kind: str, content: bytes
) -> None:
    answer = await developer.http.post("/graphql", content=content, headers={**signed(developer), "Content-Type": kind})

    assert (answer.status_code, codes(answer)) == (415, ["UNSUPPORTED_MEDIA_TYPE"])


async def test_no_tracing_is_told(developer: Caller) -> None:
    for asked in ({}, {"extensions": {"tracing": True}}):
        answer = await post(developer, "query cop { __typename }", **asked)
        assert set(answer.json().get("extensions", {})) <= {"cost"}


@pytest.mark.parametrize("path", ["/graphql", "/", "/graphiql", "/playground", "/console", "/altair"])
async def test_no_ide_is_shown_where_it_is_off(developer: Caller, path: str) -> None:
    answer = await developer.http.get(path, headers={"Accept": BROWSER})

    assert answer.status_code in (401, 404)
    assert "<html" not in answer.text.lower()


async def test_the_ide_is_shown_where_it_is_on(api: Application) -> None:
    """The same question, so that the one above can fail."""
    endpoint = GraphQLEndpoint(api.schema, api.authenticator, page=graphiql.page(graphiql.EXAMPLES))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(endpoint), base_url="http://weir.test") as browser:
        answer = await browser.get("/graphql", headers={"Accept": BROWSER})

    assert (answer.status_code, "graphiql" in answer.text) == (200, True)


@pytest.mark.parametrize(
    ("query", "variables"),
    [
        ("qwerty cop { abc }", None),
        ("{", None),
        ("\x00", None),
        ("{ __typename }", {"a": "\ud800"}),
        ("query ($id: ID!) { node(id: $id) { id } }", {"id": {"a": 1}}),
        ("query ($id: ID!) { node(id: $id) { id } }", {}),
        ("{ node(id: 1e400) { id } }", None),
        ("fragment a on Query { ...a } { ...a }", None),
        ("query a { __typename } query a { __typename }", None),
        ("{ __typename @skip }", None),
    ],
)
async def test_a_senseless_operation_is_no_internal_error(
    developer: Caller, query: str, variables: dict[str, Any] | None
) -> None:
    body = json.dumps({"query": query, "variables": variables})
    headers = {**signed(developer), "Content-Type": JSON_TYPE}
    answer = await developer.http.post("/graphql", content=body, headers=headers)

    assert answer.status_code in (200, 400)
    for error in answer.json().get("errors", []):
        assert error["extensions"]["code"] != "INTERNAL"
        assert not any(word in json.dumps(error) for word in ("Traceback", "site-packages", 'File "', "stacktrace"))


async def test_introspection_is_open_to_those_who_may_and_off_where_the_setting_says_so(
    api: Application, developer: Caller, acme: Tenant
) -> None:
    reader = await new_caller(api.pool, developer.http, acme, Role.DEVELOPER, scopes=(Permission.WORKFLOW_READ,))
    endpoint = GraphQLEndpoint(build_schema(introspection=False), api.authenticator)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(endpoint), base_url="http://weir.test") as closed:
        off = await closed.post("/graphql", json={"query": INTROSPECTION}, headers=signed(developer))
        asked = await post(developer, INTROSPECTION)
        denied = await post(reader, INTROSPECTION)

    assert [answer.status_code for answer in (asked, denied, off)] == [200, 400, 400]
    assert codes(denied) == codes(off) == ["INTROSPECTION_DENIED"]


async def test_an_operation_that_takes_too_long_is_broken_off(api: Application, developer: Caller) -> None:
    endpoint = GraphQLEndpoint(build_schema(Limits(query_seconds=0)), api.authenticator)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(endpoint), base_url="http://weir.test") as hurried:
        query = "{ workflows { edges { node { id } } } }"
        answer = await hurried.post("/graphql", json={"query": query}, headers=signed(developer))
        stream = await hurried.post(
            "/graphql", json={"query": query}, headers={**signed(developer), "Accept": "text/event-stream"}
        )

    assert codes(answer) == ["OPERATION_TIMEOUT"]
    assert "OPERATION_TIMEOUT" in stream.text


async def test_answers_are_kept_by_no_cache(developer: Caller) -> None:
    answer = await post(developer, "{ __typename }")

    assert answer.headers["cache-control"] == "no-store"
    assert "set-cookie" not in answer.headers
