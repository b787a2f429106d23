"""GraphiQL in a real browser, under the policy the application serves it with: skipped where there is no browser."""

import asyncio
import shutil
from asyncio.subprocess import PIPE, create_subprocess_exec
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import Path

import pytest
from starlette.requests import Request
from starlette.responses import Response

from app import graphiql
from app.asgi import Parts, application
from app.edge import EdgeRules
from app.up import listening, serving
from schema.endpoint import GraphQLEndpoint
from tests.contract.sample import SampleAuthenticator, World, sample_schema

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
BROWSER = next((found for name in BROWSERS if (found := shutil.which(name))), None)
pytestmark = pytest.mark.skipif(BROWSER is None, reason=f"there is no browser on this machine: {', '.join(BROWSERS)}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """The page after its scripts have run, and what the browser's console says."""

    page: str
    console: str


async def nothing(request: Request) -> Response:
    return Response()


@pytest.fixture
async def site(world: World) -> AsyncGenerator[str]:
    endpoint = GraphQLEndpoint(sample_schema(), SampleAuthenticator(world), page=graphiql.page(graphiql.EXAMPLES))
    parts = Parts(graphql=endpoint, token=nothing, resume=nothing, checks={}, rules=EdgeRules())
    with listening("127.0.0.1", 0) as bound:
        async with serving(application(parts), bound):
            yield f"http://127.0.0.1:{bound.getsockname()[1]}/graphql"


async def seen(url: str, profile: Path) -> Seen:
    """Chromium's own sandbox needs rights that a test may not have; what it opens is our page alone."""
    browser = await create_subprocess_exec(
        str(BROWSER),
        *("--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"),
        *("--disable-background-networking", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"),
        *("--enable-logging=stderr", f"--user-data-dir={profile}", "--virtual-time-budget=5000", "--dump-dom", url),
        stdout=PIPE,
        stderr=PIPE,
    )
    try:
        async with asyncio.timeout(45):
            page, console = await browser.communicate()
    finally:
        if browser.returncode is None:
            browser.kill()
            await browser.wait()
    said = [line for line in console.decode(errors="replace").splitlines() if "CONSOLE" in line]
    return Seen(page=page.decode(), console="\n".join(said))


async def test_graphiql_works_and_the_policy_forbids_nothing_it_does(site: str, tmp_path: Path) -> None:
    found = await seen(site, tmp_path)

    assert "graphiql-container" in found.page
    assert "ListWorkflows" in found.page
    assert "Content Security Policy" not in found.console
