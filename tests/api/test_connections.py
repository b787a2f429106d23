"""Connections through the API: who may do what, what is kept, what is refused, and that no secret ever comes back."""

import json
from typing import Any

import httpx
import pytest

from db.connections import EnginePool
from domain.access import Role
from domain.ids import ConnectionId, decode
from tests.api.application import Application, Caller, new_caller
from tests.api.operations import ERRORS

FIELDS = "id name type settings secretsSet revision"
CREATE = f"""mutation ($input: ConnectionCreateInput!) {{
  connectionCreate(input: $input) {{ connection {{ {FIELDS} }} {ERRORS} }}
}}"""
UPDATE = f"""mutation ($id: ID!, $input: ConnectionUpdateInput!, $revision: Int) {{
  connectionUpdate(id: $id, input: $input, expectedRevision: $revision) {{
    connection {{ {FIELDS} }} {ERRORS[:-1]} ... on ConflictError {{ currentRevision }} }}
  }}
}}"""
DELETE = f"mutation ($id: ID!) {{ connectionDelete(id: $id) {{ connection {{ {FIELDS} }} {ERRORS} }} }}"
LIST = f"""query ($first: Int, $after: String, $last: Int, $before: String, $filter: ConnectionFilter) {{
  connections(first: $first, after: $after, last: $last, before: $before, filter: $filter) {{
    nodes {{ {FIELDS} }} totalCount pageInfo {{ hasNextPage hasPreviousPage endCursor startCursor }}
  }}
}}"""
MAIL = {
    "name": "Mail",
    "type": "smtp",
    "settings": {"host": "mail.example.com", "username": "shop"},
    "secrets": {"password": "hunter2-is-secret"},
}
WRITERS = frozenset({Role.ADMIN, Role.DEVELOPER})


async def created(caller: Caller, **given: Any) -> Any:
    answer = await caller.data(CREATE, input=MAIL | given)
    assert answer["connectionCreate"]["errors"] == []
    return answer["connectionCreate"]["connection"]


async def refused(caller: Caller, **given: Any) -> Any:
    """The one error of a creation."""
    answer = await caller.data(CREATE, input=MAIL | given)
    assert answer["connectionCreate"]["connection"] is None
    (error,) = answer["connectionCreate"]["errors"]
    return error


async def updated(caller: Caller, id: str, revision: int | None = None, **given: Any) -> Any:
    """The payload."""
    return (await caller.data(UPDATE, id=id, input=given, revision=revision))["connectionUpdate"]


async def stored(api: Application, caller: Caller, id: str) -> Any:
    """As a step would get it."""
    return await api.services.connections(caller.tenant.id).get(id)


async def test_a_connection_is_made_found_and_listed_and_its_secrets_are_in_no_answer(
    api: Application, developer: Caller
) -> None:
    made = await created(developer)

    found = await developer.data(
        f"""query ($id: ID!) {{
          byId: connection(id: $id) {{ {FIELDS} }} byName: connection(name: "Mail") {{ {FIELDS} }}
          node(id: $id) {{ ... on Connection {{ {FIELDS} }} }}
          connections {{ nodes {{ {FIELDS} }} }}
        }}""",
        id=made["id"],
    )

    assert made == {
        "id": made["id"],
        "name": "Mail",
        "type": "smtp",
        "settings": {"host": "mail.example.com", "port": 587, "tls": "starttls", "username": "shop"},
        "secretsSet": ["password"],
        "revision": 1,
    }
    assert found == {"byId": made, "byName": made, "node": made, "connections": {"nodes": [made]}}
    assert (await stored(api, developer, "Mail")).secrets == MAIL["secrets"]


async def test_no_operation_ever_answers_with_a_secret(developer: Caller) -> None:
    made = await created(developer)
    asked = [
        await developer.ask(CREATE, input=MAIL),
        await developer.ask(CREATE, input=MAIL | {"name": "Other", "type": "nothing"}),
        await developer.ask(CREATE, input=MAIL | {"name": "Other", "secrets": {"pass": "hunter2-is-secret"}}),
        await developer.ask(CREATE, input=MAIL | {"name": "Other", "secrets": {"password": ["hunter2-is-secret"]}}),
        await developer.ask(CREATE, input=MAIL | {"name": "Other", "secrets": "hunter2-is-secret"}),
        await developer.ask(UPDATE, id=made["id"], input={"secrets": {"password": "hunter2-is-secret\n"}}),
        await developer.ask(UPDATE, id=made["id"], input={"secrets": {"password": "hunter2-is-secret"}}, revision=7),
        await developer.ask(UPDATE, id=made["id"], input={"secrets": {"password": "hunter2-is-secret"}}),
        await developer.ask(LIST),
        await developer.ask(DELETE, id=made["id"]),
    ]

    assert all("hunter2" not in json.dumps(answer) for answer in asked)


async def test_an_update_keeps_the_secrets_it_does_not_name_and_null_removes_one(
    api: Application, developer: Caller
) -> None:
    made = await created(developer, type="custom", settings={"a": 1}, secrets={"one": "1", "two": "2", "three": "3"})

    payload = await updated(developer, made["id"], name="New", secrets={"two": "second", "three": None, "four": None})

    assert payload == {
        "connection": {**made, "name": "New", "secretsSet": ["one", "two"], "revision": 2},
        "errors": [],
    }
    assert (await stored(api, developer, "New")).secrets == {"one": "1", "two": "second"}


async def test_an_update_that_changes_nothing_is_no_new_revision(developer: Caller) -> None:
    made = await created(developer)

    assert (await updated(developer, made["id"], name="Mail"))["connection"] == made


async def test_a_stale_revision_is_refused_with_the_current_one_and_changes_nothing(
    api: Application, developer: Caller
) -> None:
    made = await created(developer)
    await updated(developer, made["id"], 1, name="Second")

    payload = await updated(developer, made["id"], 1, name="Third", secrets={"password": "changed"})

    assert payload["connection"] is None
    (error,) = payload["errors"]
    assert (error["__typename"], error["currentRevision"], error["path"]) == ("ConflictError", 2, ["expectedRevision"])
    assert (await stored(api, developer, made["id"])).name == "Second"
    assert (await stored(api, developer, made["id"])).secrets == MAIL["secrets"]


async def test_a_removed_secret_that_the_settings_need_is_missed(developer: Caller) -> None:
    made = await created(
        developer, type="http", settings={"baseUrl": "https://x.example", "auth": "bearer"}, secrets={"token": "t"}
    )

    payload = await updated(developer, made["id"], secrets={"token": None})

    (error,) = payload["errors"]
    assert (error["__typename"], error["path"]) == ("ValidationError", ["secrets", "token"])
    assert error["remedy"] == "Set the secret token."


async def test_a_deleted_connection_is_gone_and_its_name_free(developer: Caller) -> None:
    made = await created(developer)

    deleted = await developer.data(DELETE, id=made["id"])
    again = await developer.data(DELETE, id=made["id"])
    found = await developer.data("query ($id: ID!) { connection(id: $id) { id } node(id: $id) { id } }", id=made["id"])

    assert deleted["connectionDelete"]["connection"] == {**made, "secretsSet": [], "revision": 2}
    assert [error["code"] for error in again["connectionDelete"]["errors"]] == ["NOT_FOUND"]
    assert found == {"connection": None, "node": None}
    assert (await created(developer))["id"] != made["id"]


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ({"name": " "}, ["name"]),
        ({"name": "connection_x"}, ["name"]),
        ({"type": "smpt"}, ["type"]),
        ({"settings": {}}, ["settings", "host"]),
        ({"settings": []}, ["settings"]),
        ({"settings": {"host": "h", "port": 99_999}}, ["settings", "port"]),
        ({"secrets": {"password": 1}}, ["secrets", "password"]),
        ({"secrets": {"token": "x"}}, ["secrets", "token"]),
        ({"secrets": [1]}, ["secrets"]),
    ],
)
async def test_what_is_wrong_with_a_new_one_is_told_at_its_field(
    developer: Caller, given: dict[str, Any], path: list[str]
) -> None:
    error = await refused(developer, **given)

    assert (error["__typename"], error["path"]) == ("ValidationError", path)
    assert (await developer.data(LIST))["connections"]["totalCount"] == 0


async def test_all_findings_come_at_once(developer: Caller) -> None:
    answer = await developer.data(
        """mutation ($input: ConnectionCreateInput!) { connectionCreate(input: $input) {
          errors { ... on ValidationError { findings { code path remedy } } } } }""",
        input={"name": "X", "type": "smtp", "settings": {"hots": "x"}, "secrets": {"pasword": "x"}},
    )

    (error,) = answer["connectionCreate"]["errors"]
    assert [(each["code"], each["path"]) for each in error["findings"]] == [
        ("MISSING", ["settings", "host"]),
        ("UNKNOWN_KEY", ["settings", "hots"]),
        ("UNKNOWN_KEY", ["secrets", "pasword"]),
    ]


async def test_a_name_is_taken_once_in_a_tenant(developer: Caller, stranger: Caller) -> None:
    await created(developer)

    assert (await refused(developer))["__typename"] == "ConflictError"
    assert (await created(stranger))["name"] == "Mail"


async def test_another_tenants_connection_answers_as_a_missing_one(
    api: Application, developer: Caller, stranger: Caller
) -> None:
    made = await created(developer)
    query = (
        'query ($id: ID!) { connection(id: $id) { id } node(id: $id) { id } named: connection(name: "Mail") { id } }'
    )
    test = f"mutation ($id: ID!) {{ connectionTest(id: $id) {{ result {{ ok }} {ERRORS} }} }}"

    found = await stranger.data(query, id=made["id"])
    payloads = [
        await updated(stranger, made["id"], name="Mine", secrets={"password": None}),
        (await stranger.data(DELETE, id=made["id"]))["connectionDelete"],
        (await stranger.data(test, id=made["id"]))["connectionTest"],
    ]

    assert found == {"connection": None, "node": None, "named": None}
    for payload in payloads:
        (error,) = payload["errors"]
        assert (error["code"], error["message"]) == ("NOT_FOUND", f"There is no connection {made['id']}")
    assert (await stored(api, developer, made["id"])).secrets == MAIL["secrets"]


@pytest.mark.parametrize("role", list(Role))
async def test_who_may_not_change_connections_sees_names_and_no_settings(
    engine_pool: EnginePool, http: httpx.AsyncClient, developer: Caller, role: Role
) -> None:
    made = await created(developer)
    caller = await new_caller(engine_pool, http, developer.tenant, role)

    found = await caller.data(LIST)

    expected = made if role in WRITERS else {**made, "settings": None}
    assert found["connections"]["nodes"] == [expected]


@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize(
    "mutation",
    [
        'connectionCreate(input: {name: "New", type: "custom", settings: {}})',
        'connectionUpdate(id: $id, input: {name: "Changed", secrets: {password: "other"}})',
        "connectionDelete(id: $id)",
        "connectionTest(id: $id)",
    ],
)
async def test_a_mutation_is_done_for_those_who_write_and_changes_nothing_for_others(
    api: Application,
    engine_pool: EnginePool,
    http: httpx.AsyncClient,
    developer: Caller,
    role: Role,
    mutation: str,
) -> None:
    made = await created(developer, settings={"host": "127.0.0.1", "port": 1})
    before = (await developer.data(LIST), await stored(api, developer, made["id"]))
    caller = await new_caller(engine_pool, http, developer.tenant, role)
    variables = {"id": made["id"]} if "$id" in mutation else {}
    declared = "($id: ID!)" if variables else ""

    answer = await caller.data(f"mutation {declared} {{ it: {mutation} {{ errors {{ code }} }} }}", **variables)

    assert answer["it"]["errors"] == ([] if role in WRITERS else [{"code": "FORBIDDEN"}])
    if role not in WRITERS:
        assert (await developer.data(LIST), await stored(api, developer, made["id"])) == before


async def test_lists_go_on_by_cursor_and_filter_by_name_and_type(developer: Caller) -> None:
    for name, type in (("b", "custom"), ("a", "custom"), ("c", "openai")):
        await created(developer, name=name, type=type, settings={}, secrets={})

    first = (await developer.data(LIST, first=2))["connections"]
    rest = (await developer.data(LIST, first=2, after=first["pageInfo"]["endCursor"]))["connections"]
    back = (await developer.data(LIST, last=1, before=rest["pageInfo"]["startCursor"]))["connections"]
    custom = (await developer.data(LIST, filter={"types": ["custom"], "search": "A"}))["connections"]
    other = await developer.ask(LIST, first=1, after=first["pageInfo"]["endCursor"], filter={"types": ["custom"]})

    names = [[node["name"] for node in page["nodes"]] for page in (first, rest, back, custom)]
    assert names == [["a", "b"], ["c"], ["b"], ["a"]]
    assert [page["totalCount"] for page in (first, custom)] == [3, 1]
    assert [page["pageInfo"]["hasNextPage"] for page in (first, rest)] == [True, False]
    assert other["errors"][0]["extensions"]["code"] == "VALIDATION"


async def test_the_types_say_what_they_are_made_of(developer: Caller) -> None:
    answer = await developer.data(
        "{ connectionTypes { name title description documentation settingsSchema secrets { name description } } }"
    )

    types = {each["name"]: each for each in answer["connectionTypes"]}
    assert list(types) == ["smtp", "postgresql", "mysql", "sqlite", "http", "openai", "custom"]
    assert types["smtp"]["settingsSchema"]["required"] == ["host"]
    assert types["http"]["secrets"][0] == {"name": "password", "description": "For basic."}


async def test_a_connection_is_tried_out_for_real(developer: Caller) -> None:
    made = await created(developer, settings={"host": "127.0.0.1", "port": 1, "tls": "none"})

    answer = await developer.data(
        f"mutation ($id: ID!) {{ connectionTest(id: $id) {{ result {{ ok message remedy durationMs }} {ERRORS} }} }}",
        id=made["id"],
    )

    payload = answer["connectionTest"]
    duration = payload["result"].pop("durationMs")
    assert payload["errors"] == []
    assert payload["result"]["ok"] is False
    assert payload["result"]["message"].startswith("No connection: 127.0.0.1:1 takes no connection")
    assert 0 < duration < 10_000


async def test_ids_of_other_kinds_and_texts_that_cannot_be_stored_are_told(developer: Caller) -> None:
    wrong = [
        await developer.ask('{ connection(id: "workflow_00000000000000000000000000") { id } }'),
        await developer.ask('{ connection(name: "a\\u0000") { id } }'),
        await developer.ask("{ connection { id } }"),
        await developer.ask(LIST, filter={"search": "x" * 2_000}),
    ]

    codes = [answer["errors"][0]["extensions"]["code"] for answer in wrong]
    assert codes == ["INVALID_ID", "VALIDATION", "VALIDATION", "VALIDATION"]


def test_the_id_of_a_connection_names_its_kind() -> None:
    assert ConnectionId(decode("connection", "connection_00000000000000000000000001")).int == 1
