"""The documentation holds: links lead somewhere, and lists name what there is."""

import re
import tomllib
from pathlib import Path

import pytest

from domain.engine.events import EventKind

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    [*(page for page in ROOT.glob("*.md")), *(ROOT / "docs").rglob("*.md")], key=lambda page: page.as_posix()
)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def anchors(page: Path) -> set[str]:
    """The fragments GitHub gives a page's headings."""
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", page.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    broken: list[str] = []
    for target in LINK.findall(FENCE.sub("", page.read_text())):
        path, _, fragment = target.partition("#")
        if "://" in path:
            continue
        file = page.parent / path if path else page
        if not file.exists() or (fragment and fragment not in anchors(file)):
            broken.append(target)

    assert broken == []


def test_every_page_is_reachable_from_the_readme() -> None:
    seen: set[Path] = set()
    work = [ROOT / "README.md"]
    while work:
        page = work.pop()
        if page in seen:
            continue
        seen.add(page)
        for target in LINK.findall(page.read_text()):
            file = (page.parent / target.partition("#")[0]).resolve()
            if file.is_dir():
                work += file.glob("*.md")
            elif file.suffix == ".md" and file.exists():
                work.append(file)

    assert sorted(name_of(page) for page in PAGES if page not in seen) == []


def test_every_dependency_has_its_line_and_no_line_is_without_dependency() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wanted = [*project["project"]["dependencies"], *project["dependency-groups"]["dev"]]
    names = {re.split(r"[\[<>=!~; ]", requirement)[0].lower() for requirement in wanted}

    lines = re.findall(r"^\| `([^`]+)` \|", (ROOT / "docs/dependencies.md").read_text(), re.MULTILINE)

    assert sorted(lines) == sorted(names)


def test_every_event_kind_is_described_once() -> None:
    page = (ROOT / "docs/execution-log.md").read_text()
    described = re.findall(r"^## ([A-Z_]+)$", page, re.MULTILINE)
    reserved = re.findall(r"`([A-Z_]+)`", page.partition("\n## Reserved\n")[2].partition("\n## ")[0])
    reserved = [name for name in reserved if name not in described]

    assert sorted([*described, *reserved]) == sorted(EventKind)


def test_a_decision_is_numbered_and_titled_with_what_was_decided() -> None:
    decisions = sorted((ROOT / "docs/adr").glob("*.md"))

    assert [page.name[:4] for page in decisions] == [f"{number:04}" for number in range(1, len(decisions) + 1)]
    for page in decisions:
        assert page.read_text().startswith(f"# {int(page.name[:4])}. "), page.name
