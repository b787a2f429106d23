"""Templates: what they show, what they refuse, and that no template holds anybody up."""

import asyncio
import os
import select
import sys
import time
from pathlib import Path

import pytest

from domain.json import JSONObject
from jobs.templates import TemplateError, render

ROOT = Path(__file__).parents[2]
ORDER: JSONObject = {
    "name": "<b>Ann & Bo</b>",
    "lines": [{"text": "Tea", "price": 1234.5}, {"text": "Cup", "price": 8}],
}


async def failure(source: str, variables: JSONObject | None = None, *, html: bool = False) -> TemplateError:
    with pytest.raises(TemplateError) as raised:
        await render(source, variables or {}, html=html)
    return raised.value


async def test_values_are_escaped_in_html_and_not_in_text() -> None:
    assert await render("Hi {{ name }}", ORDER, html=True) == "Hi &lt;b&gt;Ann &amp; Bo&lt;/b&gt;"
    assert await render("Hi {{ name }}", ORDER, html=False) == "Hi <b>Ann & Bo</b>"


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("{% for line in lines %}{{ line.text }}{% unless forloop.last %}, {% endunless %}{% endfor %}", "Tea, Cup"),
        ('{{ lines[0].price | currency: "EUR", "de" }}', "1.234,50\u00a0€"),
        ('{{ lines[0].price | currency: "USD" }}', "$1,234.50"),
        ('{{ lines[0].price | decimal: 3, "fr-CH" }}', "1\u202f234,500"),
        ("{{ 2.5 | decimal: 0 }}", "2"),
        ("{{ lines[1] | json }}", '{"text": "Cup", "price": 8}'),
        ("{{ '2026-03-01' | date: '%d.%m.%Y' }}", "01.03.2026"),
        ('{{ missing | default: "–" }}{% if missing %}yes{% else %}no{% endif %}', "–no"),
        ("{% raw %}{{ name }}{% endraw %}", "{{ name }}"),
        ("Grüße 你好", "Grüße 你好"),
    ],
)
async def test_what_liquid_shows(source: str, text: str) -> None:
    assert await render(source, ORDER, html=False) == text


@pytest.mark.parametrize(
    ("source", "message", "line"),
    [
        ("a\n{{ nme }}", "The template failed in line 2: 'nme' is undefined", 2),
        ("{{ name.first }}", "The template failed in line 1: name.first is undefined", 1),
        ("{{ name.__class__ }}", "The template failed in line 1: name.__class__ is undefined", 1),
        ("\n\n{{ 1 | shout }}", "The template failed in line 3: unknown filter 'shout'", 3),
        ("{% include 'x' %}", "The template failed in line 1: unexpected tag 'include'", 1),
        ("{% render 'x' %}", "The template failed in line 1: unexpected tag 'render'", 1),
        ("{{ 1 | divided_by: 0 }}", "The template failed in line 1: divided_by: can't divide by 0", 1),
        ("{% if name %}", "The template failed: expected tag endif, found end of expression", None),
    ],
)
async def test_an_error_says_where_and_what_to_do(source: str, message: str, line: int | None) -> None:
    error = await failure(source, ORDER)

    assert (error.message, error.line) == (message, line)
    assert error.remedy


async def test_an_error_is_an_outcome_that_is_not_tried_again() -> None:
    failed = (await failure("a\n{{ nme }}")).as_failed()

    assert (failed.code, failed.retryable, failed.details) == ("TEMPLATE_FAILED", False, {"line": 2})


@pytest.mark.parametrize(
    "source",
    [
        "{% for i in (1..1000) %}{% for j in (1..1000) %}x{% endfor %}{% endfor %}",
        "{% assign a = 'xxxxxxxxxx' %}{% for i in (1..100) %}{% assign a = a | append: a %}{% endfor %}",
        "{% assign a = (1..1000000000) | join: 'x' %}",
        "{{ big | replace: '', big | size }}",
        "{% for i in (1..90000) %}{{ big }}{% endfor %}",
        "{% capture a %}{% for i in (1..90000) %}{{ big }}{% endfor %}{% endcapture %}",
        "{%" * 100_000,
        "{% if a %}" * 100_000,
        "{{ 'a' | decimal: 2 }}",
    ],
)
async def test_a_hostile_template_fails_within_bounds(source: str) -> None:
    started = time.monotonic()

    await failure(source, {"big": "x" * 100_000})

    assert time.monotonic() - started < 15


async def test_an_endless_template_is_stopped_and_neither_the_loop_nor_the_next_one_waits_for_it() -> None:
    loops = "{% for a in (1..90000) %}{{ big | split: '' | sort | size }}{% endfor %}"
    endless = asyncio.create_task(failure(loops, {"big": "y" * 20_000}))

    assert await render("Hi {{ name }}", {"name": "Ann"}, html=False, tenant="another") == "Hi Ann"
    assert not endless.done()
    assert (await endless).message == "The template gave no text: it was stopped after 3 s"


async def test_variables_beyond_sixteen_mebibytes_are_refused() -> None:
    error = await failure("{{ a }}", {"a": "x" * 17_000_000})

    assert error.message == "The variables have more than 16,777,216 bytes"


HELD_UP = """
import asyncio, os
from pathlib import Path
from jobs.templates import render

def children(pid):
    stats = [path.read_text() for path in Path("/proc").glob("[0-9]*/stat")]
    return [int(stat.split()[0]) for stat in stats if int(stat.rpartition(")")[2].split()[1]) == pid]

async def main():
    await render("x", {}, html=False)
    endless = "{% for a in (1..90000) %}{{ big | split: '' | sort | size }}{% endfor %}"
    asyncio.create_task(render(endless, {"big": "y" * 20_000}, html=False))
    while not any(children(child) for child in children(os.getpid())):
        await asyncio.sleep(0.01)
    ours = children(os.getpid())
    print(*ours, *(below for child in ours for below in children(child)), flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


async def test_a_worker_that_is_killed_leaves_no_process_behind() -> None:
    worker = await asyncio.create_subprocess_exec(
        sys.executable, "-c", HELD_UP, stdout=asyncio.subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    assert worker.stdout is not None
    async with asyncio.timeout(60):
        pids = [int(pid) for pid in (await worker.stdout.readline()).split()]
    ends = [os.pidfd_open(pid) for pid in pids]

    worker.kill()
    await worker.wait()

    assert len(pids) == 2
    for end in ends:
        assert select.select([end], [], [], 2.5)[0], "a process outlived its parent"
        os.close(end)
