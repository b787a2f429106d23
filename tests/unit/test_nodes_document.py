"""The document node: text, HTML and real PDFs, and what a hostile page gets: nothing."""

import asyncio
import base64
from io import BytesIO
from pathlib import Path
from uuid import UUID

import pytest
from pypdf import PdfReader

from domain.engine.outcomes import Completed, Failed, Outcome
from domain.ids import encode
from domain.json import JSON, JSONObject
from jobs.nodes.document import KIND
from tests.unit.http_server import http_server
from weir_kit import MemoryFiles, run_node

PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
DEJAVU = Path("/usr/share/fonts/truetype/dejavu/DejaVuSerif.ttf")


async def document(config: JSONObject, *, input: JSON = None, files: MemoryFiles | None = None) -> Outcome:
    return await run_node(KIND, config, input=input, files=files)


async def pdf(template: str, *, input: JSON = None, files: MemoryFiles | None = None, **config: JSON) -> PdfReader:
    kept = files or MemoryFiles()
    given: JSONObject = {"template": template, "format": "pdf", "name": "made", **config}
    outcome = await document(given, input=input, files=kept)
    assert isinstance(outcome, Completed), outcome
    return PdfReader(BytesIO(kept.content("made.pdf")))


async def warnings(template: str) -> list[str]:
    outcome = await document({"template": template, "format": "pdf"})
    assert isinstance(outcome, Completed), outcome
    return [line.message for line in outcome.logs]


async def failed(config: JSONObject, *, input: JSON = None) -> Failed:
    outcome = await document(config, input=input)
    assert isinstance(outcome, Failed), outcome
    return outcome


async def test_html_is_the_output_itself_and_sees_the_input_by_member_and_as_input() -> None:
    outcome = await document({"template": "<p>{{ name }} {{ input.name }}</p>"}, input={"name": "A & B"})

    assert outcome == Completed(output={"content": "<p>A &amp; B A &amp; B</p>", "mediaType": "text/html"})


async def test_the_braces_of_the_template_are_liquid_s_and_those_of_the_variables_weir_s() -> None:
    config: JSONObject = {
        "template": "{{ total }} {{ rate | times: 2 }}",
        "format": "text",
        "variables": {"total": "{{ input.price * 3 }}", "rate": 4},
    }

    outcome = await document(config, input={"price": 2})

    assert outcome == Completed(output={"content": "6 8", "mediaType": "text/plain"})


async def test_a_text_is_a_file_when_it_is_large_or_asked_for() -> None:
    files = MemoryFiles()

    asked = await document({"template": "Hi", "format": "text", "asFile": True, "name": "a/b.txt"}, files=files)
    large = await document({"template": "{{ a }}", "variables": {"a": "x" * 70_000}}, files=files)

    [(first, hi), (second, html)] = files.kept.values()
    assert asked == Completed(output={"file": first.as_json(), "mediaType": "text/plain"})
    assert large == Completed(output={"file": second.as_json(), "mediaType": "text/html"})
    assert (first.name, hi, second.name, len(html)) == ("b.txt", b"Hi", "node.html", 70_000)


async def test_a_pdf_holds_the_text_on_as_many_pages_as_it_takes() -> None:
    reader = await pdf(
        "<title>Invoice</title><h1>Invoice {{ number }}</h1>"
        "{% for line in lines %}<p>{{ line | decimal: 2 }} €</p>{% endfor %}",
        input={"number": 7, "lines": list(range(60))},
    )

    text = "".join(page.extract_text() for page in reader.pages)
    assert len(reader.pages) == 3
    assert "Invoice 7" in reader.pages[0].extract_text()
    assert all(f"{line}.00 €" in text for line in range(60))
    assert reader.metadata is not None
    assert reader.metadata.title == "Invoice"


@pytest.mark.parametrize(
    ("size", "orientation", "template", "points"),
    [
        ("a4", "portrait", "x", (595, 842)),
        ("letter", "landscape", "x", (792, 612)),
        ("a4", "portrait", "<style>@page { size: a5 }</style>x", (420, 595)),
    ],
)
async def test_the_paper_is_the_one_asked_for(
    size: str, orientation: str, template: str, points: tuple[int, int]
) -> None:
    [page] = (await pdf(template, pageSize=size, orientation=orientation)).pages

    assert (round(page.mediabox.width), round(page.mediabox.height)) == points


async def test_pictures_come_from_the_tenant_s_files() -> None:
    files = MemoryFiles()

    async def chunks():
        yield PIXEL

    logo = await files.put("logo.png", "image/png", chunks())
    reader = await pdf('<img src="{{ logo | file }}"><p>x</p>', input={"logo": logo.as_json()}, files=files)

    assert [len(page.images) for page in reader.pages] == [1]


async def test_a_file_that_is_not_there_is_said() -> None:
    missing = encode("file", UUID(int=9))

    outcome = await failed({"template": f'<img src="{missing}">', "format": "pdf"})

    assert (outcome.code, outcome.message, outcome.retryable) == ("NOT_FOUND", f"There is no file {missing}", False)


@pytest.mark.skipif(not DEJAVU.exists(), reason="the fonts DejaVu are not installed here")
async def test_letters_beyond_western_europe_are_drawn_where_a_font_has_them() -> None:
    [page] = (await pdf("<p>Łódź Привет</p>")).pages

    assert page.extract_text().strip() == "Łódź Привет"


@pytest.mark.skipif(not DEJAVU.exists(), reason="the fonts DejaVu are not installed here")
async def test_a_font_may_be_in_the_page() -> None:
    font = base64.b64encode(await asyncio.to_thread(DEJAVU.read_bytes)).decode()
    face = f"@font-face {{ font-family: own; src: url(data:font/ttf;base64,{font}) }}"

    files = MemoryFiles()

    [page] = (await pdf(f"<style>{face} p {{ font-family: own }}</style><p>Łódź</p>", files=files)).pages

    assert page.extract_text().strip() == "Łódź"
    assert b"+DejaVuSerif" in files.content("made.pdf")


async def test_a_letter_no_font_has_is_said_in_the_log() -> None:
    [warning] = await warnings("<p>字</p>")

    assert warning.startswith("No font this document has can draw '字' (U+5B57)")


async def test_a_page_reads_neither_files_of_this_machine_nor_the_network() -> None:
    async with http_server() as server:
        reader = await pdf(
            f"""<link rel="stylesheet" href="{server.url}/a.css"><link rel="stylesheet" href="/etc/passwd">
            <style>@import url({server.url}/b.css); @font-face {{ font-family: x; src: url({server.url}/c.ttf) }}
            @page {{ background-image: url(file:///etc/passwd) }} p {{ font-family: x }}</style>
            <img src="{server.url}/d.png"><img src="/etc/passwd"><img src="file:///etc/hostname"><p>done</p>
            <iframe src="/etc/passwd"></iframe><object data="{server.url}/e"></object>"""
        )

    text = "".join(page.extract_text() for page in reader.pages)
    assert server.received == []
    assert "done" in text
    assert "root" not in text


async def test_what_is_left_out_of_a_page_is_said_in_the_log() -> None:
    assert await warnings('<img src="/etc/passwd"><p>x</p>') == [
        "Could not get image data from src attribute: /etc/passwd"
    ]


@pytest.mark.parametrize(
    "template",
    [
        "<div>" * 3_000,
        "<table><tr><td>" * 300,
        '<p style="font-size: 1e9cm">x</p>',
        "<img src=\"data:image/svg+xml,%3C!DOCTYPE s [%3C!ENTITY e SYSTEM 'file:///etc/passwd'%3E]%3E%3Csvg "
        "xmlns='http://www.w3.org/2000/svg' width='9' height='9'%3E%3Ctext%3E&e;%3C/text%3E%3C/svg%3E\">",
    ],
)
async def test_a_page_that_cannot_be_laid_out_fails_with_a_remedy(template: str) -> None:
    outcome = await failed({"template": template, "format": "pdf"})

    assert (outcome.code, outcome.retryable) == ("DOCUMENT_FAILED", False)
    assert outcome.message.startswith("The page gave no PDF: ")
    assert outcome.remedy


async def test_a_template_that_fails_makes_no_document() -> None:
    outcome = await failed({"template": "<p>\n{{ nobody }}", "format": "pdf"})

    assert (outcome.code, outcome.details) == ("TEMPLATE_FAILED", {"line": 2})
