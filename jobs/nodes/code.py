"""The `code` node: a program of the user's, in JavaScript or Python, run in the sandbox."""

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Final, Literal, cast

from pydantic import Field

from domain.engine.outcomes import Completed, Failed, LogLevel, LogLine, Outcome
from domain.errors import Finding
from domain.expressions.functions import FAMILIES
from domain.graphs import ERROR, OUT
from domain.json import JSON, JSONObject, as_list
from domain.nodes import NodeCategory
from domain.validation.expressions import MARK
from jobs.nodes.base import NodeConfig, StepContext, define
from jobs.sandbox.fetching import DOMAIN, Fetching
from jobs.sandbox.outcomes import (
    MEBIBYTE,
    MOST_MEMORY,
    MOST_SECONDS,
    FailureKind,
    Finished,
    Language,
    Limits,
    SandboxError,
    Script,
    Usage,
)
from jobs.sandbox.outcomes import Failed as Stopped

MOST_OUTPUT: Final = 4 * MEBIBYTE
_PYTHON_MODULES: Final = """
    asyncio base64 binascii bisect collections copy csv dataclasses datetime decimal functools hashlib itertools json
    math os pathlib random re sys time tomllib typing unicodedata"""
MODULES: Final = {
    Language.JAVASCRIPT: frozenset(FAMILIES),
    Language.PYTHON: frozenset(_PYTHON_MODULES.split()),
}
"""What code may load. None of it reaches outside the sandbox."""
_CODES: Final = {
    FailureKind.ERROR: ("CODE_FAILED", "Correct the source, or let it catch the error."),
    FailureKind.INVALID: ("CODE_INVALID", "Correct the source at the line named."),
    FailureKind.TIMEOUT: (
        "CODE_TIMEOUT",
        "Let it do less at a time, or raise the timeout, at most to 60 seconds.",
    ),
    FailureKind.MEMORY: (
        "CODE_OUT_OF_MEMORY",
        "Let it keep less at a time, or raise memory, at most to 256 MiB.",
    ),
    FailureKind.OUTPUT: ("CODE_OUTPUT_REFUSED", "Return JSON of at most 4 MiB: text, numbers, lists, objects, null."),
    FailureKind.CRASHED: (
        "SANDBOX_CRASHED",
        "Look for what exhausts memory or recursion; then try again.",
    ),
}
_STEPS: Final = {
    Language.JAVASCRIPT: re.compile(r"\bsteps\b(?!\s*(?:\??\.\s*\w|\[\s*['\"]))"),
    Language.PYTHON: re.compile(r"\bsteps\b(?!\s*(?:\.\s*get\s*\(|\[)\s*['\"])"),
}
"""Uses of all steps at once."""


class CodeConfig(NodeConfig):
    language: Literal["javascript", "python"] = Field("javascript", description="What the source is written in.")
    source: Annotated[str, Field(min_length=1, max_length=200_000)] = Field(
        description="The program; what it returns is the output. It is no template: braces mean what they mean there.",
        json_schema_extra={MARK: "source"},
    )
    input: object = Field(None, description="What the program sees as input; the node's input when left out.")
    timeout: Annotated[float, Field(gt=0, le=MOST_SECONDS)] = Field(
        10.0, description="Seconds it may take, and as much processor time."
    )
    memory: Annotated[int, Field(ge=4, le=MOST_MEMORY // MEBIBYTE)] = Field(64, description="MiB of memory it may use.")
    modules: list[str] | None = Field(None, description="The only modules it may load; all there are when left out.")
    allowed_domains: list[Annotated[str, Field(pattern=f"^({DOMAIN.pattern})$", max_length=260)]] = Field(
        default_factory=list[str],
        description="The hosts that fetch may reach, such as api.example.com or *.example.com; none when left out.",
    )


async def run(step: StepContext, config: CodeConfig) -> Outcome:
    scope = dict(step.scope)
    if "input" in step.config:
        scope["input"] = step.config["input"]
    script = Script(
        language=Language(config.language),
        source=config.source,
        scope=named(Language(config.language), config.source, scope),
        limits=Limits(seconds=config.timeout, memory=config.memory * MEBIBYTE, output=MOST_OUTPUT),
        modules=None if config.modules is None else tuple(config.modules),
    )
    fetching = Fetching(
        http=step.services.http, domains=config.allowed_domains, key=step.idempotency_key, timeout=config.timeout
    )
    try:
        finished = await step.services.code.run(script, fetching)
    except SandboxError as error:
        remedy = "An administrator sees with `weir doctor` what is missing."
        return Failed(code="SANDBOX_UNAVAILABLE", message=str(error), remedy=remedy)
    logs = tuple(LogLine(level=LogLevel(line.level), message=line.text) for line in finished.lines)
    if isinstance(finished.outcome, Stopped):
        return _failed(finished.outcome, logs, finished)
    return Completed(output=finished.outcome.value, logs=logs, usage=_used(finished.usage))


def named(language: Language, source: str, scope: Mapping[str, JSON]) -> JSONObject:
    """The part of the scope whose names stand in the source, so that not all of it travels to the sandbox.

    Of `steps` only those that are named, unless the source uses them whole.
    """
    words = set(re.findall(r"\w+", source))
    whole = bool(words & {"globalThis", "this", "eval", "Function", "exec", "locals"})
    part = {name: value for name, value in scope.items() if whole or name in words}
    steps = part.get("steps")
    if isinstance(steps, Mapping) and not whole and not _STEPS[language].search(source):
        part["steps"] = {name: output for name, output in cast("JSONObject", steps).items() if name in source}
    return part


def _failed(stopped: Stopped, logs: tuple[LogLine, ...], finished: Finished) -> Failed:
    code, remedy = _CODES[stopped.kind]
    return Failed(
        code=code,
        message=stopped.message.removeprefix(f"{code}: "),
        retryable=stopped.kind in (FailureKind.ERROR, FailureKind.CRASHED),
        remedy=remedy,
        logs=logs,
        usage=_used(finished.usage),
    )


def _used(usage: Usage) -> JSONObject:
    return {"cpuMs": usage.cpu_ms, "wallMs": usage.wall_ms, "memoryBytes": usage.memory}


def rules(config: JSONObject) -> Iterator[Finding]:
    language = config.get("language", Language.JAVASCRIPT)
    if not isinstance(language, str) or language not in list(Language):
        return
    known = MODULES[Language(language)]
    for at, name in enumerate(as_list(config.get("modules"))):
        if isinstance(name, str) and name not in known and "{{" not in name:
            message = f"There is no module {name[:60]!r} in {language}"
            remedy = f"There are {', '.join(sorted(known))}."
            yield Finding(code="UNKNOWN_MODULE", message=message, path=("modules", str(at)), remedy=remedy)


KIND = define(
    name="code",
    title="Code",
    description="Runs a program of yours, in JavaScript or Python.",
    category=NodeCategory.DATA,
    config=CodeConfig,
    run=run,
    rules=rules,
    outputs=(OUT, ERROR),
    documentation="""
The program sees `input`, `trigger`, `steps`, `vars`, `item`, `index`, `error`, `execution`, `workflow` and `now`, as
expressions do. What it **returns** is the output. The `source` is no template: to bring in a value, use the names.

**JavaScript** is the body of an async function: `return` gives the output, `await` works. The functions of expressions
(`text`, `list`, `date`, `number`, `hash`, `json`) are there. `console.log`, `info`, `warn`, `error` and `debug` write
to the execution's log.

**Python** is a subset of Python 3 (run by Monty): functions, classes, comprehensions, exceptions and many modules of
the standard library, but no packages. The output is what `return` gives, or else the value of the last line. `print`
writes to the log; what goes to `sys.stderr` is an error line.

**fetch** reaches the hosts in `allowedDomains`, and no private address, whatever its name:

| | JavaScript | Python |
|---|---|---|
| call | `await fetch(url, {method, headers, body})` | `fetch(url, method="GET", headers={}, body=None)` |
| answer | `status`, `ok`, `headers.get(name)`, `await text()`, `await json()` | a dict of those |
| no answer | a `FetchError` | an `OSError` |

A body that is no text is sent as JSON. A program may make 50 requests, with bodies of 1 MiB and answers of 4 MiB.
Requests other than GET, HEAD and OPTIONS carry an `Idempotency-Key`: that of the step with the request's number.

**Limits.** `timeout` is the time on the clock, requests included, and `memory` what the program may use. The output may
have 4 MiB, the log 1,000 lines of 10,000 characters. What the run took is in the step's record: processor time, time on
the clock, peak of memory.

| code | what happened |
|---|---|
| `CODE_INVALID` | the source does not compile; never retried |
| `CODE_FAILED` | it threw, the message has its line; the only one worth a `retry` besides a crash |
| `CODE_TIMEOUT` · `CODE_OUT_OF_MEMORY` | it met a limit |
| `CODE_OUTPUT_REFUSED` | what it returned is too large, too deep or no JSON |
| `SANDBOX_CRASHED` | its process ended; nothing else was in it |
""",
    examples={
        "Shape a value": {
            "source": "const lines = input.lines.filter(line => line.quantity > 0);\n"
            "return {lines, count: lines.length};"
        },
        "Ask another system": {
            "source": "const answer = await fetch('https://api.example.com/rates/' + input.currency);\n"
            "if (!answer.ok) throw new Error('no rate: ' + answer.status);\nreturn (await answer.json()).rate;",
            "allowedDomains": ["api.example.com"],
            "timeout": 20,
        },
        "Python": {
            "language": "python",
            "source": "from collections import Counter\n\nwords = Counter(input['text'].lower().split())\n"
            "print(len(words), 'words')\nreturn dict(words.most_common(10))",
            "memory": 128,
        },
    },
)
