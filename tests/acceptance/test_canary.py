"""One unmistakable secret in every place that one can be, workflows that succeed and fail with it: it is nowhere."""

import json
from typing import Any, cast

import httpx
import pytest
from redis.asyncio import Redis

from domain.connection_types import TYPES
from tests.acceptance.canaries import (
    Search,
    overheard,
    quoting_mail_server,
    quoting_socket,
    repeat_everything,
    servers,
    spellings,
)
from tests.acceptance.commands import new_data_directory
from tests.acceptance.served import Api, served
from tests.unit.http_server import http_server

pytestmark = pytest.mark.acceptance

CANARY = 'kanarie-7Jq2/+&="w-vogel'
WRONG = "kanarie-falsch-51Xy-vogel"
SEEN = "this-may-be-seen-93"
"""No secret: where it is not found, the search is blind."""

CREATE = """mutation ($input: ConnectionCreateInput!) {
  connectionCreate(input: $input) { connection { id } errors { message path remedy } } }"""
UPDATE = """mutation ($id: ID!, $input: ConnectionUpdateInput!) {
  connectionUpdate(id: $id, input: $input) { connection { id secretsSet } errors { message path remedy } } }"""
TEST = "mutation ($id: ID!) { connectionTest(id: $id) { result { ok message remedy } errors { message } } }"
MAKE = """mutation ($input: WorkflowCreateInput!) {
  workflowCreate(input: $input) { workflow { id } errors { message path remedy } } }"""
PUBLISH = "mutation ($id: ID!) { workflowPublish(id: $id) { version { id } errors { message } } }"
START = """mutation ($id: ID!, $input: JSON) {
  executionStart(input: { workflowId: $id, input: $input, mode: SYNC, timeout: 25 }) {
    timedOut execution { id status output error } errors { message } } }"""
ANSWER = """mutation ($id: ID!, $password: String!) {
  taskComplete(id: $id, decision: APPROVED, signature: { password: $password }) { task { id } errors { message } } }"""
TASKS = "{ tasks(first: 10) { nodes { id title } } }"
LISTS = (
    "{ connections(first: 100) { nodes { id name type settings secretsSet } } }",
    "{ workflows(first: 100) { nodes { id name graph { nodes { id kind config } } activeVersion { number } } } }",
    "{ deadLetters(first: 50) { nodes { error reason } } }",
    "{ tasks(first: 50) { nodes { id title comment signature { by algorithm digest } } } }",
)
IDS = "{ executions(first: 100) { nodes { id } } }"
READ = """query ($id: ID!) { execution(id: $id) {
  id status input output error variables
  steps(first: 20) { nodes { path input output error usage } }
  events(first: 50) { nodes { kind data } }
  logs(first: 50) { nodes { message data } }
} }"""
FAILING = frozenset({"broken", "mail", "books", "ledger", "model"})


def settings(type: str, http_port: int, mail_port: int, database_port: int) -> dict[str, Any]:
    """Of a connection of this type to the quoting servers; a new type has to be given its own here."""
    database = {"host": "127.0.0.1", "port": database_port, "database": "d", "user": "u", "tls": "none"}
    return {
        "smtp": {"host": "127.0.0.1", "port": mail_port, "tls": "none", "username": "u", "from": "a@example.com"},
        "postgresql": database,
        "mysql": database,
        "sqlite": {"file": "file_01h455vb4pex5vsknk084sn02q"},
        "http": {"baseUrl": f"http://127.0.0.1:{http_port}", "auth": "header", "name": "X-Key"},
        "openai": {"baseUrl": f"http://127.0.0.1:{http_port}", "model": "m"},
        "custom": {"anything": 1},
    }[type]


def graphs() -> dict[str, dict[str, Any]]:
    """Workflows of one step that is given a secret; those of FAILING fail."""
    header, query, bearer, basic = ({"connection": f"http {auth}"} for auth in ("header", "query", "bearer", "basic"))
    ways = {"header": header, "query": query, "bearer": bearer, "basic": basic}
    return {
        **{f"fine {name}": {"kind": "http", "config": {"url": "/fine", **way}} for name, way in ways.items()},
        **{f"broken {name}": {"kind": "http", "config": {"url": "/broken", **way}} for name, way in ways.items()},
        "fine text": {"kind": "http", "config": {"url": "/fine", "responseType": "text", **basic}},
        "fine cached": {"kind": "http", "config": {"url": "/fine", **bearer}, "cache": {"ttl": 600}},
        "fine file": {"kind": "http", "config": {"url": "/fine", "responseType": "binary", **header}},
        "fine webhook": {"kind": "webhook", "config": {"url": "/fine", "body": {"a": 1}, **header}},
        "broken webhook": {"kind": "webhook", "config": {"url": "/broken", "body": {"a": 1}, **header}},
        "fine connector": {
            "kind": "connector",
            "config": {"provider": "rest", "action": "get", "input": {"path": "/fine"}, **basic},
        },
        "broken connector": {
            "kind": "connector",
            "config": {"provider": "rest", "action": "get", "input": {"path": "/broken"}, **bearer},
        },
        "mail": {"kind": "email", "config": {"connection": "smtp", "to": "b@example.com", "text": "hello"}},
        "books": {"kind": "database", "config": {"connection": "postgresql", "query": "SELECT 1"}},
        "ledger": {"kind": "database", "config": {"connection": "mysql", "query": "SELECT 1"}},
        "model": {"kind": "ai", "config": {"connection": "openai", "prompt": "hello"}},
    }


def graph(node: dict[str, Any]) -> dict[str, Any]:
    nodes = [{"id": "start", "kind": "trigger"}, {"id": "act", **node}]
    return {"nodes": nodes, "edges": [{"source": "start", "target": "act"}]}


async def connect(api: Api, *ports: int) -> list[Any]:
    """One connection of every type, one of type http for each way to authenticate; the answers."""
    answers: list[Any] = []
    made = [
        (name, name, settings(name, *ports), kind.secrets or {"anything": ""})
        for name, kind in TYPES.items()
        if kind.secrets or kind.model is None
    ]
    for auth in ("header", "query", "bearer", "basic"):
        more = {"username": "u"} if auth == "basic" else {}
        given = settings("http", *ports) | {"auth": auth} | more
        made.append((f"http {auth}", "http", given, TYPES["http"].secrets))
    for name, type, given, secrets in made:
        about = {"name": name, "type": type, "settings": given, "secrets": dict.fromkeys(secrets, CANARY)}
        answer = await api.data(CREATE, input=about)
        assert answer["connectionCreate"]["errors"] == [], answer
        id = answer["connectionCreate"]["connection"]["id"]
        answers += [
            answer,
            await api.data(CREATE, input=about),
            await api.data(UPDATE, id=id, input={"secrets": {"wrong name": CANARY}}),
            await api.data(UPDATE, id=id, input={"secrets": {"password": f"{CANARY}\n", "token": [CANARY]}}),
            await api.data(TEST, id=id),
        ]
    return answers


async def work(api: Api) -> list[Any]:
    """Every workflow, run; the answers. Which fail and which do not is as it should be."""
    answers: list[Any] = []
    for name, node in graphs().items():
        made = await api.data(MAKE, input={"name": name, "graph": graph(node)})
        assert made["workflowCreate"]["errors"] == [], made
        id = made["workflowCreate"]["workflow"]["id"]
        assert (await api.data(PUBLISH, id=id))["workflowPublish"]["errors"] == []
        for _ in range(2):
            ran = (await api.data(START, id=id, input={"seen": SEEN}))["executionStart"]
            fails = name.partition(" ")[0] in FAILING
            assert ran["execution"]["status"] == ("FAILED" if fails else "COMPLETED"), (name, ran)
            answers.append(ran)
    return answers


async def sign_in(url: str, credentials: Any) -> tuple[dict[str, str], list[str]]:
    """Tokens that a password brings, the refresh token used once; and what is answered to wrong ones."""
    async with httpx.AsyncClient(base_url=url) as client:

        async def ask(**fields: str) -> httpx.Response:
            return await client.post("/auth/token", data=fields)

        who = {"username": credentials["email"], "tenant": credentials["tenant"]}
        first = (await ask(grant_type="password", password=credentials["password"], **who)).json()
        second = (await ask(grant_type="refresh_token", refresh_token=first["refresh_token"])).json()
        refused = [
            await ask(grant_type="password", password=WRONG, **who),
            await ask(grant_type="refresh_token", refresh_token=first["refresh_token"]),
            await ask(grant_type="client_credentials", client_id="apikey_x", client_secret=WRONG),
            await client.post("/graphql", json={"query": "{ viewer { id } }"}, headers={"X-API-Key": WRONG}),
        ]
        # A refresh token that comes twice ends its session.
        anew = (await ask(grant_type="password", password=credentials["password"], **who)).json()
    tokens = {
        "an access token": anew["access_token"],
        "one of a session that is over": second["access_token"],
        "a refresh token": first["refresh_token"],
        "its successor": second["refresh_token"],
    }
    return tokens, [answer.text for answer in refused]


async def sign(api: Api, token: str, password: str) -> list[Any]:
    """A task that is answered with a wrong signature, and with the right one."""
    node = {"kind": "approval", "config": {"title": "Release?", "signature": True}}
    made = await api.data(MAKE, input={"name": "release", "graph": graph(node)})
    id = made["workflowCreate"]["workflow"]["id"]
    await api.data(PUBLISH, id=id)
    await api.data(
        "mutation ($id: ID!) { executionStart(input: { workflowId: $id }) { execution { id } errors { message } } }",
        id=id,
    )
    task = None
    while task is None:  # bounded by the test's own time limit
        task = next(iter((await api.data(TASKS))["tasks"]["nodes"]), None)
    person = Api(url=api.url, key=token)
    answers = [await person.data(ANSWER, id=task["id"], password=each) for each in (WRONG, password)]
    assert [len(answer["taskComplete"]["errors"]) for answer in answers] == [1, 0], answers
    return answers


async def test_a_secret_is_nowhere_but_where_it_was_put() -> None:
    with new_data_directory() as data_dir:
        async with (
            http_server() as server,
            quoting_mail_server() as mail_port,
            quoting_socket() as database_port,
            served(data_dir, WEIR_HTTP_ALLOW="127.0.0.1", WEIR_LOG_LEVEL="DEBUG", WEIR_LOG_FORMAT="json") as up,
        ):
            repeat_everything(server, ["/fine", "/broken", "/", "/models", "/chat/completions"])
            database_url, redis_url = servers(data_dir)
            redis: Any = cast("Any", Redis).from_url(redis_url)
            async with overheard(redis) as published:
                tokens, refusals = await sign_in(up.url, up.credentials)
                answers = await connect(up.api, server.port, mail_port, database_port)
                answers += await work(up.api)
                answers += await sign(up.api, tokens["an access token"], up.credentials["password"])
                executions = (await up.api.data(IDS))["executions"]["nodes"]
                read = [await up.api.data(READ, id=each["id"]) for each in executions]
                read += [await up.api.data(query) for query in LISTS]
            secrets = {
                "the canary": CANARY,
                "a wrong password": WRONG,
                "the password": up.credentials["password"],
                "the API key's secret": up.credentials["api_key"].split("_", 2)[2],
                **tokens,
            }
            search, control = Search(secrets=secrets), Search(secrets={"what may be seen": SEEN})
            for each in (search, control):
                each.look("what is published", "\n".join(published))
                each.look("answers", json.dumps([answers, refusals]))
                each.look("what is read", json.dumps(read))
                await each.database(database_url)
                await each.redis(redis)
                each.files(data_dir)
                each.look("the log", up.command.stderr + up.command.stdout)
            await redis.aclose()

            assert any(CANARY in str(request.headers) for request in server.received), "nothing was sent"
            assert search.found == []
            assert any(" in what is read: " in line for line in control.found)
            assert any(" in table execution_event" in line for line in control.found)
            assert {"table connection", "table account", "Redis", "the log", "table refresh_token"} <= search.looked


def test_the_search_finds_every_spelling() -> None:
    for spelling in spellings(CANARY):
        search = Search(secrets={"it": CANARY})
        search.look("a text", f"before {spelling} after")
        assert search.found, spelling


def test_every_type_of_connection_takes_part() -> None:
    assert all(settings(type, 1, 2, 3) for type in TYPES)
