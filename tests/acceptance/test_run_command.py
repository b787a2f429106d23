"""`weir run`: the README's first command and what surrounds it, as processes on servers of their own."""

import asyncio
import json
import re
import signal
from collections import Counter
from collections.abc import AsyncGenerator, Generator
from dataclasses import dataclass
from pathlib import Path

import pytest

from app.settings import PROJECT, Settings
from app.stack import Stack, open_stack
from db.connections import EnginePool, engine_pool
from db.migrate import migrate
from tests.acceptance.cluster import until
from tests.acceptance.commands import Ended, new_data_directory, processes_that_name, started, weir
from tests.acceptance.served import served

pytestmark = pytest.mark.acceptance

EXAMPLES = PROJECT / "examples"
ADDRESS = "The address is incomplete"
ORDERS = {
    "W-1001": ("fulfilled", None, 128.9),
    "W-1002": ("fulfilled", None, 129),
    "W-1003": ("fulfilled", None, 778),
    "W-1004": ("fulfilled", None, 778),
    "W-1005": ("turned down", "Out of stock: RUG-WOOL", 557),
    "W-1006": ("fulfilled", None, 538.5),
    "W-1007": ("fulfilled", None, 4152),
    "W-1008": ("turned down", ADDRESS, None),
    "W-1009": ("fulfilled", None, 337.6),
    "W-1010": ("fulfilled", None, 308.5),
    "W-1011": ("fulfilled", None, 1299),
    "W-1012": ("turned down", "The card was declined", 389),
    "W-1013": ("fulfilled", None, 649),
    "W-1014": ("turned down", "Out of stock: SOFA-3", 6495),
    "W-1015": ("turned down", "Not approved by operations@shop.example", 8797),
    "W-1016": ("fulfilled", None, 534),
    "W-1017": ("turned down", "The customer is on the list of fraud cases", 387),
    "W-1018": ("fulfilled", None, 438.8),
    "W-1019": ("turned down", "Nobody approved it in time", 2016),
    "W-1020": ("fulfilled", None, 302.5),
    "W-1021": ("turned down", ADDRESS, None),
    "W-1022": ("fulfilled", None, 2598),
    "W-1023": ("fulfilled", None, 907),
    "W-1024": ("turned down", ADDRESS, None),
    "W-1025": ("fulfilled", None, 777.9),
}
"""What becomes of each order: its status, why, and what it comes to."""
CALLS = {
    "POST /prices 200": 22,  # all but the three incomplete addresses
    "POST /prices 503": 2,  # W-1013 needs three attempts
    "POST /stock 200": 22,
    "GET /customers 200": 22,
    "POST /approvals 200": 5,  # above 1,000
    "POST /payments 200": 17,
    "POST /shipments 200": 16,
    "POST /messages 200": 25,
}
"""What the shop was asked for: one more anywhere would be a finished step done again."""
INVOICES = {
    "2026-0412": ("paid", None),
    "2026-0418": ("paid", None),
    "LE-5531": ("paid", None),
    "KM-880": ("paid", None),
    "KM-881": ("turned down", "Not approved"),
    "F-2207": ("paid", None),
    "LE-5540": ("turned down", "The lines come to 95000 cents, the invoice says 99500"),
    "LE-5541": ("turned down", "It asks for more than was ordered"),
    "2026-0311": ("turned down", "It was paid before"),
    "KM-882": ("turned down", "The bank account is not the one on file"),
    "A-1": ("turned down", "The vendor is not known"),
}
TICKETS = {
    "T-501": ("resolved", None, "Maja"),
    "T-502": ("resolved", "An outage at an enterprise customer", "Sofia"),
    "T-503": ("resolved", "The agent asked for help", "Ada"),
    "T-504": ("resolved", None, "Yara"),
    "T-505": ("resolved", "Nobody answered in time", "Luca"),
    "T-506": ("resolved", None, "Emil"),
    "T-507": ("handed over", "Now with the on-call engineer of billing", None),
    "T-508": ("resolved", "The agent asked for help", "Noor"),
    "T-509": ("resolved", None, "Maja"),
    "T-510": ("resolved", None, "Jonas"),
}
GREETING = """
weir: 1
name: Greeting
variables: { mark: { default: "!" } }
inputSchema: { type: object, required: [name] }
nodes:
  - { id: start, kind: trigger }
  - { id: known, kind: if, config: { condition: "{{ trigger.name !== 'stranger' }}" } }
  - { id: hello, kind: end, config: { output: "Hello, {{ trigger.name }}{{ vars.mark }}" } }
  - { id: who, kind: fail, config: { message: "Who are you?" } }
edges:
  - { source: start, target: known }
  - { source: known, sourceHandle: "true", target: hello }
  - { source: known, sourceHandle: "false", target: who }
"""
HELD = """
weir: 1
name: Held
demo: shop.py
nodes:
  - { id: start, kind: trigger }
  - { id: tell, kind: http, config: { method: POST, url: "{{ vars.demo }}/messages", body: { to: "{{ trigger }}" } } }
  - { id: hold, kind: %s }
  - { id: done, kind: end, config: { output: "{{ steps.tell.output.body.to }}" } }
edges:
  - { source: start, target: tell }
  - { source: tell, target: hold }
  - { source: hold, target: done }
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A data directory whose servers stay up, so that every run attaches to them."""

    data_dir: Path
    pool: EnginePool

    async def statuses(self, workflow: str) -> list[str]:
        """Of the executions of the workflow of this name."""
        rows = await self.pool.fetch(
            "SELECT x.status FROM execution x JOIN workflow w ON w.id = x.workflow_id WHERE w.name = $1", workflow
        )
        return [row["status"] for row in rows]

    async def waiting(self, workflow: str) -> int:
        """How many executions of this workflow have come to a wait."""
        return await self.pool.fetchval(
            "SELECT count(*) FROM execution_event e JOIN execution x ON x.id = e.execution_id"
            " JOIN workflow w ON w.id = x.workflow_id WHERE w.name = $1 AND e.kind = 'WAITING'",
            workflow,
        )


@pytest.fixture(scope="module")
def stack() -> Generator[Stack]:
    with new_data_directory() as path, open_stack(Settings(data_dir=path), report=print) as servers:
        yield servers


@pytest.fixture(scope="module")
async def site(stack: Stack) -> AsyncGenerator[Site]:
    await migrate(stack.database_url)
    pool = await engine_pool(stack.database_url, 2)
    yield Site(data_dir=stack.data_dir, pool=pool)
    await pool.close()


@pytest.fixture
def greeting(tmp_path: Path) -> Path:
    return written(tmp_path / "greeting.yaml", GREETING)


def written(file: Path, text: str) -> Path:
    file.write_text(text)
    return file


def with_demo(folder: Path, hold: str, name: str) -> Path:
    """A workflow that tells the shop, then holds; with a shop of its own beside it."""
    for script in ("shop.py", "demo_server.py"):
        (folder / script).write_text((EXAMPLES / script).read_text())
    return written(folder / "held.yaml", (HELD % hold).replace("name: Held", f"name: {name}"))


def outcomes(ended: Ended, key: str, *names: str) -> dict[str, tuple[object, ...]]:
    """The named parts of each output by the value of `key`; every execution has completed."""
    assert {(each["status"], each["error"]) for each in ended.result} == {("COMPLETED", None)}
    outputs = [each["output"] for each in ended.result]
    return {output[key]: tuple(output.get(name) for name in names) for output in outputs}


def requests(log: Path) -> Counter[str]:
    """`POST /stock 200` and how often; of a path only its first part."""
    return Counter(
        f"{method} /{first} {status}"
        for method, first, status in re.findall(r'"(\w+) /([\w-]+)\S* HTTP/1.1" (\d+)', log.read_text())
    )


async def test_the_first_command_of_the_readme_runs_25_orders_on_a_bare_data_directory() -> None:
    command = re.findall(r"^    ./weir (run .*)$", (PROJECT / "README.md").read_text(), re.MULTILINE)[0]
    assert command == "run examples/order_fulfilment.yaml --each @examples/order_fulfilment.orders.json"

    with new_data_directory() as data_dir:
        ended = await weir(*command.split(), "--data-dir", data_dir)

        assert ended.status == 0, ended.stderr
        assert outcomes(ended, "orderId", "status", "reason", "total") == ORDERS
        assert [each["output"]["orderId"] for each in ended.result] == list(ORDERS), "in the order of the inputs"
        assert sorted(re.findall(r"^\[(\d+)/25\]", ended.stderr, re.MULTILINE), key=int) == [
            str(number) for number in range(1, 26)
        ]
        assert requests(data_dir / "demo.log") == CALLS
        assert processes_that_name(data_dir) == {}


async def test_the_other_examples_run_at_once_beside_an_up_and_each_keeps_to_its_own(site: Site) -> None:
    async with served(site.data_dir):
        invoices, tickets = await asyncio.gather(
            weir("run", *example("invoice_processing", "invoices"), "--data-dir", site.data_dir),
            weir("run", *example("support_escalation", "tickets"), "--data-dir", site.data_dir),
        )

    assert (invoices.status, tickets.status) == (0, 0), invoices.stderr + tickets.stderr
    assert outcomes(invoices, "invoice", "status", "reason") == INVOICES
    assert outcomes(tickets, "ticket", "status", "reason", "agent") == TICKETS


def example(name: str, inputs: str) -> tuple[str, ...]:
    return f"examples/{name}.yaml", "--each", f"@examples/{name}.{inputs}.json"


async def test_the_workflow_of_the_readme_greets(site: Site, tmp_path: Path) -> None:
    readme = (PROJECT / "README.md").read_text()
    document = re.findall(r"```yaml\n(.*?)```", readme, re.DOTALL)[0]
    assert """./weir run greeting.yaml --input '{"name": "Ada"}'""" in readme

    file = written(tmp_path / "greeting.yaml", document)
    ended = await weir("run", file, "--input", '{"name": "Ada"}', "--data-dir", site.data_dir)

    assert (ended.status, ended.stdout) == (0, '"Hello, Ada!"\n'), "its output and nothing else"
    assert re.search(r"^completed hello", ended.stderr, re.MULTILINE)


async def test_a_single_run_tells_its_status_too_when_asked_to(site: Site, greeting: Path) -> None:
    options = ("--var", "mark=?", "--json", "--data-dir", site.data_dir)

    ended = await weir("run", greeting, "--input", '{"name": "Ada"}', *options)

    assert (ended.status, ended.result) == (0, {"status": "COMPLETED", "output": "Hello, Ada?", "error": None})


async def test_a_failed_execution_ends_the_command_with_1(site: Site, greeting: Path) -> None:
    people = written(greeting.with_name("people.json"), json.dumps([{"name": "Ada"}, {"name": "stranger"}]))

    ended = await weir("run", greeting, "--each", f"@{people}", "--data-dir", site.data_dir)

    assert ended.status == 1
    first, second = ended.result
    assert first == {"status": "COMPLETED", "output": "Hello, Ada!", "error": None}
    assert (second["status"], second["output"], second["error"]["message"]) == ("FAILED", None, "Who are you?")


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


async def test_a_connection_that_is_not_there_is_told_and_the_workflow_runs(site: Site, tmp_path: Path) -> None:
    file = written(tmp_path / "unconnected.yaml", UNCONNECTED)

    ended = await weir("run", file, "--input", "{}", "--data-dir", site.data_dir)

    assert (ended.status, ended.result) == (0, "done")
    assert "warning at node mail, config.connection: There is no connection 'Our mail'" in ended.stderr


WRONG_GRAPH = """
weir: 1
name: Wrong
nodes:
  - { id: start, kind: trigger }
  - { id: hold, kind: wait, config: { signal: go, timeout: -1 } }
  - { id: odd, kind: nothing }
edges:
  - { source: start, target: hold }
  - { source: hold, target: nowhere }
"""


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        pytest.param(["nowhere.yaml"], ["nowhere.yaml cannot be read: No such file"], id="no file"),
        pytest.param(["people.txt"], ["people.txt is no workflow file", ".yaml, .yml, .json"], id="unknown extension"),
        pytest.param(["broken.yaml"], ["Line 4, column 1: did not find expected node content"], id="no YAML"),
        pytest.param(
            ["wrong.yaml"],
            [
                "ERROR at node hold, config.timeout: timeout should be greater than 0, not -1",
                "ERROR at node odd, kind: There is no node kind 'nothing'",
                "Known: ai, approval, cancel,",
                "there is no node 'nowhere'",
                "WARNING at node odd",
            ],
            id="invalid graph",
        ),
        pytest.param(["greeting.yaml", "--input", "{name}"], ["--input is no JSON", "@FILE"], id="input no JSON"),
        pytest.param(["greeting.yaml", "--each", "3"], ["--each is no list"], id="each no list"),
        pytest.param(["greeting.yaml", "--each", "@none.json"], ["none.json cannot be read"], id="no inputs"),
        pytest.param(["greeting.yaml", "--var", "mark"], ["--var 'mark' has no value"], id="variable no value"),
        pytest.param(
            ["greeting.yaml", "--input", '{"name": 1}', "--var", "nix=1"],
            ["The workflow has no variable 'nix'", "mark"],
            id="unknown variable",
        ),
        pytest.param(
            ["greeting.yaml", "--each", '[{"name": "Ada"}, {}]'],
            ["Element 1 of --each", "name is missing"],
            id="input refused by its schema",
        ),
    ],
)
async def test_wrong_input_is_told_and_ends_the_command_with_2(
    arguments: list[str], told: list[str], site: Site, greeting: Path
) -> None:
    folder = greeting.parent
    written(folder / "people.txt", "Ada")
    written(folder / "broken.yaml", "weir: 1\nname: Broken\nnodes: [")
    written(folder / "wrong.yaml", WRONG_GRAPH)
    file, *rest = [text.replace("@", f"@{folder}/") for text in arguments]

    ended = await weir("run", folder / file, *rest, "--data-dir", site.data_dir)

    assert (ended.status, ended.stdout) == (2, ""), ended.stderr
    assert [text for text in told if text not in ended.stderr] == [], ended.stderr
    assert "Traceback" not in ended.stderr


async def test_ctrl_c_cancels_what_runs_and_ends_the_command_with_130(site: Site, tmp_path: Path) -> None:
    file = with_demo(tmp_path, "wait, config: { signal: go }", "Interrupted")

    async with started("run", file, "--each", "[1, 2, 3]", "--data-dir", site.data_dir) as run:
        await until("all wait", 20, lambda: came_to(site, "Interrupted", 3))
        run.press_ctrl_c()
        ended = await run.ended()

    assert (ended.status, ended.result) == (130, [{"status": "CANCELLED", "output": None, "error": None}] * 3)
    assert await site.statuses("Interrupted") == ["CANCELLED"] * 3
    assert processes_that_name(tmp_path) == {}, "the demo is gone too"


async def test_what_a_killed_run_began_is_finished_by_the_next_up(site: Site, tmp_path: Path) -> None:
    file = with_demo(tmp_path, "delay, config: { seconds: 4 }", "Killed")
    log = site.data_dir / "demo.log"
    before = requests(log) if log.exists() else Counter[str]()

    async with started("run", file, "--each", "[1, 2, 3]", "--data-dir", site.data_dir) as run:
        await until("all wait", 20, lambda: came_to(site, "Killed", 3))
        run.send(signal.SIGKILL)
        assert (await run.ended()).status == -signal.SIGKILL
    async with started("up", "--port", "0", "--data-dir", site.data_dir) as up:
        await until("all are over", 30, lambda: have_status(site, "Killed", "COMPLETED", 3))
        up.send(signal.SIGTERM)
        assert (await up.ended()).status == 0

    assert requests(log) - before == {"POST /messages 200": 3}, "nobody was told twice"
    assert processes_that_name(tmp_path) == {}, "the demo has noticed that its run is gone"


async def came_to(site: Site, workflow: str, number: int) -> bool:
    return await site.waiting(workflow) == number


async def have_status(site: Site, workflow: str, status: str, number: int) -> bool:
    return await site.statuses(workflow) == [status] * number
