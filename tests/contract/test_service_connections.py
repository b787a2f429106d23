"""Connections as stored: secrets are unreadable at rest, bound to their place, decrypted for their tenant's steps."""

import asyncio
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest
import uuid_utils.compat as uuid

from db.connections import APP_ROLE, Connection, EnginePool, tenant_scope
from db.data_keys import KeyLost, Keyring
from db.envelope import fingerprint
from db.service_connections import ServiceConnections
from db.service_connections_step import StepConnections
from domain import connections, connections_used
from domain.connections import ConnectionFilter, ConnectionNameTaken, SavedConnection, StaleConnection, place
from domain.errors import NotFound, Severity, ValidationLevel
from domain.graphs import Definition, Graph, Node
from domain.ids import ConnectionId, TenantId, encode
from domain.json import JSON
from domain.paging import Page
from jobs.nodes.catalog import CATALOG, Catalog
from tests.databases import make_tenant
from tests.unit.plugin_kinds import BOOK

pytestmark = pytest.mark.usefixtures("app_db")

NOW = datetime(2026, 11, 21, 9, tzinfo=UTC)
KEY = b"0123456789abcdef0123456789abcdef"
KEYS = Keyring.local(KEY)
SECRETS = {"password": "correct horse ä€😀", "token": "battery staple"}


def connection(name: str = "Mail", type: str = "smtp", **changes: object) -> SavedConnection:
    made = SavedConnection(
        id=ConnectionId(uuid.uuid7()),
        name=name,
        type=type,
        settings={"host": "mail.example.com", "b": 1, "a": None},
        created_at=NOW,
        updated_at=NOW,
    )
    return replace(made, **changes)  # pyright: ignore[reportArgumentType] - a test names fields freely


async def saved(tenant: TenantId, secrets: Mapping[str, str] = SECRETS, name: str = "Mail") -> SavedConnection:
    new = connection(name)
    with tenant_scope(tenant):
        await ServiceConnections(tenant, KEYS).insert(new, secrets)
    return replace(new, secrets_set=tuple(sorted(secrets)))


async def test_what_is_written_comes_back_without_its_secrets(tenant: TenantId) -> None:
    new = await saved(tenant)

    with tenant_scope(tenant):
        store = ServiceConnections(tenant, KEYS)
        assert await store.by_ids([new.id, ConnectionId(uuid.uuid7())]) == [new]
        assert await store.by_name("Mail") == new
        assert await store.by_name("mail") is None


async def test_a_step_gets_it_with_its_secrets_by_name_and_by_id(engine_pool: EnginePool, tenant: TenantId) -> None:
    new = await saved(tenant)
    expected = connections.Connection(
        id=new.id, name="Mail", type="smtp", settings=new.settings, secrets=SECRETS, revision=1
    )

    for name in ("Mail", encode("connection", new.id)):
        found = await StepConnections(tenant, engine_pool, KEYS).get(name)
        assert found == expected
        assert list(found.settings) == ["host", "b", "a"]
        assert "horse" not in repr(found)


async def test_one_without_secrets_needs_no_key(engine_pool: EnginePool, tenant: TenantId) -> None:
    new = await saved(tenant, {})

    assert (await StepConnections(tenant, engine_pool, KEYS).get("Mail")).secrets == {}
    assert new.secrets_set == ()
    assert await engine_pool.fetchval("SELECT count(*) FROM data_key WHERE tenant_id = $1", tenant) == 0


@pytest.mark.parametrize(
    "name", ["None", "", "a\x00b", "connection_", "connection_zz", "connection_01m7z82a16e4dstm0bqmc9eyha"]
)
async def test_a_missing_one_is_told_as_missing(engine_pool: EnginePool, tenant: TenantId, name: str) -> None:
    await saved(tenant)

    with pytest.raises(NotFound, match=re.escape(f"There is no connection {name}")) as refused:
        await StepConnections(tenant, engine_pool, KEYS).get(name)

    assert refused.value.path == ("connection",)


async def test_another_tenants_connection_answers_as_a_missing_one(engine_pool: EnginePool, tenant: TenantId) -> None:
    theirs = await saved(await make_tenant(engine_pool))
    store = ServiceConnections(tenant, KEYS)

    for name in ("Mail", encode("connection", theirs.id)):
        with pytest.raises(NotFound, match=f"There is no connection {name}"):
            await StepConnections(tenant, engine_pool, KEYS).get(name)
    with tenant_scope(tenant):
        assert await store.by_ids([theirs.id]) == []
        assert await store.by_name("Mail") is None
        assert (await store.page(ConnectionFilter(), Page(first=10))).items == []
        with pytest.raises(NotFound):
            await store.save(replace(theirs, name="Mine", revision=2), {"password": None}, expected_revision=1)
    assert await engine_pool.fetchval("SELECT count(*) FROM connection_secret WHERE connection_id = $1", theirs.id) == 2


async def test_nothing_of_a_secret_and_of_a_key_can_be_read_at_rest(engine_pool: EnginePool, tenant: TenantId) -> None:
    new = await saved(tenant)

    stored = [
        *await engine_pool.fetch("SELECT * FROM connection WHERE id = $1", new.id),
        *await engine_pool.fetch("SELECT * FROM connection_secret WHERE connection_id = $1", new.id),
        *await engine_pool.fetch("SELECT * FROM data_key WHERE tenant_id = $1", tenant),
    ]

    everything = b"".join(value if isinstance(value, bytes) else str(value).encode() for row in stored for value in row)
    assert len(stored) == 4
    for text in SECRETS.values():
        assert text.encode() not in everything
        assert text.encode()[:6] not in everything
    assert KEY not in everything
    assert stored[-1]["wrapped_by"] == fingerprint(KEY)


async def test_what_serves_requests_may_set_secrets_and_not_read_them(
    database: str, engine_pool: EnginePool, tenant: TenantId
) -> None:
    await saved(tenant)
    settings = {"role": APP_ROLE, "weir.tenant": str(tenant)}
    app: Connection = await asyncpg.connect(database, server_settings=settings)
    try:
        names = await app.fetch("SELECT name FROM connection_secret ORDER BY name")
        assert [row["name"] for row in names] == ["password", "token"]
        for statement in ("SELECT sealed FROM connection_secret", "SELECT * FROM connection_secret"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await app.fetch(statement)
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await app.execute("UPDATE connection_secret SET name = 'x'")
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await app.execute("DELETE FROM data_key")
    finally:
        await app.close()


MOVES = {
    "to another name": "UPDATE connection_secret SET sealed = (SELECT sealed FROM connection_secret"
    " WHERE connection_id = $1 AND name = 'token') WHERE connection_id = $1 AND name = 'password'",
    "to another connection": "UPDATE connection_secret SET sealed = (SELECT sealed FROM connection_secret"
    " WHERE connection_id = $2 AND name = 'password') WHERE connection_id = $1 AND name = 'password'",
    "to another tenant": "UPDATE connection_secret SET sealed = (SELECT sealed FROM connection_secret"
    " WHERE connection_id = $3 AND name = 'password') WHERE connection_id = $1 AND name = 'password'",
    "with its data key": "UPDATE data_key SET wrapped = (SELECT wrapped FROM data_key WHERE tenant_id ="
    " (SELECT tenant_id FROM connection WHERE id = $3)) WHERE tenant_id ="
    " (SELECT tenant_id FROM connection WHERE id = $1)",
}


@pytest.mark.parametrize("move", MOVES)
async def test_a_ciphertext_that_was_moved_does_not_open(engine_pool: EnginePool, tenant: TenantId, move: str) -> None:
    target, sibling = await saved(tenant), await saved(tenant, name="Other")
    stranger = await saved(await make_tenant(engine_pool))
    ids = [target.id, sibling.id, stranger.id]
    statement = f"WITH given AS (SELECT $1::uuid, $2::uuid, $3::uuid) {MOVES[move]}"

    assert await engine_pool.execute(statement, *ids) == "UPDATE 1"

    with pytest.raises(KeyLost, match="cannot be decrypted") as refused:
        await StepConnections(tenant, engine_pool, KEYS).get("Mail")
    assert refused.value.remedy is not None


async def test_under_another_master_key_the_refusal_says_so(engine_pool: EnginePool, tenant: TenantId) -> None:
    await saved(tenant)

    with pytest.raises(KeyLost, match="The tenant's data key 1 cannot be decrypted") as refused:
        await StepConnections(tenant, engine_pool, Keyring.local(b"x" * 32)).get("Mail")

    assert "WEIR_MASTER_KEY" in (refused.value.remedy or "")


async def test_the_first_secrets_of_a_tenant_may_be_saved_at_once_and_share_one_key(
    engine_pool: EnginePool, tenant: TenantId
) -> None:
    await asyncio.gather(*(saved(tenant, name=f"Mail {number}") for number in range(6)))

    assert await engine_pool.fetchval("SELECT count(*) FROM data_key WHERE tenant_id = $1", tenant) == 1
    for number in range(6):
        found = await StepConnections(tenant, engine_pool, KEYS).get(f"Mail {number}")
        assert found.secrets == SECRETS


async def test_a_newer_data_key_seals_and_the_older_one_still_opens(engine_pool: EnginePool, tenant: TenantId) -> None:
    old = await saved(tenant, {"password": "old"}, "Old")
    newer = await KEYS.wrap(tenant, 2, b"k" * 32)
    await engine_pool.execute(
        "INSERT INTO data_key (tenant_id, generation, wrapped, wrapped_by, created_at) VALUES ($1, 2, $2, $3, $4)",
        tenant, newer.wrapped, newer.wrapped_by, NOW,
    )  # fmt: skip
    await saved(tenant, {"password": "new"}, "New")

    rows = await engine_pool.fetch("SELECT generation FROM connection_secret WHERE tenant_id = $1 ORDER BY 1", tenant)
    assert [row["generation"] for row in rows] == [1, 2]
    step = StepConnections(tenant, engine_pool, KEYS)
    assert [(await step.get(name)).secrets["password"] for name in ("Old", "New")] == ["old", "new"]
    assert old.secrets_set == ("password",)


async def test_a_change_keeps_the_secrets_it_does_not_name_and_takes_effect_at_once(
    engine_pool: EnginePool, tenant: TenantId
) -> None:
    new = await saved(tenant, {"password": "first", "token": "kept", "value": "gone"})
    step = StepConnections(tenant, engine_pool, KEYS)
    await step.get("Mail")
    later = NOW + timedelta(hours=1)
    changed = replace(new, name="Post", settings={"host": "b"}, revision=2, updated_at=later)

    with tenant_scope(tenant):
        store = ServiceConnections(tenant, KEYS)
        await store.save(changed, {"password": "second", "value": None, "never": None}, expected_revision=1)
        assert await store.by_ids([new.id]) == [replace(changed, secrets_set=("password", "token"))]

    found = await step.get("Post")
    assert (found.settings, found.secrets, found.revision) == (
        {"host": "b"},
        {"password": "second", "token": "kept"},
        2,
    )
    with pytest.raises(NotFound):
        await step.get("Mail")


async def test_of_two_changes_to_one_revision_the_second_is_refused_and_changes_nothing(
    engine_pool: EnginePool, tenant: TenantId
) -> None:
    new = await saved(tenant)
    changes = [replace(new, name=name, revision=2) for name in ("First", "Second")]

    with tenant_scope(tenant):
        store = ServiceConnections(tenant, KEYS)
        outcomes = await asyncio.gather(
            *(store.save(each, {"password": each.name}, expected_revision=1) for each in changes),
            return_exceptions=True,
        )
        (kept,) = await store.by_ids([new.id])

    (refusal,) = [outcome for outcome in outcomes if outcome is not None]
    assert isinstance(refusal, StaleConnection)
    assert refusal.current_revision == 2
    assert (await StepConnections(tenant, engine_pool, KEYS).get(kept.name)).secrets["password"] == kept.name


async def test_names_are_unique_in_a_tenant_until_one_is_deleted(engine_pool: EnginePool, tenant: TenantId) -> None:
    first = await saved(tenant)
    other = await saved(tenant, name="Other")
    await saved(await make_tenant(engine_pool))

    with pytest.raises(ConnectionNameTaken, match="There is already a connection named 'Mail'"):
        await saved(tenant)
    with tenant_scope(tenant):
        store = ServiceConnections(tenant, KEYS)
        with pytest.raises(ConnectionNameTaken):
            await store.save(replace(other, name="Mail", revision=2), {"password": None}, expected_revision=1)
        assert await store.by_ids([other.id]) == [other]
        await store.save(replace(first, revision=2, deleted_at=NOW), {}, expected_revision=1)
    again = await saved(tenant)

    assert (await StepConnections(tenant, engine_pool, KEYS).get("Mail")).id == again.id


async def test_of_a_deleted_one_no_secret_stays(engine_pool: EnginePool, tenant: TenantId) -> None:
    new = await saved(tenant)

    with tenant_scope(tenant):
        store = ServiceConnections(tenant, KEYS)
        await store.save(replace(new, revision=2, deleted_at=NOW), {"password": "late"}, expected_revision=1)
        assert await store.by_ids([new.id]) == []
        with pytest.raises(NotFound):
            await store.save(replace(new, revision=3), {}, expected_revision=2)

    with pytest.raises(NotFound):
        await StepConnections(tenant, engine_pool, KEYS).get(encode("connection", new.id))
    assert await engine_pool.fetchval("SELECT count(*) FROM connection_secret WHERE connection_id = $1", new.id) == 0


async def test_a_refused_insert_leaves_no_secret_behind(engine_pool: EnginePool, tenant: TenantId) -> None:
    await saved(tenant)
    with pytest.raises(ConnectionNameTaken):
        await saved(tenant)

    assert await engine_pool.fetchval("SELECT count(*) FROM connection_secret WHERE tenant_id = $1", tenant) == 2


async def test_lists_go_by_name_from_both_ends_and_know_their_secrets(tenant: TenantId) -> None:
    made = [await saved(tenant, {"password": name}, name) for name in ("b", "a", "C", "d", "ä")]
    with tenant_scope(tenant):
        store = ServiceConnections(tenant, KEYS)
        everything = await store.page(ConnectionFilter(), Page(first=10))
        middle = await store.page(ConnectionFilter(), Page(first=2, after=place(everything.items[0])))
        ending = await store.page(ConnectionFilter(), Page(last=2))
        some = await store.page(ConnectionFilter(search="C"), Page(first=10))
        none = await store.count(ConnectionFilter(types=("http",)))
        count = await store.count(ConnectionFilter(types=("http", "smtp")))

    assert {each.name: each for each in everything.items} == {each.name: each for each in made}
    assert middle.items == everything.items[1:3]
    assert (middle.has_previous, middle.has_next) == (True, True)
    assert ending.items == everything.items[-2:]
    assert [each.name for each in some.items] == ["C"]
    assert (none, count) == (0, 5)


async def test_a_workflow_is_warned_of_connections_that_are_not_there(
    engine_pool: EnginePool, tenant: TenantId
) -> None:
    here = await saved(tenant)
    theirs = await saved(await make_tenant(engine_pool), name="Theirs")
    names = [
        "Mail",
        encode("connection", here.id),
        "{{ vars.mail }}",
        "None",
        "Theirs",
        encode("connection", theirs.id),
    ]
    inner: JSON = {"id": "inner", "kind": "http", "config": {"url": "/", "connection": "Inner"}}
    nodes = [
        *(Node(id=f"n{at}", kind="http", config={"url": "/", "connection": name}) for at, name in enumerate(names)),
        Node(id="each", kind="loop", config={"type": "for", "times": 2, "body": {"nodes": [inner]}}),
        Node(id="data", kind="http", config={"url": "/", "connection": "a\x00b", "body": {"nodes": [inner]}}),
        Node(id="other", kind="set", config={"connection": "None"}),
        Node(
            id="undone",
            kind="set",
            compensation={"kind": "http", "config": {"url": "/", "connection": "None"}},
        ),
    ]

    with tenant_scope(tenant):
        store = ServiceConnections(tenant, KEYS)
        found = await connections_used.findings(Definition(graph=Graph(nodes=tuple(nodes))), CATALOG, store)

    own, in_body = ("config", "connection"), ("config", "body", "nodes", "inner", "config", "connection")
    assert [(finding.node_id, finding.severity, finding.code, finding.path) for finding in found] == [
        *((node, Severity.WARNING, "WRONG_CONNECTION_TYPE", own) for node in ("n0", "n1")),
        *((node, Severity.WARNING, "NO_CONNECTION", own) for node in ("n3", "n4", "n5")),
        ("each", Severity.WARNING, "NO_CONNECTION", in_body),
        ("data", Severity.WARNING, "NO_CONNECTION", own),
        ("undone", Severity.WARNING, "NO_CONNECTION", ("compensation", "config", "connection")),
    ]
    assert {finding.level for finding in found} == {ValidationLevel.SEMANTIC}


async def test_a_workflow_is_warned_of_connections_that_its_nodes_cannot_use_or_that_trust_anybody(
    tenant: TenantId,
) -> None:
    def mail(name: str, connection: str) -> Node:
        return Node(id=name, kind="email", config={"connection": connection, "to": "a@example.com"})

    with tenant_scope(tenant):
        store = ServiceConnections(tenant, KEYS)
        await store.insert(connection("Good"), {})
        await store.insert(connection("Database", "postgresql"), {})
        await store.insert(connection("Open", settings={"host": "mail.example.com", "tls": "none"}), {})
        nodes = (mail("a", "Good"), mail("b", "Database"), mail("c", "Open"))
        found = await connections_used.findings(Definition(graph=Graph(nodes=nodes)), CATALOG, store)

    assert [(finding.node_id, finding.code, finding.message) for finding in found] == [
        ("b", "WRONG_CONNECTION_TYPE", "The connection 'Database' is of type postgresql, which email nodes cannot use"),
        ("c", "TLS_NOT_VERIFIED", "The connection 'Open' does not check the certificate of the other side"),
    ]


async def test_the_connections_that_a_plugin_s_fields_name_are_judged_by_what_these_take(tenant: TenantId) -> None:
    with tenant_scope(tenant):
        store = ServiceConnections(tenant, KEYS)
        await store.insert(connection("Mail"), {})
        await store.insert(connection("Books", "postgresql"), {})
        nodes = (
            Node(id="a", kind="book", config={"ledger": "Books", "connection": "Mail"}),
            Node(id="b", kind="book", config={"ledger": "Mail", "connection": "None"}),
        )
        found = await connections_used.findings(Definition(graph=Graph(nodes=nodes)), Catalog([BOOK]), store)

    assert [(finding.node_id, finding.code, finding.path, finding.remedy) for finding in found] == [
        ("b", "WRONG_CONNECTION_TYPE", ("config", "ledger"), "Name a connection of type postgresql."),
        ("b", "NO_CONNECTION", ("config", "connection"), "Make it before the workflow runs, or name another one."),
    ]


async def test_only_so_many_connections_of_a_workflow_are_looked_up(tenant: TenantId) -> None:
    most = connections_used.MOST_LOOKED_UP
    nodes = [Node(id=f"n{at}", kind="http", config={"url": "/", "connection": f"None {at}"}) for at in range(most + 50)]
    with tenant_scope(tenant):
        store = ServiceConnections(tenant, KEYS)
        found = await connections_used.findings(Definition(graph=Graph(nodes=tuple(nodes))), CATALOG, store)

    assert [finding.node_id for finding in found] == [f"n{at}" for at in range(most)]
