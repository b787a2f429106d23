"""What a tenant's hostile code costs its neighbours: `python -m bench.hostile`.

Times a tenant's small evaluations, scripts and turns of the event loop while another tenant's code misbehaves.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from statistics import median, quantiles
from time import perf_counter

from jobs.sandbox import Language, Limits, Sandbox, Script

SECONDS = 4.0
HOSTILE: Mapping[str, tuple[Language, str]] = {
    "JavaScript loop": (Language.JAVASCRIPT, "while (true);"),
    "regular-expression bomb": (Language.JAVASCRIPT, "/^(a+)+$/.test('a'.repeat(40) + 'b')"),
    "JavaScript memory": (Language.JAVASCRIPT, "for (;;) { const all = []; while (all.length < 1e5) all.push([]) }"),
    "flood of lines": (Language.JAVASCRIPT, "for (;;) console.log('x')"),
    "Python loop": (Language.PYTHON, "while True: pass"),
    "Python memory": (Language.PYTHON, "while True: x = ['y' * 100 for i in range(100000)]"),
    "exploding output": (Language.PYTHON, "x = 1\nfor i in range(100): x = [x] * 10\nreturn x"),
}


async def main() -> None:
    async with Sandbox() as sandbox:
        await _measured(sandbox, seconds=0.5)  # processes start, caches fill
        rows = {"nobody": await _measured(sandbox)}
        for name, (language, source) in HOSTILE.items():
            rows[name] = await _beside(sandbox, language, source)
    print("median / 95 % in ms, and medians against those beside nobody\n")
    print(f"| {'beside':<24} | {'expression':<24} | {'JavaScript':<24} | {'Python':<24} | {'event loop':<24} |")
    print("|---|---|---|---|---|")
    for name, row in rows.items():
        cells = " | ".join(_cell(times, alone) for times, alone in zip(row, rows["nobody"], strict=True))
        print(f"| {name:<24} | {cells} |")


async def _beside(sandbox: Sandbox, language: Language, source: str) -> Sequence[Sequence[float]]:
    """While a tenant runs this as often as it may."""
    script = Script(language=language, source=source, scope={}, limits=Limits(seconds=2.0))

    async def again() -> None:
        while True:
            await sandbox.run("hostile", script)

    tasks = [asyncio.create_task(again()) for _ in range(4)]
    await asyncio.sleep(0.5)
    try:
        return await _measured(sandbox)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _measured(sandbox: Sandbox, seconds: float = SECONDS) -> Sequence[Sequence[float]]:
    async def expression() -> object:
        return await sandbox.evaluate("neighbour", ["input.map(x => x + 1)"], {"input": [1, 2, 3]})

    async def script(language: Language, source: str) -> object:
        limits = Limits(seconds=5.0)
        return await sandbox.run("neighbour", Script(language=language, source=source, scope={}, limits=limits))

    return [
        await _times(expression, seconds / 4),
        await _times(lambda: script(Language.JAVASCRIPT, "return 1"), seconds / 4),
        await _times(lambda: script(Language.PYTHON, "return 1"), seconds / 4),
        await _times(lambda: asyncio.sleep(0.001), seconds / 4),
    ]


async def _times(call: Callable[[], Awaitable[object]], seconds: float) -> Sequence[float]:
    times: list[float] = []
    end = perf_counter() + seconds
    while (start := perf_counter()) < end:
        await call()
        times.append((perf_counter() - start) * 1000)
        await asyncio.sleep(0.002)
    return times


def _cell(times: Sequence[float], alone: Sequence[float]) -> str:
    factor = median(times) / median(alone)
    return f"{median(times):.2f} / {quantiles(times, n=20)[-1]:.2f} ({factor:.2f}x)".ljust(24)


if __name__ == "__main__":
    asyncio.run(main())
