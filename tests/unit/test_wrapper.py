"""The `weir` script, with a `uv` and a command line in place of the real ones: no network, no environment."""

import os
import shutil
import subprocess
import sys
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from app.settings import PROJECT

# Makes an environment as uv does, notes that it was called, and takes long enough to be met by another start.
UV = f"""#!/bin/sh
echo "$@" >>"$CALLS"
[ "$1" = sync ] || exit 0
mkdir -p "$UV_PROJECT_ENVIRONMENT/bin"
ln -sf {sys.executable} "$UV_PROJECT_ENVIRONMENT/bin/python"
if [ -n "${{MEETING:-}}" ]; then : >"$MEETING"; read -r _ <"$MEETING.go"; fi
exit "${{UV_STATUS:-0}}"
"""
CLI = """
import os, sys
print(sys.argv[1:], os.getcwd())
sys.exit(7)
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    project = tmp_path / "a project"
    (project / "app").mkdir(parents=True)
    (project / "app" / "__init__.py").touch()
    (project / "app" / "cli.py").write_text(CLI)
    (project / "pyproject.toml").write_text("first")
    (project / "uv.lock").touch()
    shutil.copy(PROJECT / "weir", project / "weir")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "uv").write_text(UV)
    (tmp_path / "bin" / "uv").chmod(0o755)
    return project


def environment(project: Path, **more: str) -> Mapping[str, str]:
    above = project.parent
    return {"PATH": f"{above / 'bin'}:/usr/bin:/bin", "HOME": str(above), "CALLS": str(above / "calls")} | more


def start(
    script: Path, *arguments: str, environment: Mapping[str, str], cwd: Path | None = None
) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([script, *arguments], env=environment, cwd=cwd, capture_output=True, text=True, timeout=60)


def syncs(project: Path) -> int:
    calls = project.parent / "calls"
    return sum(line.startswith("sync ") for line in calls.read_text().splitlines()) if calls.exists() else 0


def test_arguments_directory_and_status_pass_through(project: Path, tmp_path: Path) -> None:
    done = start(project / "weir", "run", "a b", environment=environment(project), cwd=tmp_path)

    assert (done.returncode, done.stdout) == (7, f"['run', 'a b'] {tmp_path}\n")


def test_it_is_found_through_links(project: Path, tmp_path: Path) -> None:
    (tmp_path / "links").mkdir()
    (tmp_path / "links" / "first").symlink_to("../a project/weir")
    (tmp_path / "links" / "second").symlink_to(tmp_path / "links" / "first")

    assert start(tmp_path / "links" / "second", environment=environment(project)).returncode == 7


def test_the_environment_is_made_once_and_again_when_what_is_locked_changes(project: Path) -> None:
    first = start(project / "weir", environment=environment(project))
    second = start(project / "weir", environment=environment(project))
    assert (syncs(project), second.stderr) == (1, "")
    assert "weir: making the environment" in first.stderr

    (project / "pyproject.toml").write_text("second")
    start(project / "weir", environment=environment(project))
    assert syncs(project) == 2


def test_files_in_the_callers_directory_are_not_taken_for_ours(project: Path, tmp_path: Path) -> None:
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "__init__.py").write_text("raise SystemExit(99)")

    assert start(project / "weir", environment=environment(project), cwd=tmp_path).returncode == 7


@contextmanager
def meeting_point(project: Path) -> Generator[Path]:
    """Where a `uv` that is at work waits until the block ends."""
    point = project.parent / "meeting"
    os.mkfifo(f"{point}.go")
    os.mkfifo(point)
    yield point
    Path(f"{point}.go").write_text("\n")


def test_two_first_starts_at_once_make_one_environment(project: Path) -> None:
    with meeting_point(project) as point:
        first = subprocess.Popen([project / "weir"], env=environment(project, MEETING=str(point)), stdout=-1, text=True)
        point.read_bytes()  # the first is inside uv now
        second = subprocess.Popen(
            [project / "weir"], env=environment(project), stdout=-1, stderr=-1, text=True, bufsize=1
        )
        assert second.stderr is not None
        assert second.stderr.readline() == "weir: another start makes the environment; waiting for it\n"

    assert [each.communicate(timeout=60)[0][:2] for each in (first, second)] == ["[]", "[]"]
    assert (first.returncode, second.returncode, syncs(project)) == (7, 7, 1)


def test_a_project_of_somebody_else_has_its_environment_in_the_cache(project: Path, tmp_path: Path) -> None:
    if os.geteuid() == 0:
        os.chown(project, 65534, -1)
    else:
        project.chmod(0o555)

    done = start(project / "weir", environment=environment(project, XDG_CACHE_HOME=str(tmp_path / "cache")))

    assert done.returncode == 7
    assert not (project / ".venv").exists()
    assert not (project / ".tools").exists()
    assert len(list((tmp_path / "cache" / "weir").glob("*/.venv/weir-stamp"))) == 1
    assert (
        start(project / "weir", environment=environment(project, XDG_CACHE_HOME=str(tmp_path / "cache"))).stderr == ""
    )
    project.chmod(0o755)


def test_without_python_and_uv_it_says_what_to_install(project: Path, tmp_path: Path) -> None:
    (tmp_path / "bin" / "uv").unlink()
    for tool in ("cat", "cksum", "dirname", "readlink", "sh"):
        (tmp_path / "bin" / tool).symlink_to(
            f"/usr/bin/{tool}" if Path(f"/usr/bin/{tool}").exists() else f"/bin/{tool}"
        )

    done = start(project / "weir", environment=environment(project, PATH=str(tmp_path / "bin")))

    assert done.returncode == 2
    assert done.stderr == (
        "weir: needs Python 3.11 or later (or uv), and found neither. "
        "Install one, for example with: apt install python3 python3-venv\n"
    )
