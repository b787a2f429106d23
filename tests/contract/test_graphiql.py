"""GraphiQL: a page from our own files, under a policy that lets no other script run."""

import html
import json
import re

import httpx
from graphql import parse

from app import graphiql
from schema.limits import operations_of
from tests.contract.conftest import GraphQLServer

BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


async def page(server: GraphQLServer) -> httpx.Response:
    async with httpx.AsyncClient() as browser:
        return await browser.get(server.url, headers=BROWSER)


async def test_a_browser_that_opens_the_api_gets_the_page_without_credentials(graphql_server: GraphQLServer) -> None:
    response = await page(graphql_server)
    assert (response.status_code, response.headers["content-type"]) == (200, "text/html; charset=utf-8")


async def test_the_page_runs_no_script_but_its_own(graphql_server: GraphQLServer) -> None:
    response = await page(graphql_server)
    policy = dict(rule.split(" ", 1) for rule in response.headers["content-security-policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == "'self'"
    assert re.findall(r"<script(?![^>]*\bsrc=)", response.text) == []
    assert re.findall(r"\bon[a-z]+=", response.text) == []
    assert re.findall(r"(?:https?:)?//", response.text) == []


async def test_everything_the_page_asks_for_is_served_and_kept_for_good(graphql_server: GraphQLServer) -> None:
    addresses = re.findall(r'(?:src|href)="(/[^"]+)"', (await page(graphql_server)).text)
    assert [re.sub(r".*/|\?.*", "", address) for address in addresses] == [
        "graphiql.min.css",
        "page.css",
        "react.production.min.js",
        "react-dom.production.min.js",
        "graphiql.min.js",
        "page.js",
    ]
    async with httpx.AsyncClient() as browser:
        for address in addresses:
            response = await browser.get(httpx.URL(graphql_server.url).join(address))
            assert (response.status_code, response.headers["cache-control"]) == (
                200,
                "public, max-age=31536000, immutable",
            )
            expected = "text/css" if ".css?" in address else "text/javascript"
            assert response.headers["content-type"].startswith(expected)


async def test_an_asset_without_its_version_is_not_kept(graphql_server: GraphQLServer) -> None:
    async with httpx.AsyncClient() as browser:
        response = await browser.get(httpx.URL(graphql_server.url).join("/static/graphiql/page.js"))
    assert (response.status_code, response.headers["cache-control"]) == (200, "no-cache")


async def test_its_tabs_are_the_examples(graphql_server: GraphQLServer) -> None:
    text = (await page(graphql_server)).text
    (attribute,) = re.findall(r'data-examples="([^"]*)"', text)
    tabs = json.loads(html.unescape(attribute))
    assert [tab["query"] for tab in tabs] == [example.query for example in graphiql.EXAMPLES]
    operations = [operations_of(parse(tab["query"])) for tab in tabs]
    assert [[operation.name.value for operation in tab if operation.name] for tab in operations] == [
        ["ListWorkflows"],
        ["CreateWorkflow", "PublishWorkflow"],
        ["StartExecution"],
        ["FollowExecution"],
    ]


def test_the_vendored_files_stay_small_and_carry_their_licences() -> None:
    files = list((graphiql.FOLDER / "vendor").iterdir())
    assert sum(file.stat().st_size for file in files) < 3_000_000
    assert {"LICENSE-graphiql", "LICENSE-react"} <= {file.name for file in files}
