"""Connections and circuit breakers as the engine gives them to steps."""

import base64

import orjson
import uuid_utils.compat as uuid

from app.clock import utc_now
from app.keyring import keyring
from app.master_keys import MasterKeys
from db.data_keys import secret_place
from db.envelope import new_key, seal
from domain.graphs import Definition, Edge, Graph, Node
from domain.ids import ConnectionId, TenantId
from domain.json import JSON, JSONObject
from tests.contract.engine_room import MASTER_KEY, EngineRoom
from tests.databases import make_tenant
from tests.unit.http_server import Answer, http_server

pytest_plugins = ("tests.contract.engine_fixture",)

PASSWORD = "hunter2-is-secret"


async def connect(room: EngineRoom, tenant: TenantId, settings: JSONObject, **secrets: str) -> None:
    """A connection named Shop of type http, as the API would have stored it."""
    connection, key, now = ConnectionId(uuid.uuid7()), new_key(), utc_now()
    stored = await keyring(MasterKeys.of(MASTER_KEY)).wrap(tenant, 1, key)
    await room.pool.execute(
        "INSERT INTO data_key (tenant_id, generation, wrapped, wrapped_by, created_at) VALUES ($1, 1, $2, $3, $4)",
        tenant, stored.wrapped, stored.wrapped_by, now,
    )  # fmt: skip
    await room.pool.execute(
        "INSERT INTO connection (id, tenant_id, name, type, settings, created_at, updated_at)"
        " VALUES ($1, $2, 'Shop', 'http', $3::text::json, $4, $4)",
        connection, tenant, orjson.dumps(settings).decode(), now,
    )  # fmt: skip
    for name, text in secrets.items():
        await room.pool.execute(
            "INSERT INTO connection_secret (connection_id, name, tenant_id, generation, sealed, created_at)"
            " VALUES ($1, $2, $3, 1, $4, $5)",
            connection, name, tenant, seal(key, text.encode(), secret_place(tenant, connection, name)), now,
        )  # fmt: skip


def asks(**config: JSON) -> Definition:
    nodes = (Node(id="start", kind="trigger"), Node(id="ask", kind="http", config={"connection": "Shop", **config}))
    return Definition(graph=Graph(nodes=nodes, edges=(Edge(source="start", target="ask"),)))


async def test_a_step_uses_a_connection_and_its_secret_is_nowhere_in_the_log(engine: EngineRoom) -> None:
    tenant = await make_tenant(engine.pool)
    async with http_server() as server:
        server.answers["/v1/orders"] = Answer(headers={"content-type": "text/plain"}, body=b"two")
        settings: JSONObject = {"baseUrl": f"{server.url}/v1", "auth": "basic", "username": "shop"}
        await connect(engine, tenant, settings, password=PASSWORD)
        execution = await engine.start(await engine.publish(asks(url="orders"), tenant))
        ending = await engine.ending(execution)

    (received,) = server.received
    written = base64.b64encode(f"shop:{PASSWORD}".encode()).decode()
    assert received.headers["authorization"] == f"Basic {written}"
    assert (ending.status, ending.code) == ("COMPLETED", None)
    log = repr(await engine.log(execution))
    assert PASSWORD not in log
    assert written not in log


async def test_a_step_that_names_a_missing_connection_fails_with_a_remedy(engine: EngineRoom) -> None:
    ending = await engine.ending(await engine.run(asks(url="orders")))

    assert (ending.status, ending.code, ending.message) == ("FAILED", "NOT_FOUND", "There is no connection Shop")


async def test_executions_share_a_circuit(room: EngineRoom) -> None:
    tenant = await make_tenant(room.pool)
    async with room.running(breaker_failures=2), http_server() as server:
        server.answers["/"] = Answer(status=503)
        await connect(room, tenant, {"baseUrl": server.url, "auth": "none"})
        published = await room.publish(asks(url="/"), tenant)
        codes = [(await room.ending(await room.start(published))).code for _ in range(4)]

    assert codes == ["HTTP_STATUS", "HTTP_STATUS", "CIRCUIT_OPEN", "CIRCUIT_OPEN"]
    assert len(server.received) == 2
