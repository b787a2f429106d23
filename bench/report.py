"""Changes when the figures are shown in another way."""

from rich import box
from rich.table import Table

from bench.results import Result
from bench.run import Report
from domain.json import JSON, JSONObject


def as_object(report: Report) -> JSONObject:
    """`{machine, at, seconds, results: [{measure, name, value, unit, versus, reference, ratio}]}`."""
    results: list[JSON] = [
        {
            "measure": measure,
            "name": result.name,
            "value": result.value,
            "unit": result.unit,
            "versus": result.versus,
            "reference": result.reference,
            "ratio": result.ratio,
        }
        for measure, found in report.results.items()
        for result in found
    ]
    return {
        "machine": report.machine,
        "at": report.at.isoformat(),
        "seconds": report.seconds,
        "results": results,
    }


def table(report: Report) -> Table:
    """What was found beside what it is held against."""
    shown = Table(box=box.SIMPLE_HEAD, title=report.machine, title_justify="left", title_style="dim")
    for heading in ("measure", "what"):
        shown.add_column(heading)
    for heading in ("found", "beside", "ratio"):
        shown.add_column(heading, justify="right")
    shown.add_column("which is")
    for measure, found in report.results.items():
        for number, result in enumerate(found):
            last = number == len(found) - 1
            shown.add_row("" if number else measure, *_cells(result), end_section=last)
    return shown


def _cells(result: Result) -> tuple[str, ...]:
    value = f"{_number(result.value)} {result.unit}"
    if result.reference is None or result.ratio is None:
        return (result.name, value, "", "", "")
    return (result.name, value, _number(result.reference), f"{_number(result.ratio)} ×", result.versus or "")


def _number(value: float) -> str:
    """About three digits."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
