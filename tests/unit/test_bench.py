"""The benchmarks: that they run and say what they found, never how fast this machine is."""

import json
import subprocess
import sys
from datetime import UTC, datetime
from io import StringIO

import pytest
from rich.console import Console

from app.cli_bench import MEASURES as NAMES
from app.settings import PROJECT
from bench.report import as_object, table
from bench.results import Limit, Result, percentile
from bench.run import MEASURES, Report

REPORT = Report(
    machine="2 cores",
    at=datetime(2026, 3, 1, 9, tzinfo=UTC),
    seconds=5.0,
    results={
        "raw": [Result(name=Limit.COMMITS.value, value=4_000.0, unit="/s")],
        "latency": [Result(name="a step", value=0.25, unit="ms", versus="the target", reference=1.0)],
    },
)


def test_weir_bench_measures_the_machine_and_a_running_weir() -> None:
    command = [sys.executable, "-m", "app.cli", "bench", "latency", "--seconds", "0.06", "--json"]

    ran = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=120)

    assert ran.returncode == 0, ran.stderr
    results = json.loads(ran.stdout)["results"]
    assert [result["name"] for result in results if result["measure"] == "raw"] == list(Limit)
    assert {result["measure"] for result in results} == {"raw", "latency"}
    assert all(result["value"] > 0 for result in results)


def test_every_measure_can_be_named() -> None:
    assert ("raw", *MEASURES) == NAMES


def test_the_report_as_json_has_every_figure_with_its_ratio() -> None:
    assert as_object(REPORT) == {
        "machine": "2 cores",
        "at": "2026-03-01T09:00:00+00:00",
        "seconds": 5.0,
        "results": [
            {
                "measure": "raw",
                "name": "durable commits, one after the other",
                "value": 4_000.0,
                "unit": "/s",
                "versus": None,
                "reference": None,
                "ratio": None,
            },
            {
                "measure": "latency",
                "name": "a step",
                "value": 0.25,
                "unit": "ms",
                "versus": "the target",
                "reference": 1.0,
                "ratio": 0.25,
            },
        ],
    }


def test_the_table_shows_a_figure_beside_what_it_is_held_against() -> None:
    console = Console(width=120, file=StringIO())

    console.print(table(REPORT))

    assert isinstance(console.file, StringIO)
    rows = [line.split() for line in console.file.getvalue().splitlines()]
    assert ["raw", *["durable", "commits,", "one", "after", "the", "other"], "4,000", "/s"] in rows
    assert ["latency", "a", "step", "0.25", "ms", "1", "0.25", "×", "the", "target"] in rows


@pytest.mark.parametrize(("share", "value"), [(0.5, 2), (0.51, 3), (0.99, 4), (0.0, 1), (1.0, 4)])
def test_a_percentile_is_the_smallest_value_that_so_many_do_not_exceed(share: float, value: int) -> None:
    assert percentile([4, 2, 1, 3], share) == value
