"""The code node: what programs in JavaScript and Python see and give, what they log, and what they may fetch."""

from collections.abc import AsyncGenerator

import pytest

from domain.engine.outcomes import Completed, Failed, LogLevel, LogLine, Outcome
from domain.graphs import Node
from domain.json import JSON, JSONObject
from jobs.nodes import CATALOG
from jobs.nodes.code import named
from jobs.sandbox import Language
from tests.unit.http_server import Answer, Server, http_server
from tests.unit.node_world import NodeWorld, node_world

JS, PY = Language.JAVASCRIPT, Language.PYTHON


@pytest.fixture(scope="module")
async def server() -> AsyncGenerator[Server]:
    async with http_server() as server:
        yield server


@pytest.fixture(scope="module")
async def world(server: Server) -> AsyncGenerator[NodeWorld]:
    async with node_world(allow=(server.host,)) as world:
        yield world


@pytest.fixture(autouse=True)
def forget(server: Server) -> None:
    server.received.clear()
    server.answers.clear()


async def _run(world: NodeWorld, language: Language, source: str, **scope: JSON) -> Outcome:
    return await world.run("code", {"language": language, "source": source}, **scope)


async def _output(world: NodeWorld, language: Language, source: str, **scope: JSON) -> JSON:
    outcome = await _run(world, language, source, **scope)
    assert isinstance(outcome, Completed), outcome
    return outcome.output


async def _failed(world: NodeWorld, config: JSONObject) -> Failed:
    outcome = await world.run("code", config)
    assert isinstance(outcome, Failed), outcome
    return outcome


@pytest.mark.parametrize(
    ("language", "source", "output"),
    [
        (JS, "return input.list.map(x => x * 2)", [2, 4]),
        (JS, "const n = await Promise.resolve(input.list.length);\nreturn {n, name: steps.shop.output.name}",
         {"n": 2, "name": "Ada"}),
        (JS, "return [vars.rate, trigger.id, item, index, error, execution.id, workflow.name, now]",
         [1.5, 7, None, None, None, "execution_1", "W", "2026-11-21T09:00:00Z"]),
        (JS, "input.list.length", None),
        (JS, "return '{{ input.list }}'", "{{ input.list }}"),
        (JS, "return text.upper(require('text').trim(' a '))", "A"),
        (PY, "return [x * 2 for x in input['list']]", [2, 4]),
        (PY, "x = len(input['list'])\n{'n': x, 'name': steps['shop']['output']['name']}", {"n": 2, "name": "Ada"}),
        (PY, "return [vars['rate'], trigger['id'], item, index, error, execution['id'], workflow['name'], now]",
         [1.5, 7, None, None, None, "execution_1", "W", "2026-11-21T09:00:00Z"]),
        (PY, "x = 1", None),
        (PY, "return f'{{ {len(input)} }}'", "{ 1 }"),
        (PY, "def main(n):\n  return {'n': n, 1: (2, {3})}\n\nmain(5)", {"n": 5, "1": [2, [3]]}),
        (PY, "import datetime, decimal, math\n[datetime.date(2026, 1, 2), decimal.Decimal('1.10'), math.nan]",
         ["2026-01-02", "1.10", None]),
        (PY, "from dataclasses import dataclass\n@dataclass\nclass P:\n  x: int\nP(3)", {"x": 3}),
        (PY, "return [trigger['id'] for name in steps]", [7, 7]),
    ],
)  # fmt: skip
async def test_a_program_sees_the_names_of_expressions_and_gives_what_it_returns(
    world: NodeWorld, language: Language, source: str, output: JSON
) -> None:
    scope: dict[str, JSON] = {
        "steps": {"shop": {"output": {"name": "Ada"}}, "other": {"output": 1}},
        "vars": {"rate": 1.5},
        "trigger": {"id": 7},
        "execution": {"id": "execution_1"},
        "workflow": {"name": "W"},
        "now": "2026-11-21T09:00:00Z",
    }
    assert await _output(world, language, source, input={"list": [1, 2]}, **scope) == output


async def test_another_input_may_be_given(world: NodeWorld) -> None:
    outcome = await world.run("code", {"source": "return input", "input": {"n": "{{ input.x + 1 }}"}}, input={"x": 1})

    assert isinstance(outcome, Completed)
    assert outcome.output == {"n": 2}


@pytest.mark.parametrize(
    ("language", "source", "levels"),
    [
        (JS, "console.debug('a', 1); console.log({b: [1]}); console.info(null); console.warn(new Error('e')); "
             "console.error('f')",
         [("DEBUG", "a 1"), ("INFO", '{"b":[1]}'), ("INFO", "null"), ("WARNING", "Error: e"), ("ERROR", "f")]),
        (PY, "import sys\nprint('a', 1)\nprint('b\\nc', end='')\nprint('d', file=sys.stderr)",
         [("INFO", "a 1"), ("INFO", "b"), ("ERROR", "d"), ("INFO", "c")]),
    ],
)  # fmt: skip
async def test_what_it_writes_becomes_lines_of_the_log(
    world: NodeWorld, language: Language, source: str, levels: list[tuple[str, str]]
) -> None:
    outcome = await _run(world, language, source)

    assert isinstance(outcome, Completed)
    assert outcome.logs == tuple(LogLine(level=LogLevel(level), message=text) for level, text in levels)


@pytest.mark.parametrize(
    ("language", "source", "line"),
    [(JS, "console.log('before')\nthrow new Error('no')", "Error: no (line 2)"),
     (PY, "print('before')\nraise ValueError('no')", "ValueError: no (line 2)")],
)  # fmt: skip
async def test_an_error_names_its_line_and_keeps_what_was_written(
    world: NodeWorld, language: Language, source: str, line: str
) -> None:
    outcome = await _failed(world, {"language": language, "source": source})

    assert (outcome.code, outcome.message, outcome.retryable) == ("CODE_FAILED", line, True)
    assert outcome.logs == (LogLine(level=LogLevel.INFO, message="before"),)


@pytest.mark.parametrize(("language", "source"), [(JS, "return {"), (PY, "def f(:")])
async def test_a_source_that_does_not_compile_is_never_tried_again(
    world: NodeWorld, language: Language, source: str
) -> None:
    outcome = await _failed(world, {"language": language, "source": source})

    assert (outcome.code, outcome.retryable, outcome.remedy) == (
        "CODE_INVALID", False, "Correct the source at the line named."
    )  # fmt: skip


@pytest.mark.parametrize(
    ("language", "source"),
    [(JS, "const a = []; for (let i = 0; i < 2e5; i++) a.push('x' + i); for (let i = 0; i < 1e6; i++);"),
     (PY, "a = ['x' + str(i) for i in range(200000)]\nn = sum(range(1000000))")],
)  # fmt: skip
async def test_what_a_run_took_is_told(world: NodeWorld, language: Language, source: str) -> None:
    outcome = await _run(world, language, source)

    assert isinstance(outcome, Completed)
    assert outcome.usage is not None
    used = {name: value for name, value in outcome.usage.items() if isinstance(value, int | float)}
    assert list(used) == ["cpuMs", "wallMs", "memoryBytes"]
    assert used["cpuMs"] > 1
    assert used["wallMs"] > 1
    assert used["memoryBytes"] > 1_000_000


FETCHES = {
    JS: "const r = await fetch(vars.url + '/rate', {method: 'POST', headers: {'X-A': 1}, body: {n: 1}});\n"
    "return [r.status, r.ok, r.headers.get('Content-Type'), await r.json(), await r.text()]",
    PY: "r = fetch(vars['url'] + '/rate', method='POST', headers={'X-A': 1}, body={'n': 1})\n"
    "return [r['status'], r['ok'], r['headers']['content-type'], r['json'], r['text']]",
}


@pytest.mark.parametrize("language", Language)
async def test_it_fetches_from_the_domains_it_may(world: NodeWorld, server: Server, language: Language) -> None:
    server.answers["/rate"] = Answer(status=201, headers={"content-type": "application/json"}, body=b'{"rate":2}')
    outcome = await world.run(
        "code",
        {"language": language, "source": FETCHES[language], "allowedDomains": ["127.0.0.1"]},
        vars={"url": server.url},
    )

    assert isinstance(outcome, Completed), outcome
    assert outcome.output == [201, True, "application/json", {"rate": 2}, '{"rate":2}']
    [request] = server.received
    assert (request.method, request.target, request.body.replace(b" ", b"")) == ("POST", "/rate", b'{"n":1}')
    sent = {name: request.headers[name] for name in ("x-a", "content-type", "idempotency-key")}
    assert sent == {"x-a": "1", "content-type": "application/json", "idempotency-key": "execution_x:node:1"}


async def test_requests_run_side_by_side_and_an_error_can_be_caught(world: NodeWorld, server: Server) -> None:
    server.answers |= {f"/{n}": Answer(body=str(n).encode()) for n in range(3)}
    source = (
        "const all = await Promise.all([0, 1, 2].map(n => fetch(vars.url + '/' + n)));\n"
        "const texts = await Promise.all(all.map(r => r.text()));\n"
        "try { await fetch('https://example.com') } catch (e) { texts.push(e.name) }\nreturn texts"
    )
    outcome = await world.run("code", {"source": source, "allowedDomains": [server.host]}, vars={"url": server.url})

    assert isinstance(outcome, Completed), outcome
    assert outcome.output == ["0", "1", "2", "FetchError"]


async def test_a_redirect_is_followed_within_the_domains(world: NodeWorld, server: Server) -> None:
    server.answers |= {"/old": Answer(status=301, headers={"location": "/new"}), "/new": Answer(body=b"here")}
    source = "const r = await fetch(vars.url + '/old'); return [r.url.endsWith('/new'), await r.text()]"
    outcome = await world.run("code", {"source": source, "allowedDomains": ["127.0.0.1"]}, vars={"url": server.url})

    assert isinstance(outcome, Completed), outcome
    assert outcome.output == [True, "here"]


@pytest.mark.parametrize(
    ("domains", "url", "allowed"),
    [
        (["example.com"], "https://example.com/x", True),
        (["example.com"], "https://EXAMPLE.com./x", False),
        (["example.com"], "https://a.example.com", False),
        (["*.example.com"], "https://a.b.example.com", True),
        (["*.example.com"], "https://example.com", False),
        (["*.example.com"], "https://badexample.com", False),
        (["example.com:8080"], "http://example.com:8080", True),
        (["example.com:8080"], "http://example.com", False),
        (["example.com"], "https://example.com@evil.test", False),
        (["example.com"], "https://evil.test/#example.com", False),
        (["example.com"], "ftp://example.com", False),
        ([], "https://example.com", False),
    ],
)
async def test_a_request_goes_only_where_a_domain_allows(
    world: NodeWorld, domains: list[str], url: str, allowed: bool
) -> None:
    outcome = await _failed(
        world,
        {"source": f"return (await fetch({url!r}, {{headers: {{host: 'x'}}}})).status", "allowedDomains": domains},
    )
    assert ("is not allowed" in outcome.message or "is no absolute" in outcome.message) == (not allowed)


@pytest.mark.parametrize(
    ("language", "source", "modules", "message"),
    [
        (JS, "return hash.sha256('x')", ["text"], "ReferenceError: 'hash' is not defined (line 1)"),
        (JS, "return require('hash')", ["text"], 'Error: there is no module "hash" here'),
        (PY, "import json", ["re"], "ImportError: the module json is not among those allowed (line 1)"),
        (PY, "import re\nexec('1')", ["re"], "ImportError: the module exec is not among those allowed (line 2)"),
    ],
)  # fmt: skip
async def test_modules_may_be_fewer(
    world: NodeWorld, language: Language, source: str, modules: list[str], message: str
) -> None:
    outcome = await _failed(world, {"language": language, "source": source, "modules": modules})

    assert outcome.message == message


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({}, ["config.source"]),
        ({"source": "{{ not a template", "timeout": 61, "memory": 1}, ["config.timeout", "config.memory"]),
        ({"source": "1", "language": "ruby"}, ["config.language"]),
        ({"source": "1", "modules": ["fs", "text"]}, ["config.modules.0"]),
        ({"source": "1", "language": "python", "modules": ["json", "socket"]}, ["config.modules.1"]),
        ({"source": "1", "allowedDomains": ["https://x", "*.x.com", "a:80", "*"]},
         ["config.allowedDomains.0", "config.allowedDomains.3"]),
    ],
)  # fmt: skip
def test_a_config_that_makes_no_sense_is_found_before_it_runs(config: JSONObject, expected: list[str]) -> None:
    findings = CATALOG.check(Node(id="a", kind="code", config=config))

    assert [".".join(finding.path) for finding in findings] == expected


def test_only_what_the_source_names_travels() -> None:
    scope: JSONObject = {"input": 1, "vars": 2, "trigger": 3, "steps": {"a": 4, "b-c": 5, "d": 6}}

    assert named(JS, "return input + steps.a + steps['b-c']", scope) == {"input": 1, "steps": {"a": 4, "b-c": 5}}
    assert named(JS, "return Object.keys(steps)", scope) == {"steps": scope["steps"]}
    assert named(JS, "return globalThis['in' + 'put']", scope) == scope
    assert named(PY, "return steps['a'], steps.get('d')", scope) == {"steps": {"a": 4, "d": 6}}
    assert named(PY, "return list(steps.items())", scope) == {"steps": scope["steps"]}
