"""The examples that undo, loop and follow up, run as a newcomer runs them: what becomes of every input."""

import re
from collections import Counter
from collections.abc import Generator, Mapping
from pathlib import Path

import pytest

from app.settings import Settings
from app.stack import open_stack
from tests.acceptance.commands import Ended, new_data_directory, weir

pytestmark = pytest.mark.acceptance

EMPLOYEES = {
    "E-201": ("ready", None, "ready"),
    "E-202": ("ready", None, "ready"),  # the chat system answers at the second attempt
    "E-203": ("ready", None, "on loan"),
    "E-204": ("ready", None, "ready"),
    "E-205": ("incomplete", "manager is missing", None),
    "E-206": ("FAILED", "HTTP_STATUS", None),  # a namesake: the accounts made so far are removed
    "E-207": ("ready", None, "ready"),
    "E-208": ("ready", None, "on loan"),
}
SERVICES = {
    "catalogue": ("running", None, 575),
    "recommendations": ("running", None, 170),
    "checkout": ("running", None, 350),
    "reporting": ("running", None, 350),
    "video": ("refused", "1520 euros a month are too much", None),
    "thumbnails": ("running", None, 1145),
    "legacy-bridge": ("FAILED", "FAILED_BY_WORKFLOW", None),
    "search": ("running", None, 1175),
    "sandbox": ("running", None, 170),
}
REPORTS = {
    "R-01": ("accepted", None, 1),
    "R-02": ("accepted", None, 1),  # one source is silent
    "R-03": ("accepted", None, 1),
    "R-04": ("accepted", None, 2),  # sent back once
    "R-05": ("no evidence", "2.control should match ^[A-Z]{2}-[0-9]+$, not be '?-1'", None),
    "R-06": ("withdrawn", "Start over", None),  # sent back a third time
    "R-07": ("withdrawn", "Nobody reviewed it in time", None),
    "R-08": ("rejected", "The form of 2027 is missing", 1),
}


@pytest.fixture(scope="module")
def data_dir() -> Generator[Path]:
    """One whose servers stay up."""
    with new_data_directory() as path, open_stack(Settings(data_dir=path), report=print):
        yield path


async def run(data_dir: Path, name: str, inputs: str) -> Ended:
    files = f"examples/{name}.yaml", "--each", f"@examples/{name}.{inputs}.json"
    return await weir("run", *files, "--data-dir", data_dir)


def outcomes(ended: Ended, inputs: Mapping[str, tuple[object, ...]], *names: str) -> dict[str, tuple[object, ...]]:
    """By input: the named parts of its output, or FAILED and the error's code."""
    return {
        key: tuple(each["output"].get(name) for name in names)
        if each["status"] == "COMPLETED"
        else (each["status"], each["error"]["code"], None)
        for key, each in zip(inputs, ended.result, strict=True)
    }


def requests(data_dir: Path, pattern: str) -> list[str]:
    """What the demo server answered with 200, by the path."""
    return re.findall(rf'"\w+ ({pattern}) HTTP/1.1" 200', (data_dir / "demo.log").read_text())


async def test_colleagues_are_ready_for_their_first_day_or_have_no_account_at_all(data_dir: Path) -> None:
    ended = await run(data_dir, "employee_onboarding", "employees")

    assert ended.status == 1, ended.stderr
    assert outcomes(ended, EMPLOYEES, "status", "reason", "equipment") == EMPLOYEES
    assert requests(data_dir, r"/accounts/\w+/removal") == ["/accounts/chat/removal", "/accounts/mail/removal"]
    assert Counter(requests(data_dir, r"/accounts/\w+")) == {
        "/accounts/mail": 7,
        "/accounts/chat": 7,
        "/accounts/projects": 6,
    }


async def test_services_run_or_leave_nothing_behind(data_dir: Path) -> None:
    ended = await run(data_dir, "infrastructure_provisioning", "services")

    assert ended.status == 1, ended.stderr
    assert outcomes(ended, SERVICES, "status", "reason", "monthly") == SERVICES
    destroyed = [path.split("/")[2].partition("-")[0] for path in requests(data_dir, r"/resources/[\w-]+/destruction")]
    assert destroyed == ["machines", "network"], "in reverse order"


async def test_reports_are_written_again_reviewed_and_followed_up(data_dir: Path) -> None:
    ended = await run(data_dir, "compliance_reporting", "reports")

    assert ended.status == 0, ended.stderr
    assert outcomes(ended, REPORTS, "status", "reason", "rounds") == REPORTS
    assert len(requests(data_dir, "/submissions")) == 5
