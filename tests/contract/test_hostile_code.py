"""Hostile code: each piece fails its own step, says why, and leaves nothing behind for the next or for others."""

import asyncio
import os
import signal
from collections.abc import AsyncGenerator
from dataclasses import replace
from pathlib import Path

import pytest

from domain.engine.outcomes import Completed, Failed
from domain.json import JSON, JSONObject
from jobs.outgoing import Outgoing
from jobs.sandbox import Evaluated, FailureKind, Language, Limits, Sandbox, Script, Value
from jobs.sandbox import Failed as Stopped
from tests.contract.sandbox_processes import gone, sandbox_processes, workers
from tests.unit.http_server import Answer, Server, http_server
from tests.unit.node_world import NodeWorld, node_world

JS, PY = Language.JAVASCRIPT, Language.PYTHON
BOMB = "/^(a+)+$/.test('a'.repeat(40) + 'b')"

TIMEOUT = "CODE_TIMEOUT"
MEMORY = "CODE_OUT_OF_MEMORY SANDBOX_CRASHED"  # QuickJS may fall over its own error when no memory is left for one
DEEP = "CODE_FAILED"
FAILED = "CODE_FAILED"
OUTPUT = "CODE_OUTPUT_REFUSED"

HOSTILE = [
    ("an infinite loop", JS, "while (true);", TIMEOUT),
    ("a loop that catches", JS, "for (;;) try { while (true); } catch (e) {}", TIMEOUT),
    ("an endless chain of promises", JS, "for (;;) await null", TIMEOUT),
    ("a promise that never settles", JS, "await new Promise(() => {})", FAILED),
    ("a loop while it is written down", JS, "return {toJSON() { while (true); }}", TIMEOUT),
    ("a loop in a proxy", JS, "return new Proxy({}, {ownKeys() { while (true); }})", TIMEOUT),
    ("a regular-expression bomb", JS, f"return {BOMB}", TIMEOUT),
    ("a bomb of look-arounds", JS, "return /(?=(a+))*\\1*b/.test('a'.repeat(1e5))", TIMEOUT),
    ("a list without end", JS, "const all = []; for (;;) all.push('x' + all.length)", MEMORY),
    ("a string that doubles", JS, "let s = 'x'; for (;;) s += s", MEMORY),
    ("a huge buffer", JS, "return new ArrayBuffer(1e10).byteLength", f"{MEMORY} {FAILED}"),
    ("a map without end", JS, "const m = new Map(); for (let i = 0;; i++) m.set(i, [i])", MEMORY),
    ("promises without end", JS, "const f = async () => { await null; f(); f() }; f(); for (;;) await null",
     f"{MEMORY} {TIMEOUT}"),
    ("deep recursion", JS, "const f = () => f() + 1; return f()", DEEP),
    ("deep recursion while reading", JS, "return JSON.parse('['.repeat(1e6))", DEEP),
    ("a huge output", JS, "return 'x'.repeat(5e6)", OUTPUT),
    ("an output too deep", JS, "let d = []; for (let i = 0; i < 1500; i++) d = [d]; return d", f"{OUTPUT} {DEEP}"),
    ("a file by require", JS, "return require('fs').readFileSync('/etc/passwd')", FAILED),
    ("a file by import", JS, "return await import('/etc/passwd')", FAILED),
    ("a module of the system", JS, "return await import('os')", FAILED),
    ("a process", JS, "return process.env", FAILED),
    ("the constructor of a constructor", JS, "return ({}).constructor.constructor('return process')().pid", FAILED),
    ("the constructor of fetch", JS, "return fetch.constructor('return process')()", FAILED),
    ("the constructor of a generator", JS, "return (function* () {}).constructor('return require(\"fs\")')().next()",
     FAILED),
    ("a prototype as a way out", JS, "return this.__proto__.__proto__.constructor.constructor('return std')()", FAILED),
    ("a domain not allowed", JS, "return await fetch('https://example.com')", FAILED),
    ("a request of another kind", JS, "return await fetch('file:///etc/passwd')", FAILED),
    ("an infinite loop", PY, "while True: pass", TIMEOUT),
    ("a loop that catches", PY, "while True:\n  try:\n    while True: pass\n  except BaseException: pass", TIMEOUT),
    ("a long sum", PY, "return sum(range(10 ** 12))", TIMEOUT),
    ("a long sleep", PY, "import time\ntime.sleep(3600)", TIMEOUT),
    ("a list without end", PY, "x = []\nwhile True: x.append('y' * 1000)", MEMORY),
    ("a huge number", PY, "return 9 ** 9 ** 9", MEMORY),
    ("a huge string", PY, "return len('x' * 10 ** 10)", MEMORY),
    ("a huge list", PY, "return list(range(10 ** 10))", MEMORY),
    ("deep recursion", PY, "def f(): return f()\nreturn f()", DEEP),
    ("deep nesting of the source", PY, "x = " + "[" * 5000 + "]" * 5000, "CODE_INVALID"),
    ("a huge output", PY, "return 'x' * 5_000_000", OUTPUT),
    ("an output too deep", PY, "x = []\nfor i in range(100000): x = [x]\nreturn x", OUTPUT),
    ("an output that is no JSON", PY, "return b'x'", OUTPUT),
    ("a file", PY, "return open('/etc/passwd').read()", FAILED),
    ("a file by pathlib", PY, "import pathlib\nreturn pathlib.Path('/etc/passwd').read_text()", FAILED),
    ("a file to write", PY, "open('/tmp/x', 'w').write('x')", FAILED),
    ("a directory", PY, "import os\nreturn os.listdir('/')", FAILED),
    ("the environment", PY, "import os\nreturn os.environ['PATH']", FAILED),
    ("a command", PY, "import os\nreturn os.system('id')", FAILED),
    ("subprocess", PY, "import subprocess", FAILED),
    ("ctypes", PY, "import ctypes", FAILED),
    ("a socket", PY, "import socket", FAILED),
    ("an import by name", PY, "return __import__('os')", FAILED),
    ("an import by exec", PY, "exec('import subprocess')", FAILED),
    ("the subclasses of object", PY, "return ().__class__.__bases__[0].__subclasses__()", FAILED),
    ("a class by getattr", PY, "return getattr(input, '__cl' + 'ass__')", FAILED),
    ("a class by format", PY, "return '{0.__class__}'.format(input)", FAILED),
    ("the globals of a function", PY, "return (lambda: 0).__globals__", FAILED),
    ("the code of a function", PY, "return (lambda: 0).__code__", FAILED),
    ("the frame of an error", PY, "try:\n  1 / 0\nexcept Exception as e:\n  return e.__traceback__.tb_frame", FAILED),
    ("the builtins", PY, "return __builtins__", FAILED),
    ("a domain not allowed", PY, "return fetch('https://example.com')", FAILED),
]  # fmt: skip


@pytest.fixture(scope="module")
async def world() -> AsyncGenerator[NodeWorld]:
    others = set(sandbox_processes())  # of an API or a worker that other tests keep
    async with node_world() as world:
        yield world
    assert sandbox_processes(others) == {}


async def _run(
    world: NodeWorld, language: Language, source: str, *, timeout: float = 0.5, memory: int = 32, **config: JSON
) -> Completed | Failed:
    outcome = await world.run(
        "code", {"language": language, "source": source, "timeout": timeout, "memory": memory, **config}, input={}
    )
    assert isinstance(outcome, Completed | Failed)
    return outcome


@pytest.mark.parametrize(
    ("language", "source", "codes"), [pytest.param(*case, id=f"{case[0]}: {name}") for name, *case in HOSTILE]
)
async def test_hostile_code_fails_its_step_and_the_next_is_fine(
    world: NodeWorld, language: Language, source: str, codes: str
) -> None:
    outcome = await _run(world, language, source)

    assert isinstance(outcome, Failed)
    assert (outcome.code in codes.split(), bool(outcome.remedy)) == (True, True), outcome
    assert outcome.usage is not None
    assert len(outcome.message) <= 1_100
    after = await _run(world, language, "return 6 * 7", timeout=5)
    assert isinstance(after, Completed)
    assert after.output == 42


@pytest.mark.parametrize(
    ("language", "source"),
    [(JS, "for (let i = 0; i < 1e5; i++) console.log('x'.repeat(100)); return 1"),
     (JS, "for (let i = 0; i < 100; i++) console.log('x'.repeat(1e5)); return 1"),
     (PY, "for i in range(100000): print('x' * 100)\nreturn 1"),
     (PY, "for i in range(100): print('x' * 100000)\nreturn 1")],
)  # fmt: skip
async def test_a_flood_of_lines_is_cut_and_says_so(world: NodeWorld, language: Language, source: str) -> None:
    outcome = await _run(world, language, source, timeout=5, memory=64)

    assert isinstance(outcome, Completed)
    assert len(outcome.logs) <= 1_001
    assert sum(len(line.message) for line in outcome.logs) < 300_000
    assert outcome.logs[-1].message.endswith("more lines were dropped")


TAMPERING = {
    JS: (
        "Object.prototype.leak = 1; Array.prototype.map = null; JSON.stringify = () => '\"forged\"';"
        " globalThis.mine = 1; Promise.prototype.then = null; console.log = null; return 1",
        "return [typeof ({}).leak, typeof [].map, JSON.stringify(1), typeof mine, typeof Promise.prototype.then,"
        " typeof console.log]",
        ["undefined", "function", "1", "undefined", "function", "function"],
    ),
    PY: (
        "import json\nmine = 1\njson.mine = 1\njson.dumps = None\nreturn 1",
        "import json\nresult = [json.dumps([1])]\n"
        "try:\n  result.append(mine)\nexcept NameError:\n  result.append('clean')\n"
        "return result + [hasattr(json, 'mine')]",
        ["[1]", "clean", False],
    ),
}


@pytest.mark.parametrize("language", Language)
async def test_what_code_tampers_with_is_gone_in_the_next_run_and_for_other_tenants(language: Language) -> None:
    tampering, probe, clean = TAMPERING[language]
    async with Sandbox(size=1) as sandbox:
        await _script(sandbox, "one", language, tampering)
        assert await _script(sandbox, "one", language, probe) == Value(value=clean)
        assert await _script(sandbox, "two", language, probe) == Value(value=clean)
        assert await sandbox.evaluate("two", ["typeof ({}).leak + typeof [].map"], {}) == [
            Value(value="undefinedfunction")
        ]


async def _script(sandbox: Sandbox, tenant: str, language: Language, source: str, seconds: float = 5.0) -> Evaluated:
    script = Script(language=language, source=source, scope={}, limits=Limits(seconds=seconds))
    return (await sandbox.run(tenant, script)).outcome


@pytest.mark.parametrize("language", Language)
async def test_a_killed_sandbox_fails_its_step_alone(language: Language) -> None:
    others = set(sandbox_processes())
    async with Sandbox(size=1) as sandbox:
        assert await _script(sandbox, "t", language, "return 1") == Value(value=1)
        before = sandbox_processes(others)
        [main] = [pid for pid, command in before.items() if not command.startswith("monty")]
        run = asyncio.create_task(_script(sandbox, "t", language, _forever(language)))
        await asyncio.sleep(0)
        os.kill(main, signal.SIGKILL)
        outcome = await run
        assert isinstance(outcome, Stopped)
        assert outcome.kind is FailureKind.CRASHED
        assert await gone(before)
        assert await _script(sandbox, "t", language, "return 2") == Value(value=2)
    assert sandbox_processes(others) == {}


async def test_a_killed_monty_worker_fails_its_step_alone() -> None:
    others = set(sandbox_processes())
    async with Sandbox(size=1) as sandbox:
        assert await _script(sandbox, "t", PY, "return 1") == Value(value=1)
        before = sandbox_processes(others)
        run = asyncio.create_task(_script(sandbox, "t", PY, _forever(PY)))
        await asyncio.sleep(0)
        for pid in workers(others):
            os.kill(pid, signal.SIGKILL)
        outcome = await run
        assert isinstance(outcome, Stopped)
        assert outcome.kind is FailureKind.CRASHED
        assert await gone(before)
        assert await _script(sandbox, "t", PY, "return 2") == Value(value=2)


@pytest.mark.parametrize("language", Language)
async def test_a_cancelled_run_takes_its_processes_with_it(language: Language) -> None:
    others = set(sandbox_processes())
    async with Sandbox(size=1) as sandbox:
        await _script(sandbox, "t", language, "return 1")
        before = sandbox_processes(others)
        run = asyncio.create_task(_script(sandbox, "t", language, _forever(language)))
        await asyncio.sleep(0)
        run.cancel()
        with pytest.raises(asyncio.CancelledError):
            await run
        assert await gone(before)


def _forever(language: Language) -> str:
    return "while (true);" if language is JS else "while True: pass"


@pytest.mark.parametrize("language", Language)
async def test_a_tenants_hostile_code_takes_only_its_own_places(language: Language) -> None:
    others = set(sandbox_processes())
    async with Sandbox(size=3, each=2) as sandbox:
        hostile = [
            asyncio.create_task(_script(sandbox, "bad", language, _forever(language), seconds=30)) for _ in range(6)
        ]
        assert await asyncio.wait_for(_script(sandbox, "good", language, "return 1"), 10) == Value(value=1)
        assert await sandbox.evaluate("good", ["[1].map(x => x + 1)"], {}) == [Value(value=[2])]
        assert not any(task.done() for task in hostile)
        for task in hostile:
            task.cancel()
        await asyncio.gather(*hostile, return_exceptions=True)
    assert sandbox_processes(others) == {}


@pytest.fixture
async def server() -> AsyncGenerator[Server]:
    async with http_server() as server:
        yield server


@pytest.mark.parametrize(
    ("language", "source"),
    [(JS, "return (await fetch(vars.url)).status"), (PY, "return fetch(vars['url'])['status']")],
)
async def test_a_private_address_is_refused_though_its_domain_is_allowed(
    world: NodeWorld, server: Server, language: Language, source: str
) -> None:
    strict = Outgoing()
    guarded = replace(world, supplies=replace(world.supplies, http=strict))
    outcome = await guarded.run(
        "code", {"language": language, "source": source, "allowedDomains": ["127.0.0.1"]}, vars={"url": server.url}
    )
    await strict.close()

    assert isinstance(outcome, Failed)
    assert "ADDRESS_REFUSED" in outcome.message
    assert server.received == []


async def test_a_redirect_leads_to_no_domain_that_is_not_allowed(server: Server) -> None:
    server.answers["/"] = Answer(status=302, headers={"location": server.url.replace("127.0.0.1", "localhost") + "/x"})
    async with node_world(allow=(server.host, server.host.replace("127.0.0.1", "localhost"))) as world:
        outcome = await world.run(
            "code",
            {"source": "return (await fetch(vars.url)).status", "allowedDomains": ["127.0.0.1"]},
            vars={"url": f"{server.url}/"},
        )

    assert isinstance(outcome, Failed)
    assert "is not allowed; add 'localhost' to the node's allowedDomains" in outcome.message
    assert [request.target for request in server.received] == ["/"]


async def test_a_flood_of_requests_ends_at_the_limit(server: Server) -> None:
    source = "for (let i = 0; i < 1000; i++) input.push(fetch(vars.url)); return await Promise.all(input)"
    async with node_world(allow=(server.host,)) as world:
        config: JSONObject = {"source": source, "allowedDomains": ["127.0.0.1"]}
        outcome = await world.run("code", config, input=[], vars={"url": server.url})

    assert isinstance(outcome, Failed)
    assert outcome.message == "Error: no more than 50 requests are allowed"
    assert len(server.received) <= 50


async def test_the_layers_around_monty_hold() -> None:
    others = set(sandbox_processes())
    async with Sandbox(size=1) as sandbox:
        await _script(sandbox, "t", PY, "return 1")
        layers = set(sandbox.layers())
        [worker] = map(Path, (f"/proc/{pid}" for pid in workers(others)))
        facts = dict(line.split(":\t", 1) for line in (worker / "status").read_text().splitlines() if ":\t" in line)
        environment = (worker / "environ").read_bytes()
        descriptors = sorted(int(link.name) for link in (worker / "fd").iterdir())
    assert {"resource limits", "dies with parent", "no new privileges"} <= layers
    assert (environment, descriptors, facts["NoNewPrivs"]) == (b"", [0, 1, 2], "1")
    if "system call filter" in layers:
        assert facts["Seccomp"] == "2"
