"""The catalogue of patterns is whole, and the page made of it is the one that readers find."""

from pathlib import Path

from tests.patterns.catalogue import Support, files, markdown, read

DOCS = Path(__file__).parents[2] / "docs"


def test_every_pattern_is_there_once_and_in_the_file_that_has_its_number() -> None:
    assert [pattern.number for pattern in read()] == list(range(1, 44))
    assert [int(file.name[5:7]) for file in files()] == list(range(1, 44))


def test_at_least_forty_are_supported_and_what_is_not_says_why() -> None:
    patterns = read()
    assert sum(pattern.support is Support.SUPPORTED for pattern in patterns) >= 40
    assert [pattern.name for pattern in patterns if (pattern.support is Support.SUPPORTED) == bool(pattern.why)] == []


def test_the_page_is_what_the_files_say() -> None:
    assert (DOCS / "patterns.md").read_text() == markdown(read())


def test_the_page_is_linked_where_readers_look() -> None:
    assert "(patterns.md)" in (DOCS / "architecture.md").read_text()
