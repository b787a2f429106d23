"""Plug-ins: loaded by entry point, told by name when they are broken, and installed for real."""

import asyncio
import json
import os
import shutil
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from domain.graphs import Definition, Edge, Graph, Node
from domain.json import JSONObject
from domain.validation import validate
from jobs.nodes import CATALOG
from jobs.nodes.catalog import Catalog
from jobs.plugins import GROUP, BrokenPlugin, Plugins, load
from tests.unit.plugin_kinds import BOOK
from weir_kit import Completed, run_node

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "plugin_currency"
KINDS = "tests.unit.plugin_kinds"
PATIENCE = 120.0


def loaded(*entries: tuple[str, str], taken: tuple[str, ...] = ("http",)) -> Plugins:
    return load([EntryPoint(name=name, value=value, group=GROUP) for name, value in entries], taken)


def test_a_kind_is_loaded_and_says_where_it_comes_from() -> None:
    plugins = loaded(("nothing", f"{KINDS}:GOOD"))

    assert [(kind.kind.name, kind.kind.package) for kind in plugins.kinds] == [("nothing", "an unknown package")]
    assert plugins.broken == ()


def test_what_is_read_of_a_plugin_s_output_is_checked() -> None:
    own = [CATALOG.behaviour("trigger"), CATALOG.behaviour("log")]
    catalog = Catalog(own, lambda taken: loaded(("book", f"{KINDS}:BOOK"), taken=tuple(taken)))
    nodes = (
        Node(id="start", kind="trigger"),
        Node(id="pay", kind="book", config={"ledger": "books"}),
        Node(id="say", kind="log", config={"message": "{{ input.ledger }} {{ steps.pay.output.legder }}"}),
    )
    edges = (Edge(source="start", target="pay"), Edge(source="pay", target="say"))

    findings = validate(Definition(graph=Graph(nodes=nodes, edges=edges)), catalog)

    assert [(finding.code, finding.node_id, finding.remedy) for finding in findings] == [
        ("UNKNOWN_FIELD", "say", "Did you mean 'ledger'?")
    ]


async def test_an_environment_s_connections_stand_for_all_that_a_plugin_s_config_names() -> None:
    trigger: JSONObject = {"environment": "staging", "connections": {"books": "test books", "mail": "test mail"}}
    config: JSONObject = {"ledger": "books", "connection": "mail"}

    outcome = await run_node(BOOK, config, scope={"execution": {"trigger": trigger}})

    assert outcome == Completed(output={"ledger": "test books", "told": "test mail"})


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("tests.unit.nowhere:KIND", "ModuleNotFoundError: No module named 'tests.unit.nowhere'"),
        ("tests.unit.plugin_that_exits:KIND", "SystemExit: no licence"),
        (f"{KINDS}:MISSING", f"AttributeError: module '{KINDS}' has no attribute 'MISSING'"),
        (f"{KINDS}:NO_KIND", f"{KINDS}:NO_KIND is str, not a node kind made by weir_kit.define"),
        (f"{KINDS}:HTTP", "Weir has a node kind 'http' itself; give yours another name"),
        (f"{KINDS}:TWIN", "an unknown package has a node kind 'nothing' too; remove one of the packages"),
        (f"{KINDS}:ODD", "'No Name' is no name for a kind: small letters, digits, '.', '_' and '-'"),
    ],
)
def test_a_broken_plugin_is_told_by_name_and_the_others_are_there(value: str, reason: str) -> None:
    plugins = loaded(("nothing", f"{KINDS}:GOOD"), ("broken", value))

    assert [kind.kind.name for kind in plugins.kinds] == ["nothing"]
    assert plugins.broken == (BrokenPlugin(name="broken", package="an unknown package", reason=reason),)


def test_a_catalog_has_the_kinds_of_plugins_in_their_place() -> None:
    own = [CATALOG.behaviour("log"), CATALOG.behaviour("wait")]
    catalog = Catalog(own, lambda taken: loaded(("nothing", f"{KINDS}:GOOD"), taken=tuple(taken)))

    assert list(catalog.kinds()) == ["log", "nothing", "wait"]
    assert catalog.behaviour("nothing").kind.package == "an unknown package"


SCRIPT = """
import asyncio, json
from jobs.nodes import CATALOG
from weir_kit import run_node

kind = CATALOG.kinds()["currency"]
outcome = asyncio.run(run_node(CATALOG.behaviour("currency"), {"amount": "5", "from": "EUR", "to": "EUR"}))
print(json.dumps({
    "package": kind.package,
    "handles": kind.output_handles,
    "output": outcome.output,
    "broken": [[each.name, each.package, each.reason] for each in CATALOG.plugins.broken],
}))
"""


async def test_the_example_package_is_installed_and_runs_beside_a_broken_one(tmp_path: Path) -> None:
    target = await installed(EXAMPLE, tmp_path)
    broken = target / "bad_plugin-0.1.dist-info"
    broken.mkdir()
    (broken / "METADATA").write_text("Metadata-Version: 2.1\nName: bad-plugin\nVersion: 0.1\n")
    (broken / "entry_points.txt").write_text("[weir.nodes]\nbad = nowhere_to_be_found:KIND\n")

    printed = await ran(sys.executable, "-P", "-c", SCRIPT, path=f"{ROOT}:{target}", cwd=tmp_path)

    assert json.loads(printed) == {
        "package": "weir-currency 1.0.0",
        "handles": ["out", "error"],
        "output": {"amount": 5.0, "currency": "EUR", "rate": 1.0},
        "broken": [["bad", "bad-plugin 0.1", "ModuleNotFoundError: No module named 'nowhere_to_be_found'"]],
    }


async def test_the_example_s_own_tests_pass_with_the_kit(tmp_path: Path) -> None:
    pytest_arguments = ("-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", "pyproject.toml", "tests")

    printed = await ran(sys.executable, *pytest_arguments, path=f"{ROOT}:{EXAMPLE}", cwd=EXAMPLE)

    assert "4 passed" in printed


async def installed(project: Path, folder: Path) -> Path:
    """Builds the project's wheel and installs it, without a package index, into a folder of its own."""
    source, wheels, target = folder / "source", folder / "wheels", folder / "plugins"
    shutil.copytree(project, source, ignore=shutil.ignore_patterns("__pycache__"))
    build = "import sys; from setuptools import build_meta; build_meta.build_wheel(sys.argv[1])"
    await ran(sys.executable, "-c", build, str(wheels), cwd=source)
    [wheel] = wheels.glob("*.whl")
    uv = shutil.which("uv", path=os.pathsep.join([os.environ.get("PATH", ""), str(ROOT / ".tools" / "uv" / "bin")]))
    if uv is not None:
        pip = (uv, "pip", "install", "--offline", "--no-index", "--python", sys.executable)
    else:
        await ran(sys.executable, "-m", "venv", str(folder / "pip"))
        pip = (str(folder / "pip" / "bin" / "python"), "-m", "pip", "install", "--no-index")
    await ran(*pip, "--no-deps", "--target", str(target), str(wheel))
    return target


async def ran(*command: str, path: str = "", cwd: Path = ROOT) -> str:
    """What the command prints; it has to end well."""
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(PATIENCE):
            printed, said = await process.communicate()
    except TimeoutError:
        process.kill()
        raise
    assert process.returncode == 0, said.decode() + printed.decode()
    return printed.decode()
