"""`weir run --server`: a file run on another Weir, watched over the network, whatever happens to that."""

import json
import signal
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from tests.acceptance.cluster import until
from tests.acceptance.commands import Ended, new_data_directory, started, weir
from tests.acceptance.served import Api, Served, served

pytestmark = pytest.mark.acceptance

GREETING = """
weir: 1
name: Greeting
demo: greeter.py
variables: { mark: { default: "!" } }
settings: { timeout: 60, onError: { strategy: continue } }
inputSchema: { type: object, required: [name] }
nodes:
  - { id: start, kind: trigger }
  - { id: known, kind: if, join: any, config: { condition: "{{ trigger.name !== 'stranger' }}" } }
  - { id: hello, kind: end, onError: fail, config: { output: "Hello, {{ trigger.name }}{{ vars.mark }}" } }
  - { id: who, kind: fail, retry: { maxAttempts: 2, initialDelay: 0.01, backoff: fixed }, config: { message: "Who?" } }
edges:
  - { source: start, target: known }
  - { source: known, sourceHandle: "true", target: hello }
  - { source: known, sourceHandle: "false", target: who }
"""
WAITING = """
weir: 1
name: Waiting
nodes:
  - { id: start, kind: trigger }
  - { id: hold, kind: wait, config: { signal: go } }
edges: [ { source: start, target: hold } ]
"""
UNCONNECTED = """
weir: 1
name: Unconnected
nodes:
  - { id: start, kind: trigger }
  - { id: done, kind: end, config: { output: done } }
  - { id: mail, kind: email, config: { connection: Our mail, to: a@example.com, text: Hello } }
edges:
  - { source: start, target: done }
  - { source: start, target: mail, condition: "trigger.mail" }
"""
SIGNAL = """mutation ($id: ID!, $payload: JSON) {
  signalSend(executionId: $id, name: "go", payload: $payload) { errors { message } } }"""
CURRENT = "{ executions(first: 10) { nodes { id status currentSteps { path status } } } }"


@pytest.fixture(scope="module")
async def up() -> AsyncGenerator[Served]:
    with new_data_directory() as data_dir:
        async with served(data_dir) as up:
            yield up


@pytest.fixture
def greeting(tmp_path: Path) -> Path:
    return written(tmp_path / "greeting.yaml", GREETING)


def written(file: Path, text: str) -> Path:
    file.write_text(text)
    return file


async def run_at(api: Api, *arguments: str | Path) -> Ended:
    return await weir("run", *arguments, "--server", api.url, "--key", api.key)


async def waiting(api: Api) -> list[str]:
    """The ids of the executions that wait, the oldest first."""
    nodes = (await api.data(CURRENT))["executions"]["nodes"]
    waits = [{"path": "hold", "status": "WAITING"}]
    return [node["id"] for node in reversed(nodes) if node["currentSteps"] == waits]


async def test_more_than_one_request_or_connection_takes_is_run_and_followed(up: Served, greeting: Path) -> None:
    people = [{"name": f"guest {number}"} for number in range(1_001)]
    file = written(greeting.with_name("people.json"), json.dumps(people))

    ended = await run_at(up.api, greeting, "--each", f"@{file}", "--var", "demo=http://127.0.0.1:1")

    assert ended.status == 0, ended.stderr
    assert ended.result == [
        {"status": "COMPLETED", "output": f"Hello, {person['name']}!", "error": None} for person in people
    ]
    assert "[1001/1001]" in ended.stderr


async def test_a_file_run_again_becomes_the_draft_and_publishes_nothing(up: Served, greeting: Path) -> None:
    await run_at(up.api, greeting, "--input", '{"name": "Ada"}')
    changed = GREETING.replace("Hello, {{", "Good evening, {{")
    ended = await run_at(up.api, written(greeting, changed), "--input", '{"name": "Ada"}', "--var", "mark=?")

    assert (ended.status, ended.stdout) == (0, '"Good evening, Ada?"\n')
    assert "the demo greeter.py is not started on a server; --var demo=URL says where one serves" in ended.stderr
    assert "the draft of 'Greeting' on the server becomes this file" in ended.stderr
    workflow = await up.api.data(
        '{ workflow(name: "Greeting") { status activeVersion { number } settings { timeout } } }'
    )
    assert workflow["workflow"] == {"status": "DRAFT", "activeVersion": None, "settings": {"timeout": 60}}


async def test_a_failed_execution_ends_the_command_with_1(up: Served, greeting: Path) -> None:
    ended = await run_at(up.api, greeting, "--input", '{"name": "stranger"}')

    assert ended.status == 1
    assert (ended.result["status"], ended.result["error"]["message"]) == ("FAILED", "Who?")


async def test_a_connection_that_is_not_there_is_told_and_the_workflow_runs(up: Served, tmp_path: Path) -> None:
    ended = await run_at(up.api, written(tmp_path / "unconnected.yaml", UNCONNECTED), "--input", "{}")

    assert (ended.status, ended.result) == (0, "done")
    assert "warning at node mail, config.connection: There is no connection 'Our mail'" in ended.stderr


async def test_ctrl_c_cancels_what_runs_there(up: Served, tmp_path: Path) -> None:
    file = written(tmp_path / "waiting.yaml", WAITING)

    async with started("run", file, "--each", "[1, 2]", "--server", up.url, "--key", up.api.key) as run:
        await until("both wait", 20, lambda: wait_now(up.api, 2))
        run.press_ctrl_c()
        ended = await run.ended()

    assert (ended.status, ended.result) == (130, [{"status": "CANCELLED", "output": None, "error": None}] * 2)


async def test_a_run_survives_the_restart_of_its_server(up: Served, tmp_path: Path) -> None:
    file = written(tmp_path / "waiting.yaml", WAITING)
    with new_data_directory() as data_dir:
        async with served(data_dir) as first:
            api = first.api
            async with started("run", file, "--each", "[1, 2]", "--server", api.url, "--key", api.key) as run:
                await until("both wait", 20, lambda: wait_now(api, 2))
                first.command.send(signal.SIGTERM)
                await first.command.ended()
                await run.says("the connection to the server is lost")
                async with served(data_dir, "--port", api.url.rpartition(":")[2]):
                    for number, execution in enumerate(await waiting(api)):
                        await api.data(SIGNAL, id=execution, payload=number)
                    ended = await run.ended()

    assert ended.status == 0, ended.stderr
    assert [(each["status"], each["output"]) for each in ended.result] == [("COMPLETED", 0), ("COMPLETED", 1)]


async def wait_now(api: Api, number: int) -> bool:
    return len(await waiting(api)) == number


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        pytest.param(["--server", "{url}"], "--server needs --key", id="no key"),
        pytest.param(["--server", "{url}", "--key", "weir_x"], "does not accept this key", id="wrong key"),
        pytest.param(["--server", "http://127.0.0.1:1", "--key", "k"], "cannot be reached", id="nobody there"),
        pytest.param(["--server", "{url}/elsewhere", "--key", "{key}"], "is not the API of Weir", id="not the API"),
        pytest.param(["--server", "localhost", "--key", "k"], "--server 'localhost' is no address", id="no address"),
        pytest.param(
            ["--server", "{url}", "--key", "{key}", "--var", "nix=1"],
            "Element 0 of --each: The workflow has no variable 'nix'",
            id="unknown variable",
        ),
    ],
)
async def test_what_keeps_a_run_from_starting_there_is_told(
    up: Served, greeting: Path, arguments: list[str], told: str
) -> None:
    given = [text.format(url=up.url, key=up.api.key) for text in arguments]

    ended = await weir("run", greeting, "--each", '[{"name": "Ada"}]', *given)

    assert (ended.status, ended.stdout) == (2, "")
    assert told in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize(
    ("second", "told"),
    [
        ("{}", "The input does not fit its schema: name is missing"),
        ('{"name": NaN}', "The value holds a number that JSON cannot write (NaN or infinity)"),
    ],
)
async def test_nothing_begins_when_an_input_is_wrong(up: Served, greeting: Path, second: str, told: str) -> None:
    count = "{ executions(first: 1) { totalCount } }"
    before = await up.api.data(count)

    ended = await run_at(up.api, greeting, "--each", f'[{{"name": "Ada"}}, {second}]')

    assert (ended.status, await up.api.data(count)) == (2, before)
    assert ended.stderr == f"Error: Element 1 of --each: {told}\n"


async def test_everything_wrong_with_a_graph_is_told_as_the_server_sees_it(up: Served, greeting: Path) -> None:
    wrong = GREETING.replace("kind: if", "kind: iff").replace("target: who", "target: whom").replace("Greeting", "Odd")

    ended = await run_at(up.api, written(greeting, wrong), "--input", '{"name": "Ada"}')

    assert ended.status == 2
    assert "ERROR at node known, kind: There is no node kind 'iff'" in ended.stderr
    assert "there is no node 'whom'" in ended.stderr
