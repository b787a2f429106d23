"""GraphiQL in a real browser, under the policy the application serves it with: skipped where there is no browser."""

import asyncio
import shutil
from asyncio.subprocess import DEVNULL, PIPE, create_subprocess_exec
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app import graphiql
from app.asgi import Parts, application
from app.up import listening, serving
from schema.endpoint import GraphQLEndpoint
from schema.transport_http import Page
from tests.contract.sample import SampleAuthenticator, World, sample_schema

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
BROWSER = next((found for name in BROWSERS if (found := shutil.which(name))), None)
pytestmark = pytest.mark.skipif(BROWSER is None, reason=f"there is no browser on this machine: {', '.join(BROWSERS)}")


@dataclass(eq=False)
class Reporting:
    """The application, whose policy also asks the browser to report what it forbids."""

    app: ASGIApp
    reports: list[bytes] = field(default_factory=list[bytes])

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["Content-Security-Policy"] += "; report-uri /reports"
            await send(message)

        if scope["type"] == "http" and scope["path"] == "/reports":
            self.reports.append(await Request(scope, receive).body())
            await Response(status_code=204)(scope, receive, send)
        else:
            await self.app(scope, receive, answer)


async def nothing(request: Request) -> Response:
    return Response()


async def opened(url: str, profile: Path) -> str:
    """The page after its scripts have run. Chromium's own sandbox needs rights that a test may not have."""
    browser = await create_subprocess_exec(
        str(BROWSER),
        *("--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"),
        *("--disable-background-networking", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"),
        *(f"--user-data-dir={profile}", "--virtual-time-budget=5000", "--dump-dom", url),
        stdout=PIPE,
        stderr=DEVNULL,
    )
    try:
        async with asyncio.timeout(45):
            page, _ = await browser.communicate()
    finally:
        if browser.returncode is None:
            browser.kill()
            await browser.wait()
    return page.decode()


async def visited(page: Page, world: World, profile: Path) -> tuple[str, list[bytes]]:
    """What is on the page, and what the policy forbade it."""
    endpoint = GraphQLEndpoint(sample_schema(), SampleAuthenticator(world), page=page)
    site = Reporting(application(Parts(graphql=endpoint, token=nothing, resume=nothing, checks={})))
    with listening("127.0.0.1", 0) as bound:
        async with serving(site, bound):
            found = await opened(f"http://127.0.0.1:{bound.getsockname()[1]}/graphql", profile)
    return found, site.reports


async def test_graphiql_works_and_the_policy_forbids_nothing_it_does(world: World, tmp_path: Path) -> None:
    found, reports = await visited(graphiql.page(graphiql.EXAMPLES), world, tmp_path)

    assert "graphiql-container" in found
    assert "ListWorkflows" in found
    assert reports == []


async def test_the_policy_forbids_a_script_that_is_not_ours(world: World, tmp_path: Path) -> None:
    """So that the test above can fail: the browser does report."""

    def injected(request: Request) -> Response:
        script = "<body><script>document.body.append('inj' + 'ected')</script></body>"
        return HTMLResponse(script, headers=graphiql.HEADERS)

    found, reports = await visited(injected, world, tmp_path)

    assert "injected" not in found
    assert [b"script-src" in report for report in reports] == [True]
