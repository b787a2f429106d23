"""`/api/v1/files`: the bytes of files, in and out. What else is to be known of them is asked of GraphQL."""

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from urllib.parse import quote

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from app.problems import problem, unavailable
from app.uploads import read_upload
from domain.audit import AuditObject
from domain.errors import Refusal
from domain.files import File
from domain.ids import FileId, decode, encode
from resolvers import audit, files
from resolvers.audit import Act, Result
from resolvers.context import RequestContext
from schema.transport import Authenticate, credentials_in

_RANGE = re.compile(r"bytes=([0-9]{0,18})-([0-9]{0,18})")
_SAFE = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Cache-Control": "private, no-cache",
}
"""What a browser needs to know to never run a file as a page of ours."""


class FileEndpoints:
    """Who asks is told by the same credentials as everywhere; they come in headers only, never in cookies."""

    def __init__(self, authenticate: Authenticate[RequestContext]) -> None:
        self._authenticate = authenticate

    @property
    def routes(self) -> list[BaseRoute]:
        return [
            Route("/api/v1/files", self._told(self._upload), methods=["POST"]),
            Route("/api/v1/files/{id}", self._told(self._download), methods=["GET"]),  # and HEAD
        ]

    async def _upload(self, request: Request, context: RequestContext) -> Response:
        """201 with the reference, which is what inputs take."""
        upload = await read_upload(request)

        async def work() -> File:
            return await files.upload(context, upload.name, upload.media_type, upload.chunks)

        file = await audit.recorded(context, Act(action="file.upload"), work, result=_uploaded, together=False)
        location = f"{context.services.url}/api/v1/files/{encode('file', file.id)}"
        return JSONResponse(file.ref.as_json(), 201, headers={"Location": location})

    async def _download(self, request: Request, context: RequestContext) -> Response:
        file = await files.described(context, FileId(decode("file", str(request.path_params["id"]))))
        headers = {**_SAFE, "ETag": f'"{file.sha256}"', "Accept-Ranges": "bytes"}
        if headers["ETag"] in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        wanted = _wanted(request, file)
        if wanted is None:
            return Response(status_code=416, headers={**headers, "Content-Range": f"bytes */{file.size}"})
        start, end = wanted
        headers |= {"Content-Disposition": _disposition(file.name), "Content-Length": str(end - start)}
        partial = "range" in request.headers and wanted != (0, file.size)
        if partial:
            headers["Content-Range"] = f"bytes {start}-{end - 1}/{file.size}"
        body = _nothing() if request.method == "HEAD" else await files.read(context, file, start, end)
        return StreamingResponse(body, 206 if partial else 200, headers=headers, media_type=file.media_type)

    def _told(
        self, endpoint: Callable[[Request, RequestContext], Awaitable[Response]]
    ) -> Callable[[Request], Awaitable[Response]]:
        async def answer(request: Request) -> Response:
            try:
                context = await self._authenticate(request, credentials_in(request.headers))
                return await endpoint(request, context)
            except Refusal as refusal:
                return problem(refusal)
            except ConnectionError:
                return unavailable()
            except ClientDisconnect:
                return Response(status_code=499)  # nobody reads it

        return answer


def _uploaded(file: File) -> Result:
    return Result(object=AuditObject(type="file", id=encode("file", file.id)))


def _wanted(request: Request, file: File) -> tuple[int, int] | None:
    """From where to before where. None: outside the file. More than one range, or another unit, is all of it."""
    whole = (0, file.size)
    match = _RANGE.fullmatch(request.headers.get("range", ""))
    if match is None or request.headers.get("if-range", f'"{file.sha256}"') != f'"{file.sha256}"':
        return whole
    first, last = match.groups()
    if not first and not last:
        return whole
    if not first:
        start, end = max(0, file.size - int(last)), file.size
    else:
        start, end = int(first), min(int(last) + 1, file.size) if last else file.size
        if last and int(last) < start:
            return whole
    return (start, end) if start < end else None


def _disposition(name: str) -> str:
    """`attachment` with the name in ASCII and, after RFC 6266, as it is."""
    plain = re.sub(r'[^ -~]|["\\%;]', "_", name)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"


async def _nothing() -> AsyncIterator[bytes]:
    return
    yield b""
