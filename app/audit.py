"""`GET /audit/export?format=json|csv`: the whole audit log of a tenant, as it is read from the database."""

import csv
import io
from collections.abc import AsyncIterator, Callable
from datetime import datetime

import orjson
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from app.problems import problem, unavailable
from domain.audit import AuditEntry, AuditFilter
from domain.audit_chain import body
from domain.errors import Invalid, Refusal
from domain.json import JSON, JSONObject
from domain.storable import canonical, checked_text
from resolvers import audit
from resolvers.context import RequestContext
from schema.transport import Authenticate, credentials_in

_LONGEST = 200
_HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


class AuditExport:
    """The filter is that of `auditEntries`, as query parameters; credentials come in headers only."""

    def __init__(self, authenticate: Authenticate[RequestContext]) -> None:
        self._authenticate = authenticate

    @property
    def routes(self) -> list[BaseRoute]:
        return [Route("/audit/export", self._answer, methods=["GET"])]

    async def _answer(self, request: Request) -> Response:
        try:
            write, media_type = _format(request.query_params.get("format", "json"))
            chosen = _filter(request)
            context = await self._authenticate(request, credentials_in(request.headers))
            entries = await audit.export(context, chosen)
        except Refusal as refusal:
            return problem(refusal)
        except ConnectionError:
            return unavailable()
        name = media_type.partition("/")[2].partition(";")[0]
        headers = {**_HEADERS, "Content-Disposition": f'attachment; filename="audit.{name}"'}
        return StreamingResponse(write(entries), headers=headers, media_type=media_type)


async def json_text(entries: AsyncIterator[AuditEntry]) -> AsyncIterator[bytes]:
    """One array; each entry with all that is hashed of it, and its hash."""
    separator = b"[\n"
    async for entry in entries:
        yield separator + orjson.dumps(_shown(entry))
        separator = b",\n"
    yield b"\n]\n" if separator == b",\n" else b"[]\n"


async def csv_text(entries: AsyncIterator[AuditEntry]) -> AsyncIterator[bytes]:
    """A line of names and a line for each entry (RFC 4180); lists and objects as JSON."""
    begun = False
    async for entry in entries:
        shown = _shown(entry)
        if not begun:
            yield _line(list(shown))
            begun = True
        yield _line([_cell(value) for value in shown.values()])


def _shown(entry: AuditEntry) -> JSONObject:
    return {**body(entry), "hash": entry.hash.hex()}


def _cell(value: JSON) -> str:
    """As text; what a spreadsheet would compute is quoted, since user agents come from anybody."""
    match value:
        case None:
            return ""
        case str():
            return f"'{value}" if value.startswith(_FORMULA) else value
        case _:
            return canonical(value).decode()


def _line(cells: list[str]) -> bytes:
    written = io.StringIO()
    csv.writer(written).writerow(cells)
    return written.getvalue().encode()


def _format(name: str) -> tuple[Callable[[AsyncIterator[AuditEntry]], AsyncIterator[bytes]], str]:
    match name:
        case "json":
            return json_text, "application/json"
        case "csv":
            return csv_text, "text/csv; charset=utf-8"
        case _:
            raise Invalid(f"There is no format {name[:40]!r}", path=("format",), remedy="Ask for json or csv.")


def _filter(request: Request) -> AuditFilter:
    given = {name: request.query_params.get(name) for name in ("actor", "action", "object")}
    for name, text in given.items():
        if text is not None:
            checked_text(text, name, most=_LONGEST)
    return AuditFilter(**given, since=_moment(request, "from"), until=_moment(request, "to"))


def _moment(request: Request, name: str) -> datetime | None:
    text = request.query_params.get(name)
    try:
        moment = datetime.fromisoformat(text) if text is not None else None
    except ValueError:
        moment = None
    if text is not None and (moment is None or moment.tzinfo is None):
        raise Invalid(f"{name} is no moment with an offset", path=(name,), remedy="Write 2026-03-01T09:00:00Z.")
    return moment
