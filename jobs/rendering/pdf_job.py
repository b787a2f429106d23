"""The job that makes a PDF of an HTML page: what a page may refer to (only itself), its fonts, its limits."""

import json
import logging
import os
import re
from io import BytesIO
from pathlib import Path
from typing import Any, Final, Literal, cast

from PIL import Image
from reportlab.lib.fonts import addMapping
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from xhtml2pdf import context as xhtml2pdf_context
from xhtml2pdf import default, pisa
from xhtml2pdf.config.resources import RenderLimitError, ResourceAccessPolicy

from jobs.rendering.forking import Refused

MAX_WARNINGS: Final = 20
_pisa, _context, _metrics = cast("Any", pisa), cast("Any", xhtml2pdf_context), cast("Any", pdfmetrics)
"""Libraries without type information."""
_FONTS: Final = (
    Path("/usr/share/fonts/truetype/dejavu"),
    Path("/usr/share/fonts/TTF"),
    Path("/usr/share/fonts/dejavu"),
)
_FACES: Final[tuple[tuple[Literal[0, 1], Literal[0, 1], str], ...]] = (
    (0, 0, "DejaVuSans.ttf"), (1, 0, "DejaVuSans-Bold.ttf"),
    (0, 1, "DejaVuSans-Oblique.ttf"), (1, 1, "DejaVuSans-BoldOblique.ttf"),
)  # fmt: skip
_OWN_PAGE: Final = re.compile(r"@page\s*\{")
_POLICY: Final = ResourceAccessPolicy.server(None, allow_remote=False, max_document_bytes=None)
_PIXEL: Final = (
    "data:image/png;base64,"
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
_SAMPLE: Final = f"""
<title>x</title>
<style>@page {{ background-image: url({_PIXEL});
@frame f {{ -pdf-frame-content: foot; bottom: 1cm; height: 1cm }} }}</style>
<pdf:toc><h1>Ü</h1><p style="font-family: Times; color: red"><b>b</b><i>i</i></p><pre>x</pre><ul><li>a</li></ul>
<table border="1"><tr><td>1</td></tr></table><a href="https://example.com">x</a><p lang="ar">مرحبا</p>
<img src="{_PIXEL}">
<img src="data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg'%3E%3Ctext x='5'%3Ea%3C/text%3E%3C/svg%3E">
<pdf:barcode value="12345678" type="qr"><div id="foot"><pdf:pagenumber> / <pdf:pagecount></div>
"""


def prepare() -> None:
    """Makes a PDF of a bit of everything, so that nothing is left to read; then registers the fonts that are here."""
    logging.disable(logging.CRITICAL)
    _adapt()
    Image.init()
    cast("Any", os).getcwd = lambda: "/"  # asked for again and again; a fork is refused even that
    _pdf(_styled(_SAMPLE, "a4", "portrait"))
    for folder in _FONTS:
        if all((folder / name).is_file() for _, _, name in _FACES):
            _register(folder)
            break


def work(request: bytes) -> bytes:
    """From `{html, size, orientation}` to `{warnings}` as JSON, a line feed, and the PDF."""
    given = cast("dict[str, Any]", json.loads(request))
    try:
        pdf, warnings = _pdf(_styled(given["html"], given["size"], given["orientation"]))
    except RenderLimitError as error:
        raise Refused(str(error)[:500]) from None
    except RecursionError:
        raise Refused("its elements are nested too deep") from None
    except MemoryError:
        raise
    except Exception as error:  # a library for whatever a page may hold has no list of what it raises
        raise Refused(f"{type(error).__name__}: {error}"[:500]) from None
    return json.dumps({"warnings": warnings}).encode() + b"\n" + pdf


def _styled(html: str, size: str, orientation: str) -> str:
    """The page below our own style, which its own goes before."""
    page = "" if _OWN_PAGE.search(html) else f"@page {{ size: {size} {orientation}; margin: 2cm }} "
    return f'<style>{page}html {{ font-family: Helvetica, "DejaVu Sans"; font-size: 11pt }}</style>{html}'


def _pdf(html: str) -> tuple[bytes, list[str]]:
    target = BytesIO()
    made = _pisa.CreatePDF(html, target, encoding="utf-8", resource_policy=_POLICY, capacity=-1)
    if made.err:
        raise ValueError("; ".join(str(entry[2]) for entry in made.log if entry[0] == "error")[:500] or "it is no page")
    warnings = dict.fromkeys(str(entry[2])[:300] for entry in made.log if entry[0] == "warning")
    return target.getvalue(), list(warnings)[:MAX_WARNINGS]


def _adapt() -> None:
    """Fonts in a page stay in memory, since a fork can write no file; warnings are kept as whole sentences."""
    register, warn = _context.registerTTFont, _context.pisaContext.warning

    def register_kept(name: str, file: Any, data: bytes | None = None) -> str:
        return register(name, file, data or file.getData())

    def warn_whole(context: Any, text: object, *values: object) -> Any:
        return warn(context, str(text) % values if values else text)

    _context.registerTTFont, _context.pisaContext.warning = register_kept, warn_whole


def _register(folder: Path) -> None:
    for bold, italic, name in _FACES:
        face = f"dejavu sans_{bold}{italic}"
        _metrics.registerFont(TTFont(face, str(folder / name)))
        addMapping("dejavu sans", bold, italic, face)
    default.DEFAULT_FONT["dejavu sans"] = "dejavu sans_00"
