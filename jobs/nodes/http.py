"""The `http` node: one request to another system."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Annotated, Any, Literal
from urllib.parse import urlencode

import orjson
from pydantic import Field

from domain.engine.outcomes import Completed, Failed, Outcome
from domain.errors import Finding
from domain.expressions.templates import text_of
from domain.graphs import ERROR, OUT
from domain.json import JSON, JSONObject, as_list, as_object
from domain.nodes import NodeCategory
from jobs.nodes.base import NodeConfig, StepContext, define
from jobs.outgoing import OutgoingError, OutgoingRequest, OutgoingResponse

DEFAULT_TIMEOUT = 60.0
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_RETRYABLE = frozenset({408, 425, 429})
_OWN_HEADERS = frozenset({"connection", "content-length", "host", "transfer-encoding", "upgrade"})
_SHOWN_BODY = 2_000

Status = Annotated[int, Field(ge=100, le=599)]
Scalar = str | int | float | bool | None


class HttpConfig(NodeConfig):
    method: Literal["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"] = Field(
        "GET", description="The HTTP method."
    )
    url: Annotated[str, Field(min_length=1, max_length=8_000)] = Field(description="An absolute http or https URL.")
    headers: dict[str, Scalar] = Field(default_factory=dict[str, Any], description="Headers by name; null for none.")
    query: dict[str, Scalar | list[Scalar]] = Field(
        default_factory=dict[str, Any], description="Parameters added to the URL; a list gives several, null none."
    )
    body: object = Field(None, description="Sent as JSON, or as form or text when the content-type header says so.")
    expect: list[Status] = Field(
        default_factory=list[int], description="The statuses that are no error; any 2xx when left out."
    )
    follow_redirects: bool = Field(True, description="Whether redirects are followed, at most ten.")
    response_type: Literal["auto", "json", "text"] = Field(
        "auto", description="How the body is read; auto: by its content-type."
    )


async def run(step: StepContext, config: HttpConfig) -> Outcome:
    headers = _headers(step, config)
    content = _content(step.config, headers)
    request = OutgoingRequest(
        method=config.method,
        url=_with_query(config.url, config.query),
        headers=headers,
        content=content,
        timeout=step.timeout or DEFAULT_TIMEOUT,
        follow_redirects=config.follow_redirects,
    )
    try:
        response = await step.services.http.send(request)
    except OutgoingError as error:
        return Failed(code=error.code, message=error.message, retryable=error.retryable, remedy=error.remedy)
    expected = response.status in config.expect if config.expect else 200 <= response.status < 300
    if not expected:
        return _unexpected(response, step.at)
    try:
        body = _body(response, config.response_type)
    except ValueError:
        kind = response.headers.get("content-type", "no content-type")
        return Failed(code="RESPONSE_NOT_JSON", message=f"The body, {kind}, is no JSON", retryable=False)
    answered: dict[str, JSON] = dict(response.headers)
    return Completed(output={"status": response.status, "headers": answered, "body": body})


def _headers(step: StepContext, config: HttpConfig) -> dict[str, str]:
    headers = {name.lower(): text_of(value) for name, value in config.headers.items() if value is not None}
    if config.method not in _SAFE_METHODS:
        headers["idempotency-key"] = step.idempotency_key
    return headers


def _content(config: JSONObject, headers: dict[str, str]) -> bytes | None:
    """The body's bytes; sets the content-type when the config has none."""
    body = config.get("body")
    if body is None:
        return None
    kind = headers.setdefault("content-type", "application/json").partition(";")[0].strip().lower()
    if kind == "application/x-www-form-urlencoded" and isinstance(body, Mapping):
        return _encoded(body).encode()
    if _is_json(kind):
        return orjson.dumps(body)
    return text_of(body).encode()


def _with_query(url: str, query: Mapping[str, JSON]) -> str:
    added = _encoded(query)
    if not added:
        return url
    address, hash_sign, fragment = url.partition("#")
    return f"{address}{'&' if '?' in address else '?'}{added}{hash_sign}{fragment}"


def _encoded(members: Mapping[str, JSON]) -> str:
    pairs = [
        (name, text_of(each))
        for name, value in members.items()
        for each in (as_list(value) if isinstance(value, list) else [value])
        if each is not None
    ]
    return urlencode(pairs)


def _body(response: OutgoingResponse, response_type: str) -> JSON:
    """Raises ValueError when the body should be JSON and is none."""
    kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    if response_type == "text" or (response_type == "auto" and not _is_json(kind)):
        return _text(response)
    if response_type == "auto" and not response.content:
        return None
    return orjson.loads(response.content)


def _is_json(kind: str) -> bool:
    return kind == "application/json" or kind.endswith("+json")


def _text(response: OutgoingResponse) -> str:
    try:
        text = response.content.decode(response.encoding, "replace")
    except LookupError:  # the server named an encoding that Python does not know
        text = response.content.decode("utf-8", "replace")
    return text.replace("\x00", "\ufffd")


def _unexpected(response: OutgoingResponse, now: datetime) -> Failed:
    text = _text(response)
    return Failed(
        code="HTTP_STATUS",
        message=f"The answer has the status {response.status}",
        retryable=response.status in _RETRYABLE or response.status >= 500,
        retry_after=_retry_after(response.headers.get("retry-after"), now),
        remedy="List the status in expect if it is no error, or route the error.",
        details={
            "status": response.status,
            "body": text if len(text) <= _SHOWN_BODY else f"{text[:_SHOWN_BODY]}…",
        },
    )


def _retry_after(value: str | None, now: datetime) -> float | None:
    """Seconds from now: the header has either those or a date (RFC 9110, section 10.2.3)."""
    if value is None:
        return None
    if value.strip().isdecimal():
        return float(value)
    try:
        return max(0.0, (parsedate_to_datetime(value) - now).total_seconds())
    except (ValueError, TypeError):
        return None


def rules(config: JSONObject) -> Iterator[Finding]:
    for name in as_object(config.get("headers")):
        if name.lower() in _OWN_HEADERS or name.lower() == "idempotency-key":
            message = f"The header {name[:60]!r} is set by Weir itself"
            yield Finding(code="BAD_HEADER", message=message, path=("headers", name), remedy="Leave it out.")
    url = config.get("url")
    if isinstance(url, str) and "{{" not in url and not url.lower().startswith(("http://", "https://")):
        message = f"{url[:80]!r} is no absolute URL"
        yield Finding(code="BAD_URL", message=message, path=("url",), remedy="Begin it with https://.")


KIND = define(
    name="http",
    title="HTTP request",
    description="Calls another system over HTTP.",
    category=NodeCategory.INTEGRATION,
    config=HttpConfig,
    run=run,
    rules=rules,
    outputs=(OUT, ERROR),
    effects=True,
    documentation="""
The output is `{status, headers, body}`, header names in lower case. A JSON body is parsed, any other is text.

`body` is sent as JSON. With a `content-type` header of `application/x-www-form-urlencoded` an object is sent as a form,
with any other type the body is sent as text.

**Errors.** A status outside `expect` (any 2xx when left out) is the error `HTTP_STATUS`; 408, 425, 429 and 5xx are
tried again when the node has a `retry`, not before a `Retry-After` has passed. Others: `TIMEOUT`, `CONNECTION_FAILED`,
`REQUEST_INVALID`, `TOO_MANY_REDIRECTS`, `RESPONSE_TOO_LARGE` (16 MiB), `RESPONSE_NOT_JSON`, `ADDRESS_REFUSED`. With
`onError: route` the `error` output is taken, and `error.details.status` and `error.details.body` tell what came.

**Once only.** Requests other than GET, HEAD and OPTIONS carry an `Idempotency-Key` that is the same for every attempt
of the step, so that a receiver that knows it does nothing twice.

**Private addresses** are refused, after every redirect too, unless an administrator allows the host and port
(`WEIR_HTTP_ALLOW`).

Without a `timeout` on the node a request may take 60 seconds.
""",
    examples={
        "Read": {"url": "https://api.example.com/orders/{{ input.id }}", "query": {"expand": ["items", "customer"]}},
        "Write": {
            "method": "POST",
            "url": "https://api.example.com/orders",
            "headers": {"x-source": "weir"},
            "body": {"sku": "{{ input.sku }}", "quantity": "{{ input.quantity }}"},
            "expect": [201, 409],
        },
        "Send a form": {
            "method": "POST",
            "url": "https://api.example.com/login",
            "headers": {"content-type": "application/x-www-form-urlencoded"},
            "body": {"user": "{{ vars.user }}"},
            "responseType": "text",
        },
    },
)
