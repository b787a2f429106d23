"""`weir test-workflow`: cases beside a file and on a server, and load runs, as processes on servers of their own."""

import os
import shutil
import signal
from collections.abc import AsyncGenerator, Generator
from functools import partial
from pathlib import Path
from xml.etree import ElementTree

import pytest

from app.settings import PROJECT, Settings
from app.stack import Stack, open_stack
from db.connections import EnginePool, engine_pool
from db.migrate import migrate
from tests.acceptance.cluster import until
from tests.acceptance.commands import new_data_directory, processes_that_name, started, weir
from tests.acceptance.served import Api, Served, served

pytestmark = pytest.mark.acceptance

EXAMPLE = PROJECT / "examples" / "order_fulfilment.yaml"
CASES = [
    "A small order is paid and shipped",
    "Without a street nothing is priced",
    "What is out of stock is named",
    "A large order that nobody approves in time is turned down",
    "A declined card is told to the customer",
]
TELLS = """
weir: 1
name: Tells
demo: shop.py
inputSchema: { type: object, required: [n] }
variables: { demo: { default: "http://127.0.0.1:1" } }
nodes:
  - { id: start, kind: trigger }
  - { id: double, kind: set, config: { values: { n: "{{ input.n * 2 }}" }, keepOnly: true } }
  - { id: tell, kind: http, config: { method: POST, url: "{{ vars.demo }}/messages", body: { to: "{{ input.n }}" } } }
  - { id: hold, kind: wait, config: { signal: go } }
  - { id: done, kind: end, config: { output: "{{ steps.double.output.n }}" } }
edges:
  - { source: start, target: double }
  - { source: double, target: tell }
  - { source: tell, target: hold, condition: "trigger.hold" }
  - { source: tell, target: done, condition: "!trigger.hold" }
"""
PAUSES = """
weir: 1
name: Pauses
nodes:
  - { id: start, kind: trigger }
  - { id: pause, kind: delay, config: { seconds: 0.3 } }
edges: [ { source: start, target: pause } ]
"""
HOLDS = "cases: [{ name: Held, input: { n: 1, hold: true } }, { name: Held too, input: { n: 2, hold: true } }]"
CREATE = """mutation ($input: TestCaseCreateInput!) {
  testCaseCreate(input: $input) { testCase { id } errors { message } } }"""


@pytest.fixture(scope="module")
def stack() -> Generator[Stack]:
    """Servers that stay up, so that every command attaches to them."""
    with new_data_directory() as path, open_stack(Settings(data_dir=path), report=print) as servers:
        yield servers


@pytest.fixture(scope="module")
async def pool(stack: Stack) -> AsyncGenerator[EnginePool]:
    await migrate(stack.database_url)
    pool = await engine_pool(stack.database_url, 2)
    yield pool
    await pool.close()


@pytest.fixture(scope="module")
def data_dir(stack: Stack) -> Path:
    return stack.data_dir


@pytest.fixture(scope="module")
async def up() -> AsyncGenerator[Served]:
    with new_data_directory() as path:
        async with served(path) as up:
            yield up


def tells(folder: Path, cases: str) -> Path:
    """The workflow with these cases beside it, and its demo."""
    for name in ("shop.py", "demo_server.py"):
        shutil.copy(EXAMPLE.parent / name, folder / name)
    file = folder / "tells.yaml"
    file.write_text(TELLS)
    (folder / "tells.tests.yaml").write_text(cases)
    return file


async def saved(api: Api, workflow: str, name: str, **more: object) -> None:
    answer = await api.data(CREATE, input={"workflowId": workflow, "name": name, **more})
    assert answer["testCaseCreate"]["errors"] == []


async def waiting(api: Api, number: int) -> bool:
    found = await api.data("{ executions(filter: {test: true, status: [RUNNING, WAITING]}) { totalCount } }")
    return found["executions"]["totalCount"] == number


async def test_the_cases_of_the_example_pass_without_its_shop(data_dir: Path) -> None:
    ended = await weir("test-workflow", EXAMPLE, "--json", "--data-dir", data_dir)

    assert ended.status == 0, ended.stderr
    report = ended.result
    assert (report["workflow"], report["passed"], report["failed"]) == ("Order fulfilment", 5, 0)
    assert [(case["name"], case["passed"], case["failures"]) for case in report["cases"]] == [
        (name, True, []) for name in CASES
    ]
    assert {case["status"] for case in report["cases"]} == {"COMPLETED"}
    assert "[5/5]" in ended.stderr
    assert "demo" not in ended.stderr
    assert not (data_dir / "demo.log").exists()


async def test_only_the_chosen_cases_run(data_dir: Path) -> None:
    ended = await weir("test-workflow", EXAMPLE, "--case", CASES[4], "--case", CASES[1], "--data-dir", data_dir)

    assert ended.status == 0, ended.stderr
    first, second, total = ended.stdout.splitlines()
    assert (first.startswith(f"  ok   {CASES[1]} ("), second.startswith(f"  ok   {CASES[4]} (")) == (True, True)
    assert total == "Order fulfilment: 2 passed, 0 failed"


async def test_what_is_not_as_it_was_to_be_is_told_and_the_status_is_1(data_dir: Path, tmp_path: Path) -> None:
    cases = """
cases:
  - { name: Right, input: { n: 1 }, assertions: [output == 2] }
  - { name: Wrong, input: { n: 1 }, expected: { double: { n: 3 } }, assertions: [output == 3] }
"""
    junit = tmp_path / "report.xml"

    ended = await weir("test-workflow", tells(tmp_path, cases), "--junit", junit, "--data-dir", data_dir)

    assert ended.status == 1, ended.stderr
    right, wrong, *why = ended.stdout.splitlines()
    assert (right.startswith("  ok   Right ("), wrong.startswith("  FAIL Wrong (")) == (True, True)
    assert why == [
        "       node double: output.n is 2, not 3",
        '         expected {"n": 3}',
        '         actual   {"n": 2}',
        "       output == 3 does not hold",
        "         expected true",
        "         actual   false",
        "Tells: 1 passed, 1 failed",
    ]
    (suite,) = ElementTree.parse(junit).getroot()  # noqa: S314 - it is ours
    assert (suite.get("name"), suite.get("tests"), suite.get("failures")) == ("Tells", "2", "1")
    assert [(case.get("name"), [each.get("message") for each in case]) for case in suite] == [
        ("Right", []),
        ("Wrong", ["output.n is 2, not 3"]),
    ]


async def test_a_node_that_may_act_outside_reaches_the_demo(data_dir: Path, tmp_path: Path) -> None:
    cases = """
cases:
  - { name: Told, input: { n: 7 }, effects: [tell], assertions: [steps.tell.output.body.to == 14] }
  - { name: Not told, input: { n: 8 }, assertions: [steps.tell.output.body.to == 16] }
"""
    ended = await weir("test-workflow", tells(tmp_path, cases), "--data-dir", data_dir)

    assert ended.status == 0, ended.stdout + ended.stderr
    assert "demo shop.py serves" in ended.stderr
    assert (data_dir / "demo.log").read_text().count("/messages") == 1


@pytest.mark.parametrize(
    ("cases", "arguments", "told"),
    [
        pytest.param(None, [], ["tells.tests.yaml cannot be read"], id="no cases"),
        pytest.param("cases: []", [], ["tells.tests.yaml has no test case"], id="empty"),
        pytest.param("cases: [", [], ["Line 2, column 1"], id="no YAML"),
        pytest.param(
            "cases: [{ nam: A, pins: { tell: 3 } }]",
            [],
            ["cases.0.name: 'name' is missing", "cases.0.nam: Unknown key 'nam'", "should be an object"],
            id="shape",
        ),
        pytest.param(
            """cases:
              - { name: A, input: {}, variables: { nix: 1 }, pins: { tel: {} }, assertions: [1 +] }
              - { name: B, input: { n: 1 }, expected: { dubble: 1 }, effects: [told], timeout: -1 }
              - { name: B, input: { n: 1 } }""",
            [],
            [
                "cases.0.input.n: The input does not fit its schema: n is missing",
                "cases.0.variables.nix: The workflow has no variable 'nix'",
                "node tel, cases.0.pins.tel: The workflow has no node 'tel'",
                "Did you mean 'tell'?",
                "cases.0.assertions.0: The assertion is no expression",
                "node dubble, cases.1.expected.dubble",
                "node told, cases.1.effects.told",
                "cases.1.timeout: A timeout is more than 0",
                "cases.2.name: 'B' is the name of 2 cases",
            ],
            id="findings",
        ),
        pytest.param(
            "cases: [{ name: One, input: { n: 1 } }]",
            ["--case", "Ome"],
            ["There is no case 'Ome'", "Did you mean 'One'?"],
            id="unknown case",
        ),
        pytest.param("cases: []", ["--load", "0"], ["at least 1 execution"], id="no load"),
        pytest.param("cases: []", ["--load", "5", "--input", "{}"], ["does not fit its schema"], id="load input"),
        pytest.param("cases: []", ["--rate", "5"], ["--input and --rate belong to --load"], id="rate alone"),
        pytest.param("cases: []", ["--key", "k"], ["Give a FILE, or --server"], id="key alone"),
    ],
)
async def test_what_is_wrong_is_named_before_anything_runs_and_the_status_is_2(
    cases: str | None, arguments: list[str], told: list[str], data_dir: Path, tmp_path: Path
) -> None:
    file = tells(tmp_path, cases or "")
    if cases is None:
        file.with_suffix(".tests.yaml").unlink()

    ended = await weir("test-workflow", file, *arguments, "--data-dir", data_dir)

    assert (ended.status, ended.stdout) == (2, ""), ended.stderr
    assert [text for text in told if text not in ended.stderr] == [], ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize(("more", "number"), [((), 2), (("--load", "9", "--concurrency", "3"), 3)])
async def test_ctrl_c_cancels_what_runs_and_the_status_is_130(
    more: tuple[str, ...], number: int, data_dir: Path, pool: EnginePool, tmp_path: Path
) -> None:
    async with started("test-workflow", tells(tmp_path, HOLDS), *more, "--json", "--data-dir", data_dir) as command:
        await until("all wait", 30, lambda: held(pool, number))
        command.press_ctrl_c()
        ended = await command.ended()

    assert ended.status == 130, ended.stderr
    assert await held(pool, 0)
    if more:
        assert ended.result["statuses"] == {"CANCELLED": 3}
    else:
        assert [(case["passed"], case["status"]) for case in ended.result["cases"]] == [(False, "CANCELLED")] * 2


async def held(pool: EnginePool, number: int) -> bool:
    """Whether so many executions have come to a wait and are not over."""
    return number == await pool.fetchval(
        "SELECT count(*) FROM execution_event e JOIN execution x ON x.id = e.execution_id"
        " WHERE x.finished_at IS NULL AND x.test AND e.kind = 'WAITING'"
    )


async def test_a_load_run_is_measured(data_dir: Path, tmp_path: Path) -> None:
    file = tells(tmp_path, "cases: [{ name: One, input: { n: 1 } }]")

    ended = await weir("test-workflow", file, "--load", "300", "--concurrency", "20", "--json", "--data-dir", data_dir)

    assert ended.status == 0, ended.stderr
    report = ended.result
    assert (report["workflow"], report["case"], report["begun"], report["running"]) == ("Tells", "One", 300, 0)
    assert (report["statuses"], report["errors"]) == ({"COMPLETED": 300}, {})
    assert report["perSecond"] > 0
    assert report["durations"]["p50Ms"] <= report["durations"]["p99Ms"] <= report["durations"]["maxMs"]
    assert {(node["node"], node["attempts"]) for node in report["nodes"]} == {
        (node, 300) for node in ("start", "double", "tell", "done")
    }
    assert "300 of 300 over, 0 under way" in ended.stderr


async def test_a_load_run_in_which_something_fails_ends_with_1(data_dir: Path, tmp_path: Path) -> None:
    file = tells(tmp_path, "cases: [{ name: One, input: { n: 1, hold: true }, timeout: 0.3 }]")

    ended = await weir("test-workflow", file, "--load", "5", "--data-dir", data_dir)

    assert ended.status == 1, ended.stderr
    assert "  failed           5\n    EXECUTION_TIMEOUT            5\n" in ended.stdout


async def test_cases_that_are_saved_on_a_server_run_there(up: Served, tmp_path: Path) -> None:
    workflow = await up.api.published(TELLS)
    await saved(up.api, workflow, "Right", input={"n": 1}, assertions=["output == 2"])
    await saved(up.api, workflow, "Wrong", input={"n": 1}, expected=[{"node": "double", "output": {"n": 3}}])
    where = ("--server", up.url, "--key", up.api.key)

    both = await weir("test-workflow", *where, "--workflow", "Tells", "--json")
    one = await weir("test-workflow", tells(tmp_path, "cases: []"), *where, "--case", "Right")
    load = await weir("test-workflow", *where, "--workflow", workflow, "--load", "50", "--case", "Right", "--json")
    input_ = await weir("test-workflow", *where, "--workflow", "Tells", "--load", "3", "--input", '{"n": 5}')

    assert both.status == 1, both.stderr
    right, wrong = both.result["cases"]
    assert (right["name"], right["passed"], right["status"]) == ("Right", True, "COMPLETED")
    assert (wrong["name"], wrong["failures"]) == (
        "Wrong",
        [
            {
                "message": "output.n is 2, not 3",
                "node": "double",
                "path": "double",
                "expected": {"n": 3},
                "actual": {"n": 2},
            }
        ],
    )
    assert "[2/2]" in both.stderr
    assert (one.status, one.stdout.splitlines()[-1]) == (0, "Tells: 1 passed, 0 failed")
    assert (load.status, load.result["begun"], load.result["statuses"]) == (0, 50, {"COMPLETED": 50})
    assert (input_.status, input_.stdout.splitlines()[0].startswith("Tells, input: 3 executions in ")) == (0, True)


async def test_what_a_server_does_not_have_is_told(up: Served) -> None:
    where = ("--server", up.url, "--key", up.api.key)

    missing = await weir("test-workflow", *where, "--workflow", "Nowhere")
    nothing = await weir("test-workflow", *where)
    stranger = await weir("test-workflow", "--server", up.url, "--key", "weir_no", "--workflow", "Nowhere")

    assert [each.status for each in (missing, nothing, stranger)] == [2, 2, 2]
    assert "There is no workflow Nowhere" in missing.stderr
    assert "--server needs a FILE or --workflow" in nothing.stderr
    assert "does not accept this key" in stranger.stderr


async def test_ctrl_c_cancels_what_runs_on_the_server(up: Served) -> None:
    workflow = await up.api.published(TELLS.replace("name: Tells", "name: Held"))
    await saved(up.api, workflow, "Held", input={"n": 1, "hold": True})
    where = ("--server", up.url, "--key", up.api.key, "--workflow", workflow)

    for more, number in (("--json",), 1), (("--load", "9", "--concurrency", "3", "--json"), 3):
        async with started("test-workflow", *where, *more) as command:
            await until("they wait", 20, partial(waiting, up.api, number))
            command.press_ctrl_c()
            ended = await command.ended()

        assert ended.status == 130, ended.stderr
        assert await waiting(up.api, 0)
        if number == 3:
            assert ended.result["statuses"] == {"CANCELLED": 3}
        else:
            assert [case["status"] for case in ended.result["cases"]] == ["CANCELLED"]


async def test_a_load_run_goes_on_when_its_worker_is_killed_and_begins_nothing_twice(up: Served) -> None:
    workflow = await up.api.published(PAUSES)
    start = """mutation ($id: ID!) { loadRunStart(input: { workflowId: $id, count: 120, concurrency: 20 }) {
      loadRun { id } errors { message } } }"""
    run = (await up.api.data(start, id=workflow))["loadRunStart"]["loadRun"]["id"]
    await until("it is under way", 20, lambda: begun(up.api, run, 30))

    for pid in workers_of(up.data_dir):
        os.kill(pid, signal.SIGKILL)

    await until("it is over", 60, lambda: finished(up.api, run))
    read = """query ($id: ID!) { loadRun(id: $id) {
      begun executions { totalCount } report { begun statuses { status count } } } }"""
    assert (await up.api.data(read, id=run))["loadRun"] == {
        "begun": 120,
        "executions": {"totalCount": 120},
        "report": {"begun": 120, "statuses": [{"status": "COMPLETED", "count": 120}]},
    }


async def begun(api: Api, run: str, number: int) -> bool:
    return (await api.data("query ($id: ID!) { loadRun(id: $id) { begun } }", id=run))["loadRun"]["begun"] >= number


async def finished(api: Api, run: str) -> bool:
    found = await api.data("query ($id: ID!) { loadRun(id: $id) { finishedAt } }", id=run)
    return found["loadRun"]["finishedAt"] is not None


def workers_of(data_dir: Path) -> list[int]:
    found = [pid for pid, line in processes_that_name(data_dir).items() if "app.cli worker" in line]
    assert found
    return found
