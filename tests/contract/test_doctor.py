"""What `weir doctor` says of a machine in this or that state; it changes none of them."""

import os
import signal
import tempfile
import time
from collections.abc import Generator
from pathlib import Path
from shutil import rmtree

import pytest

from app.data_directory import DataDirectory
from app.diagnosis import Diagnosis, Health
from app.doctor import examine
from app.settings import Settings
from app.stack import Stack, open_stack, running


@pytest.fixture
def data_dir() -> Generator[Path]:
    above = Path(tempfile.mkdtemp(prefix="weir-doctor-"))
    above.chmod(0o755)
    yield above / "data"
    rmtree(above)


def of(found: list[Diagnosis], name: str) -> list[Diagnosis]:
    return [diagnosis for diagnosis in found if diagnosis.name == name]


def is_made(data_dir: Path) -> bool:
    return data_dir.exists()


def write_readable(file: Path) -> None:
    file.parent.mkdir()
    file.touch(mode=0o644)


async def test_a_fresh_machine_has_no_problem_and_stays_as_it_is(data_dir: Path) -> None:
    found = await examine({"WEIR_PORT": "0"}, data_dir)

    ours = [diagnosis for diagnosis in found if diagnosis.name != "left over"]  # of others on this machine
    assert [diagnosis for diagnosis in ours if diagnosis.health is not Health.OK] == []
    assert of(found, "settings") == [Diagnosis(name="settings", found="set: WEIR_PORT")]
    assert of(found, "data directory") == [
        Diagnosis(name="data directory", found=f"{data_dir} is made at the first start")
    ]
    assert "PostgreSQL) 18." in of(found, "PostgreSQL binaries")[0].found
    assert not is_made(data_dir)


async def test_running_servers_answer_with_their_versions(stack: Stack) -> None:
    found = await examine({}, stack.data_dir)

    assert of(found, "PostgreSQL")[0].found.startswith("version 18.")
    assert of(found, "PostgreSQL")[0].found.endswith(" answers, signed in as weir")
    assert of(found, "Redis")[0].found == "version 6.2.14 answers"
    assert of(found, "embedded servers")[0].found == f"in {stack.data_dir / 'servers'}, in use"


async def test_a_wrong_setting_is_a_problem_with_a_remedy() -> None:
    found = await examine({"WEIR_PROT": "1"}, None)

    assert found[-1] == Diagnosis(
        name="settings",
        found="WEIR_PROT is no setting; did you mean WEIR_PORT?",
        health=Health.PROBLEM,
        remedy="`weir doctor --settings` lists every setting and what it takes.",
    )


async def test_named_servers_that_do_not_answer_are_problems() -> None:
    found = await examine(
        {"WEIR_DATABASE_URL": "postgresql://u@127.0.0.1:1/d", "WEIR_REDIS_URL": "redis://127.0.0.1:1"}, None
    )

    assert [(diagnosis.name, diagnosis.health) for diagnosis in found[-2:]] == [
        ("PostgreSQL", Health.PROBLEM),
        ("Redis", Health.PROBLEM),
    ]


async def test_a_data_directory_that_is_a_file_is_a_problem(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()

    found = await examine({}, file)

    assert of(found, "data directory")[0].found == f"{file} is no directory"
    assert of(found, "data directory")[0].health is Health.PROBLEM


async def test_a_readable_master_key_is_a_problem(data_dir: Path) -> None:
    write_readable(data_dir / "master.key")

    found = await examine({}, data_dir)

    assert of(found, "data directory")[1].remedy == f"chmod 600 '{data_dir / 'master.key'}'"


async def test_killed_servers_are_told_and_need_nothing(data_dir: Path) -> None:
    with open_stack(Settings(data_dir=data_dir), report=print, durable=False, passing=True):
        directory = DataDirectory.known(data_dir)
        home = directory.known_home() if directory else None
        assert home is not None
        os.kill(int((home / "postgres" / "postmaster.pid").read_text().splitlines()[0]), signal.SIGKILL)
        limit = time.monotonic() + 30
        while "PostgreSQL" in running(data_dir):
            assert time.monotonic() < limit, "it outlives a SIGKILL"

        found = await examine({}, data_dir)

        assert [(each.health, each.remedy) for each in of(found, "PostgreSQL")] == [
            (Health.WARNING, "Nothing to do: the next start cleans up and recovers."),
            (Health.OK, None),
        ]
