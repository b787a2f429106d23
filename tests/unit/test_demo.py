"""A document's demo server: which file may be one, how it is waited for, that nothing of it stays behind."""

import asyncio
import os
from pathlib import Path

import pytest

from app.demo import Demo, demo_server, locate
from domain.errors import Invalid

SERVES = """
import os, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
print("starting", flush=True)
print("a complaint", file=sys.stderr, flush=True)
open("pids", "w").write(f"{os.getpid()} {child.pid}")
open("environment", "w").write(" ".join(sorted(os.environ)))
print("ready http://127.0.0.1:4711", flush=True)
print("later", flush=True)
time.sleep(600)
"""


def document(folder: Path, script: str) -> Path:
    (folder / "shop.py").write_text(script)
    return folder / "order.yaml"


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # A killed grandchild stays a zombie until whoever adopted it looks.
    status = Path(f"/proc/{pid}/stat")
    return not (status.exists() and ") Z " in status.read_text())


async def gone(pid: int) -> bool:
    """Whether the process ends within two seconds."""
    for _ in range(100):
        if not alive(pid):
            return True
        await asyncio.sleep(0.02)
    return False


async def test_a_demo_serves_while_the_block_runs_and_leaves_no_process_behind(tmp_path: Path) -> None:
    said: list[str] = []
    log = tmp_path / "demo.log"

    async with demo_server(document(tmp_path, SERVES), "shop.py", log=log, say=said.append) as demo:
        pids = [int(pid) for pid in (tmp_path / "pids").read_text().split()]
        assert demo == Demo(url="http://127.0.0.1:4711", host="127.0.0.1", port=4711)
        assert said == [f"demo shop.py serves http://127.0.0.1:4711 (its log: {log})"]
        assert "a complaint" in log.read_text()

    assert [await gone(pid) for pid in pids] == [True, True]
    assert said[1:] == ["demo shop.py stopped"]


async def test_a_demo_is_stopped_when_the_run_fails(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="the run failed"):
        async with demo_server(document(tmp_path, SERVES), "shop.py", log=tmp_path / "demo.log", say=lambda _: None):
            raise RuntimeError("the run failed")

    pids = [int(pid) for pid in (tmp_path / "pids").read_text().split()]
    assert [await gone(pid) for pid in pids] == [True, True]


async def test_a_demo_gets_none_of_the_settings_of_weir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEIR_MASTER_KEY", "secret")

    async with demo_server(document(tmp_path, SERVES), "shop.py", log=tmp_path / "demo.log", say=lambda _: None):
        names = (tmp_path / "environment").read_text().split()

    assert "WEIR_MASTER_KEY" not in names
    assert "PATH" in names


async def test_a_demo_that_ends_is_refused_with_its_last_words(tmp_path: Path) -> None:
    script = "raise SystemExit('the port is taken')"

    with pytest.raises(Invalid) as refused:
        async with demo_server(document(tmp_path, script), "shop.py", log=tmp_path / "demo.log", say=lambda _: None):
            pass

    assert refused.value.message == (
        "The demo 'shop.py' ended with status 1 and did not print `ready http://…`: the port is taken"
    )
    assert refused.value.path == ("demo",)


async def test_a_demo_that_says_nothing_is_refused_after_its_time(tmp_path: Path) -> None:
    script = "import time; time.sleep(600)"

    with pytest.raises(Invalid, match=r"did not within 0\.2 s print `ready http://…`$"):
        async with demo_server(
            document(tmp_path, script),
            "shop.py",
            log=tmp_path / "demo.log",
            say=lambda _: None,
            ready_within=0.2,
        ):
            pass


@pytest.mark.parametrize("script", ["../shop.py", "/etc/hostname", "shop.sh", "missing.py", "outside.py"])
def test_a_demo_outside_the_documents_folder_is_refused(tmp_path: Path, script: str) -> None:
    folder = tmp_path / "examples"
    folder.mkdir()
    (tmp_path / "shop.py").write_text("")
    (folder / "shop.sh").write_text("")
    (folder / "outside.py").symlink_to(tmp_path / "shop.py")

    with pytest.raises(Invalid) as refused:
        locate(folder / "order.yaml", script)

    assert refused.value.path == ("demo",)


def test_a_demo_below_the_documents_folder_is_found(tmp_path: Path) -> None:
    (tmp_path / "demos").mkdir()
    (tmp_path / "demos" / "shop.py").write_text("")

    assert locate(tmp_path / "order.yaml", "demos/shop.py") == tmp_path / "demos" / "shop.py"
