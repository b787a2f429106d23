"""GraphiQL from our own files, for the browser that opens the API's address: changes when that page does."""

import hashlib
import html
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from string import Template

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

FOLDER = Path(__file__).parent / "static" / "graphiql"
ASSETS_PATH = "/static/graphiql"

# GraphiQL's widgets write style elements and its fonts are data URLs; scripts come from our files alone.
POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data:",
        "font-src 'self' data:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "Cache-Control": "no-cache",
    "Referrer-Policy": "no-referrer",
    "Vary": "Accept",
    "X-Content-Type-Options": "nosniff",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """An operation that is open in a tab of its own when the page is first seen."""

    query: str
    variables: str | None = None


def examples_in(folder: Path) -> tuple[Example, ...]:
    """The documents of the folder in the order of their names; `NAME.variables.json` beside one goes with it."""
    found: list[Example] = []
    for path in sorted(folder.glob("*.graphql")):
        variables = path.with_suffix(".variables.json")
        text = variables.read_text(encoding="utf-8") if variables.exists() else None
        found.append(Example(query=path.read_text(encoding="utf-8"), variables=text))
    return tuple(found)


EXAMPLES = examples_in(FOLDER / "examples")


def page(examples: Sequence[Example], *, assets_path: str = ASSETS_PATH) -> Callable[[Request], Response]:
    """A handler that answers with the page; its assets are looked for under `assets_path`."""
    tabs = [{"query": example.query, "variables": example.variables} for example in examples]
    text = Template((FOLDER / "index.html").read_text(encoding="utf-8")).substitute(
        assets=html.escape(assets_path), version=version(), examples=html.escape(json.dumps(tabs))
    )

    def show(request: Request) -> Response:
        return HTMLResponse(text, headers=HEADERS)

    return show


@cache
def version() -> str:
    """Names the assets as they are now: part of their addresses, so that browsers may keep them for good."""
    digest = hashlib.sha256()
    for path in sorted(FOLDER.rglob("*")):
        if path.suffix in (".js", ".css"):
            digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def assets() -> StaticFiles:
    """The application to mount at `ASSETS_PATH`."""
    return _KeptFiles(directory=FOLDER)


class _KeptFiles(StaticFiles):
    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        named = scope.get("query_string", b"") == f"v={version()}".encode()
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable" if named else "no-cache"
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response
