"""The sandbox: what user code gives, what it cannot do, and that nothing of it is left."""

import asyncio
import os
import select
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from domain.expressions import EvaluationError, compile_expression, compile_value
from domain.json import JSON, JSONObject
from jobs.sandbox import (
    Evaluated,
    Evaluator,
    Failed,
    FailureKind,
    Language,
    Limits,
    Sandbox,
    SandboxError,
    Script,
    Value,
)
from jobs.sandbox.evaluator import needed
from jobs.sandbox.turns import Turns
from tests.contract.sandbox_processes import sandbox_processes

ROOT = Path(__file__).parents[2]
BRIEF = Limits(seconds=0.2)
_OTHERS = set[int]()
BOMB = "/^(a+)+$/.test('a'.repeat(40) + 'b')"


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox(size=1) as sandbox:
        yield sandbox
    assert _children() == []


@pytest.fixture(scope="module", autouse=True)
def others() -> None:
    """The processes of an API or a worker that other tests keep are not looked at."""
    _OTHERS.update(sandbox_processes())


def _children() -> list[int]:
    """The sandbox processes there are below this one."""
    return list(sandbox_processes(_OTHERS))


async def _one(
    sandbox: Sandbox, source: str, scope: JSONObject | None = None, limits: Limits | None = None
) -> Evaluated:
    [outcome] = await sandbox.evaluate("tenant", [source], scope or {}, limits=limits)
    return outcome


async def _script(sandbox: Sandbox, source: str, scope: JSONObject | None = None) -> Evaluated:
    script = Script(language=Language.JAVASCRIPT, source=source, scope=scope or {}, limits=Limits())
    return (await sandbox.run("tenant", script)).outcome


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("input.list.map(x => x * 2).filter(x => x > 2)", [4, 6]),
        ("{a: 1}", {"a": 1}),
        ("let total = 0; for (const x of input.list) total += x; total", 6),
        ("item", None),
        ("() => 1", None),
        ("0 / 0", None),
        ("new Date(0).toISOString()", "1970-01-01T00:00:00.000Z"),
        ("Promise.resolve(input.list.length)", 3),
        ("'a\\u0000b' + '😀'", "a\0b😀"),
        ("'😀'[0]", "\ufffd"),
        ("input.list // the list", [1, 2, 3]),
    ],
)
async def test_an_expression_gives_its_value(sandbox: Sandbox, source: str, value: JSON) -> None:
    assert await _one(sandbox, source, {"input": {"list": [1, 2, 3]}}) == Value(value=value)


async def test_a_script_gives_what_it_returns_and_may_await(sandbox: Sandbox) -> None:
    source = "const n = await Promise.resolve(input);\nreturn {n, now}"
    assert await _script(sandbox, source, {"input": 7, "now": "2026-01-01T00:00:00Z"}) == Value(
        value={"n": 7, "now": "2026-01-01T00:00:00Z"}
    )


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("null.x", "TypeError: cannot read property 'x' of null"),
        ("nowhere", "ReferenceError: 'nowhere' is not defined"),
        ("one two", "SyntaxError: expecting ';'"),
        ("throw {code: 5}", '{"code":5}'),
        ("JSON.parse('x')", "SyntaxError: unexpected token: 'x'"),
        ("10n", "TypeError: bigint are forbidden in JSON.stringify"),
        ("new Promise(() => {})", "the promise it gave is never settled"),
        ("const loop = {}; loop.loop = loop; loop", "TypeError: circular reference"),
        ("(function deeper() { return deeper() })()", "InternalError: stack overflow"),
        ("throw {get message() { throw 1 }, toJSON() { throw 2 }}", "an error that cannot be described"),
    ],
)
async def test_an_error_is_told_in_the_words_of_javascript(sandbox: Sandbox, source: str, message: str) -> None:
    assert await _one(sandbox, source) == Failed(message=message, kind=FailureKind.ERROR)


async def test_an_error_of_a_script_names_its_line(sandbox: Sandbox) -> None:
    outcome = await _script(sandbox, "const a = 1\n\nreturn null.x")
    assert outcome == Failed(message="TypeError: cannot read property 'x' of null (line 3)", kind=FailureKind.ERROR)


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        ("while (true);", FailureKind.TIMEOUT),
        ("try { while (true); } catch (e) { 1 }", FailureKind.TIMEOUT),
        ("(async () => { for (;;) await null })()", FailureKind.TIMEOUT),
        ("Promise.resolve().then(() => { while (true); })", FailureKind.TIMEOUT),
        ("({toJSON() { while (true); }})", FailureKind.TIMEOUT),
        (BOMB, FailureKind.TIMEOUT),
        ("'x'.repeat(1e9)", FailureKind.MEMORY),
        ("new ArrayBuffer(1e9)", FailureKind.MEMORY),
        ("const all = []; for (;;) all.push('x' + all.length)", FailureKind.MEMORY),
        ("let s = 'x'; for (;;) s += s", FailureKind.MEMORY),
        ("'x'.repeat(2000000)", FailureKind.OUTPUT),
        ("let deep = []; for (let i = 0; i < 1500; i++) deep = [deep]; deep", FailureKind.OUTPUT),
    ],
)
async def test_what_passes_a_limit_fails_and_the_next_call_is_fine(
    sandbox: Sandbox, source: str, kind: FailureKind
) -> None:
    outcome = await _one(sandbox, source, limits=BRIEF if kind is FailureKind.TIMEOUT else None)
    assert isinstance(outcome, Failed)
    crashed = kind is FailureKind.MEMORY and outcome.kind is FailureKind.CRASHED  # QuickJS may fall over its own error
    assert outcome.kind is kind or crashed
    assert await _one(sandbox, "1 + 1") == Value(value=2)


async def test_a_call_may_be_given_its_own_limits(sandbox: Sandbox) -> None:
    assert await _one(sandbox, "'x'.repeat(200)", limits=Limits(output=100)) == Failed(
        message="the result has 202 bytes, the most is 100", kind=FailureKind.OUTPUT
    )
    with pytest.raises(ValueError, match="more than 60 seconds"):
        Limits(seconds=61)


async def test_each_source_has_a_fresh_context(sandbox: Sandbox) -> None:
    tampering = (
        "Object.prototype.leak = 1; Array.prototype.map = null; JSON.stringify = null; input.push(4); var mine = 2; 0"
    )
    probe = "[typeof mine, typeof ({}).leak, typeof [].map, typeof JSON.stringify, input.length]"
    outcomes = await sandbox.evaluate("one", [tampering, probe], {"input": [1, 2, 3]})
    clean = Value(value=["undefined", "undefined", "function", "function", 3])
    assert outcomes == [Value(value=0), clean]
    assert await sandbox.evaluate("two", [probe], {"input": [1, 2, 3]}) == [clean]


async def test_there_is_no_way_to_the_host(sandbox: Sandbox) -> None:
    names = "require process std os print console scriptArgs loadScript fetch setTimeout Deno window"
    sources = [f"typeof {name}" for name in names.split()]
    assert await sandbox.evaluate("tenant", sources, {}) == [Value(value="undefined")] * len(sources)


@pytest.mark.parametrize(
    "source",
    [
        "import('os')",
        "import('/etc/passwd')",
        f"import({str(Path(__file__))!r})",
        "(function () {}).constructor('return process')()",
        "this.constructor.constructor('return require(\"fs\")')()",
        "Reflect.construct(Function, ['return std.open'])()",
    ],
)
async def test_escapes_lead_nowhere(sandbox: Sandbox, source: str) -> None:
    outcome = await _one(sandbox, source)
    assert isinstance(outcome, Failed)
    assert outcome.message.startswith("ReferenceError: ")


async def test_the_scope_is_all_the_globals_there_are(sandbox: Sandbox) -> None:
    outcome = await _one(sandbox, "Object.keys(globalThis).sort().join()", {"extra": 1})
    assert outcome == Value(value="error,execution,extra,index,input,item,now,steps,trigger,vars,workflow")


async def test_no_process_is_started_before_the_first_call(sandbox: Sandbox) -> None:
    assert (_children(), sandbox.layers()) == ([], ())
    await _one(sandbox, "1")
    assert len(_children()) == 1
    assert {"resource limits", "dies with parent", "no new privileges"} <= set(sandbox.layers())


async def test_a_crash_is_told_to_its_own_call_only(sandbox: Sandbox) -> None:
    await _one(sandbox, "1")
    [child] = _children()
    call = asyncio.create_task(_one(sandbox, "while (true);"))
    await asyncio.sleep(0)
    os.kill(child, signal.SIGKILL)
    assert await call == Failed(
        message="SANDBOX_CRASHED: the process that ran it ended unexpectedly", kind=FailureKind.CRASHED
    )
    assert await _one(sandbox, "1 + 1") == Value(value=2)
    assert child not in _children()


async def test_a_cancelled_call_takes_its_process_with_it(sandbox: Sandbox) -> None:
    await _one(sandbox, "1")
    [child] = _children()
    call = asyncio.create_task(_one(sandbox, "while (true);"))
    await asyncio.sleep(0)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert child not in _children()
    assert await _one(sandbox, "'mine'") == Value(value="mine")


async def test_another_tenant_is_served_while_one_misbehaves() -> None:
    async with Sandbox(size=2, limits=Limits(seconds=5)) as sandbox:
        bomb = asyncio.create_task(sandbox.evaluate("bad", [BOMB], {}))
        assert await sandbox.evaluate("good", ["input + 1"], {"input": 1}) == [Value(value=2)]
        assert not bomb.done()
        bomb.cancel()
        with pytest.raises(asyncio.CancelledError):
            await bomb
    assert _children() == []


async def test_tenants_wait_in_turn() -> None:
    turns, order = Turns(1), list[str]()

    async def call(tenant: str, name: str) -> None:
        async with turns.turn(tenant):
            order.append(name)

    async with turns.turn("a"):
        names = ["a1", "a2", "a3", "b1", "c1", "b2"]
        calls = [asyncio.create_task(call(name[0], name)) for name in names]
        gone = asyncio.create_task(call("b", "never"))
        await asyncio.sleep(0)
        gone.cancel()
    await asyncio.gather(*calls)
    assert order == ["a1", "b1", "c1", "a2", "b2", "a3"]


async def test_a_closed_sandbox_refuses() -> None:
    sandbox = Sandbox()
    await sandbox.close()
    with pytest.raises(SandboxError, match="The sandbox is closed"):
        await _one(sandbox, "1")


async def test_closing_ends_a_call_in_flight() -> None:
    async with Sandbox() as sandbox:
        await _one(sandbox, "1")
        call = asyncio.create_task(_one(sandbox, "while (true);"))
        await asyncio.sleep(0)
    assert _children() == []
    with pytest.raises(SandboxError, match="The sandbox is closed"):
        await call


async def test_input_beyond_the_memory_is_not_sent(sandbox: Sandbox) -> None:
    outcome = await _one(sandbox, "1", {"input": "x" * 2_000_000}, Limits(memory=1_048_576))
    assert isinstance(outcome, Failed)
    assert outcome.kind is FailureKind.MEMORY
    assert _children() == []


ORPHAN = """
import asyncio, os
from pathlib import Path
from jobs.sandbox import Sandbox
async def main():
    sandbox = Sandbox()
    await sandbox.evaluate("tenant", ["1"], {})
    print(Path(f"/proc/self/task/{os.getpid()}/children").read_text(), flush=True)
    await sandbox.evaluate("tenant", ["while (true);"], {})
asyncio.run(main())
"""


async def test_the_process_dies_with_a_killed_parent() -> None:
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", ORPHAN, cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    assert parent.stdout is not None
    child = int(await asyncio.wait_for(parent.stdout.readline(), 20))
    watch = os.pidfd_open(child)
    parent.kill()
    await parent.wait()
    try:
        ended, _, _ = await asyncio.to_thread(select.select, [watch], [], [], 10)
        assert ended
    finally:
        os.close(watch)


PROBE = """
import os, socket, sys
sys.path.append(sys.argv[1])
from inside import hardening
layers = hardening.harden(os.getppid(), 1 << 28)
attempts = {
    "read": lambda: os.open("/etc/passwd", os.O_RDONLY),
    "write": lambda: os.open("/tmp/sandbox-probe", os.O_CREAT | os.O_WRONLY),
    "connect": lambda: socket.socket(),
    "fork": lambda: os.fork() or os._exit(0),
    "exec": lambda: os.execv("/bin/true", ["true"]),
    "kill": lambda: os.kill(os.getppid(), 0),
}
def refused(attempt):
    try:
        attempt()
    except OSError:
        return True
    return False
done = [name for name, attempt in attempts.items() if not refused(attempt)]
print("system call filter" in layers, ",".join(done))
"""


async def test_a_hardened_process_reaches_nothing() -> None:
    probe = await asyncio.create_subprocess_exec(
        *(sys.executable, "-I", "-c", PROBE, str(ROOT / "jobs" / "sandbox")),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    out, _ = await asyncio.wait_for(probe.communicate(), 20)
    filtered, _, done = out.decode().strip().partition(" ")
    if filtered != "True":
        pytest.skip("this platform grants no system call filter")
    assert done == ""


async def test_a_native_template_never_starts_a_process(sandbox: Sandbox) -> None:
    template = compile_value({"a": "{{ input.x + 1 }}", "b": ["{{ input.x }}!", 5]})
    assert await Evaluator(sandbox).render("tenant", template, {"input": {"x": 1}}) == {"a": 2, "b": ["1!", 5]}
    assert _children() == []


async def test_native_and_richer_expressions_fill_one_template(sandbox: Sandbox) -> None:
    template = compile_value({"n": "{{ input.x }}", "s": "<{{ input.x.toFixed(2) }}|{{ [input.x].map(x => x + 1) }}>"})
    assert await Evaluator(sandbox).render("tenant", template, {"input": {"x": 1}}) == {"n": 1, "s": "<1.00|[2]>"}


async def test_a_native_expression_that_meets_a_method_goes_on_in_the_sandbox(sandbox: Sandbox) -> None:
    template = compile_value("{{ input.values ? 'a list' : 'not' }}")
    assert template.native
    evaluator = Evaluator(sandbox)
    assert await evaluator.render("tenant", template, {"input": []}) == "a list"
    assert await evaluator.render("tenant", template, {"input": {}}) == "not"


async def test_the_expression_that_failed_is_named(sandbox: Sandbox) -> None:
    evaluator = Evaluator(sandbox)
    with pytest.raises(EvaluationError) as caught:
        await evaluator.render("tenant", compile_value(["{{ [1].map(x => x) }}", "{{ input.x.y() }}"]), {"input": {}})
    assert (caught.value.message, caught.value.source) == (
        "TypeError: cannot read property 'y' of undefined",
        " input.x.y() ",
    )


async def test_an_expression_is_evaluated_for_each_element_in_one_trip(sandbox: Sandbox) -> None:
    evaluator = Evaluator(sandbox)
    expression = compile_expression("text.upper(item.name) + index + input.join() + items.length")
    items: list[JSON] = [{"name": "a"}, {"name": "b"}]
    assert await evaluator.evaluate_each("tenant", expression, {"input": [1, 2]}, items) == ["A01,22", "B11,22"]
    many: list[JSON] = [{"n": n, "text": "x" * 100} for n in range(20_000)]
    doubled = await evaluator.evaluate_each("tenant", compile_expression("({...item, n: item.n * 2})"), {}, many)
    assert (len(doubled), doubled[-1]) == (20_000, {"n": 39_998, "text": "x" * 100})


@pytest.mark.parametrize(
    ("source", "values"),
    [
        ("let twice = item * 2; twice + 1", [3, 5, 7]),
        ("Promise.resolve(item)", [1, 2, 3]),
        ("{item}", [{"item": 1}, {"item": 2}, {"item": 3}]),
        ("item > 1 ? item : undefined", [None, 2, 3]),
    ],
)
async def test_for_each_element_a_source_means_what_it_means_alone(
    sandbox: Sandbox, source: str, values: list[JSON]
) -> None:
    assert await sandbox.evaluate("tenant", [source], {"items": [1, 2, 3]}, kind="each") == [Value(value=values)]


async def test_the_element_that_failed_is_named(sandbox: Sandbox) -> None:
    with pytest.raises(EvaluationError) as caught:
        await Evaluator(sandbox).evaluate_each("tenant", compile_expression("item.a.trim()"), {}, [{"a": "x"}, {}])
    assert caught.value.message == "TypeError: cannot read property 'trim' of undefined for the element at 1"


async def test_a_tenant_leaves_places_to_the_others() -> None:
    turns, order = Turns(3, 2), list[str]()
    done = asyncio.Event()

    async def call(tenant: str, name: str) -> None:
        async with turns.turn(tenant):
            order.append(name)
            await done.wait()

    calls = [asyncio.create_task(call(name[0], name)) for name in ("a1", "a2", "a3", "b1")]
    await asyncio.sleep(0)
    assert order == ["a1", "a2", "b1"]
    done.set()
    await asyncio.gather(*calls)
    assert order == ["a1", "a2", "b1", "a3"]


def test_only_what_an_expression_reads_travels_to_the_sandbox() -> None:
    scope: JSONObject = {"input": 1, "vars": 2, "steps": {"a": 3, "b": 4}, "total": 5}
    assert needed([compile_expression("steps.a.map(x => x)")], scope) == {"steps": {"a": 3}, "total": 5}
    assert needed([compile_expression("Object.keys(steps)")], scope) == {"steps": {"a": 3, "b": 4}, "total": 5}
    assert needed([compile_expression("f(globalThis)")], scope) == scope
