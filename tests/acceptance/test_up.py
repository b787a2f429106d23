"""`weir up` and the processes alone: a start, a sign-in, a stop, and what it does about what dies under it."""

import base64
import os
import re
import signal
import stat
from collections.abc import AsyncGenerator

import httpx
import pytest

from app.stack import Stack
from tests.acceptance.cluster import until
from tests.acceptance.commands import new_data_directory, processes_that_name, started, weir
from tests.acceptance.served import START, Api, Served, served
from tests.contract.conftest import GraphQLServer, NpmClients
from tests.databases import new_database

pytestmark = pytest.mark.acceptance

DOUBLING = """
weir: 1
name: Doubling
nodes:
  - { id: start, kind: trigger }
  - { id: done, kind: end, config: { output: "{{ trigger * 2 }}" } }
edges: [ { source: start, target: done } ]
"""
VIEWER = "{ viewer { role tenant { slug } user { email } } }"
ADMINISTRATOR = {"role": "admin", "tenant": {"slug": "default"}, "user": {"email": "admin@example.com"}}


@pytest.fixture(scope="module")
async def up() -> AsyncGenerator[Served]:
    with new_data_directory() as data_dir:
        async with served(data_dir) as up:
            yield up


@pytest.fixture(scope="module")
async def doubling(up: Served) -> str:
    """The id of a workflow that doubles a number."""
    return await up.api.published(DOUBLING)


async def test_it_says_where_it_is_ready_and_writes_how_to_sign_in(up: Served) -> None:
    assert re.fullmatch(r"ready http://127\.0\.0\.1:\d+\n", up.command.stdout)
    file = up.data_dir / "credentials.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert list(up.credentials) == ["url", "tenant", "email", "password", "api_key"]
    assert (up.credentials["url"], up.credentials["tenant"]) == (up.url, "default")
    assert up.credentials["email"] == "admin@example.com"
    assert up.credentials["password"] not in up.command.stderr
    assert up.credentials["api_key"] not in up.command.stderr


async def test_the_password_signs_in_and_the_key_needs_no_sign_in(up: Served) -> None:
    key = up.credentials["api_key"]
    async with httpx.AsyncClient(base_url=up.url) as client:
        form = {
            "grant_type": "password",
            "username": up.credentials["email"],
            "password": up.credentials["password"],
        }
        token = (await client.post("/auth/token", data=form)).json()["access_token"]
        refused = await client.post("/auth/token", data={**form, "password": "another"})
        answers = [
            (await client.post("/graphql", json={"query": VIEWER}, headers=headers)).json()["data"]["viewer"]
            for headers in (
                {"Authorization": f"Bearer {token}"},
                {"Authorization": f"Bearer {key}"},
                {"X-API-Key": key},
            )
        ]
        nobody = await client.post("/graphql", json={"query": VIEWER})

    assert answers == [ADMINISTRATOR] * 3
    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_grant")
    assert nobody.status_code == 401


async def test_it_is_alive_and_ready(up: Served) -> None:
    async with httpx.AsyncClient(base_url=up.url) as client:
        alive, ready = await client.get("/healthz"), await client.get("/readyz")

    assert (alive.status_code, alive.text) == (200, "ok")
    assert (ready.status_code, ready.json()) == (200, {"postgresql": True, "redis": True, "sharedRates": True})


async def test_it_passes_every_graphql_http_audit(up: Served, npm_clients: NpmClients) -> None:
    address = f"{up.url}/graphql"
    server = GraphQLServer(url=address, ws_url=address.replace("http", "ws", 1), token=up.credentials["api_key"])
    results = await npm_clients.run("audits.mjs", server)
    assert [result for result in results if result["status"] != "ok"] == []
    assert len(results) == 61


async def test_a_taken_port_is_told(up: Served) -> None:
    port = up.url.rpartition(":")[2]

    ended = await weir("up", "--port", port, "--data-dir", up.data_dir)

    assert (ended.status, ended.stdout) == (2, "")
    assert ended.stderr == (
        f"Error: 127.0.0.1:{port} cannot be listened on: Address already in use\nChoose another --port, or 0 for any.\n"
    )


async def test_a_killed_worker_is_started_again(up: Served, doubling: str) -> None:
    [before] = pids_of(up, "app.cli worker")
    os.kill(before, signal.SIGKILL)

    assert await up.api.outcome(doubling, 21) == 42
    [after] = pids_of(up, "app.cli worker")
    assert after != before
    assert "worker 1 ended with status -9; starting it again" in up.command.stderr


@pytest.mark.parametrize(("program", "name"), [("redis-server", "Redis"), ("bin/postgres", "PostgreSQL")])
async def test_a_killed_server_is_started_again(up: Served, doubling: str, program: str, name: str) -> None:
    os.kill(pids_of(up, program)[0], signal.SIGKILL)
    await up.command.says(f"{name} had died and was started again")

    async def doubled() -> bool:
        return await answered(up.api, doubling) == 42

    await until("a workflow runs", 20, doubled)


async def test_a_stop_leaves_nothing_behind_and_the_next_start_finds_everything() -> None:
    with new_data_directory() as data_dir:
        async with served(data_dir) as first:
            workflow, credentials = await first.api.published(DOUBLING), first.credentials
            first.command.send(signal.SIGTERM)
            stopped = await first.command.ended()
        assert (stopped.status, processes_that_name(data_dir)) == (0, {}), stopped.stderr

        async with served(data_dir) as second:
            assert {**second.credentials, "url": ""} == {**credentials, "url": ""}
            assert await second.api.outcome(workflow, 3) == 6
            second.command.press_ctrl_c()
            interrupted = await second.command.ended()
        assert (interrupted.status, processes_that_name(data_dir)) == (0, {}), interrupted.stderr
        assert "making a PostgreSQL cluster" in stopped.stderr
        assert "making a PostgreSQL cluster" not in interrupted.stderr
        assert "starting it again" not in stopped.stderr + interrupted.stderr, "Ctrl-C misses the workers"


async def test_the_processes_alone_share_ordinary_servers(stack: Stack) -> None:
    """An API without workers, a second API, a worker and a scheduler, each told of the servers by URL."""
    with new_data_directory() as data_dir:
        async with new_database(stack.database_url) as database_url:
            shared = {
                "WEIR_DATABASE_URL": database_url,
                "WEIR_REDIS_URL": stack.redis_url,
                "WEIR_MASTER_KEY": base64.b64encode(b"k" * 32).decode(),
                "WEIR_DATA_DIR": str(data_dir),
            }
            async with (
                served(data_dir, "--workers", "0", **shared) as up,
                started("serve", "--port", "0", **shared) as serve,
                started("worker", **shared) as worker,
                started("scheduler", **shared) as scheduler,
            ):
                await serve.says("ready http://")
                await worker.says("worker ready")
                await scheduler.says("scheduler ready")
                second = Api(url=serve.stdout.removeprefix("ready ").rstrip(), key=up.api.key)
                assert await second.outcome(await up.api.published(DOUBLING), 4) == 8

                processes = (worker, scheduler, serve, up.command)
                for process in processes:
                    process.send(signal.SIGTERM)
                assert [(await process.ended()).status for process in processes] == [0, 0, 0, 0]
            assert not (data_dir / "servers").exists()
            assert processes_that_name(data_dir) == {}


async def test_when_it_is_killed_its_worker_ends_by_itself_and_stops_the_servers(up: Served) -> None:
    up.command.send(signal.SIGKILL)

    async def gone() -> bool:
        return processes_that_name(up.data_dir) == {}

    await until("nothing of it lives", 20, gone)


def pids_of(up: Served, mark: str) -> list[int]:
    """Of the processes that belong to it and have the mark in their command line."""
    return [pid for pid, line in processes_that_name(up.data_dir).items() if mark in line]


async def answered(api: Api, workflow: str) -> object:
    """The output of an execution, None when it could not be begun just now."""
    try:
        answer = (await api.data(START, workflow=workflow, input=21, mode="SYNC"))["executionStart"]
    except (AssertionError, httpx.TransportError):
        return None
    return answer["execution"]["output"]
