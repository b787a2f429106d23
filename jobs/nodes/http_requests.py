"""What every node that sends an HTTP request shares: its config, where it may go, and how the exchange ends."""

from collections.abc import Awaitable, Callable, Iterator
from typing import Annotated, Any, Final, Literal

from pydantic import Field

from domain.connections import Connection
from domain.engine.outcomes import Completed, Failed, Outcome
from domain.errors import Finding, Invalid, Refusal
from domain.expressions.templates import text_of
from domain.ids import encode
from domain.json import JSON, JSONObject, as_object
from jobs.breakers import CircuitOpen
from jobs.http_credentials import Credentials, credentials
from jobs.masking import Secrets
from jobs.nodes.base import NodeConfig, StepContext
from jobs.nodes.fields import ConnectionOf, closed
from jobs.nodes.http_answers import ResponseType, WrongResponse, read, unexpected
from jobs.nodes.http_bodies import BodyType, Content, WrongBody, encoded, written
from jobs.nodes.refusals import refused
from jobs.outgoing import OutgoingError, OutgoingRequest, OutgoingStream, host_and_port, same_origin

DEFAULT_TIMEOUT = 60.0
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_OWN_HEADERS = frozenset({"connection", "content-length", "host", "transfer-encoding", "upgrade", "idempotency-key"})
_OURS = frozenset({"ADDRESS_REFUSED", "REQUEST_INVALID", "RESPONSE_TOO_LARGE"})
"""Failures that say nothing about the service's health."""

Status = Annotated[int, Field(ge=100, le=599)]
StatusRange = Annotated[str, Field(pattern=r"^([1-5]xx|[1-5][0-9][0-9]-[1-5][0-9][0-9])$")]
Scalar = str | int | float | bool | None


Method = Literal["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"]


class RequestConfig(NodeConfig):
    """The keys that `http` and `webhook` share."""

    method: Method = Field("GET", description="The HTTP method.")
    url: Annotated[str, Field(min_length=1, max_length=8_000)] = Field(
        description="An absolute http or https URL; with a connection, what follows its address."
    )
    headers: dict[str, Scalar] = Field(default_factory=dict[str, Any], description="Headers by name; null for none.")
    query: dict[str, Scalar | list[Scalar]] = Field(
        default_factory=dict[str, Any], description="Parameters added to the URL; a list gives several, null none."
    )
    body: object = Field(None, description="What is sent, written as bodyType says.")
    body_type: BodyType = Field(
        "auto", description="How the body is written; auto: by the content-type header, a file as it is, else as JSON."
    )
    connection: Annotated[str, Field(min_length=1, max_length=200), ConnectionOf("http", "openai")] | None = Field(
        None, description="A connection of type http, by name or id: address and credentials."
    )
    expect: list[Status | StatusRange] = Field(
        default_factory=list[Any],
        description="The statuses that are no error, such as 404, 4xx or 200-299; any 2xx when left out.",
    )
    follow_redirects: bool = Field(True, description="Whether redirects are followed, at most ten.")
    response_type: ResponseType = Field(
        "auto",
        description="How the answer is read; auto: by its content-type, what is neither JSON nor text as a file.",
    )


OUTPUT: Final = closed(
    {
        "status": {"type": "integer", "description": "The HTTP status."},
        "headers": {"type": "object", "description": "By name, in lower case."},
        "body": {"description": "As responseType says."},
    }
)


class Sending:
    """One request while it is made. `headers` have lower-case names; `secrets` are masked in whatever comes of it."""

    def __init__(self, step: StepContext, config: RequestConfig, connection: Connection | None) -> None:
        self.step = step
        self.config = config
        self.connection = connection
        self.credentials = _credentials(connection) if connection is not None else None
        self.headers = {name.lower(): text_of(value) for name, value in config.headers.items() if value is not None}
        known = list(connection.secrets.values()) if connection is not None else []
        sent = self.credentials.headers.values() if self.credentials is not None else ()
        self.secrets = Secrets([*known, *(value.rpartition(" ")[2] for value in sent)])

    async def content(self) -> Content | None:
        """The body; its content-type is among the headers then. Raises WrongBody, NotFound, ConnectionError."""
        body = self.step.config.get("body")
        return await written(body, self.config.body_type, self.headers, lambda: self.step.services.files)

    def request(self, content: Content | None) -> OutgoingRequest:
        """Raises Invalid for an address outside the connection."""
        config, headers = self.config, dict(self.headers)
        if config.method not in _SAFE_METHODS:
            headers["idempotency-key"] = self.step.idempotency_key
        return OutgoingRequest(
            method=config.method,
            url=_with_query(_address(config.url, self.credentials), config.query),
            headers=headers,
            content=content,
            credentials=self.credentials,
            timeout=self.step.timeout or DEFAULT_TIMEOUT,
            follow_redirects=config.follow_redirects,
        )


async def exchange(
    step: StepContext, config: RequestConfig, prepare: Callable[[Sending], Awaitable[OutgoingRequest]]
) -> Outcome:
    """Prepare the request, send it, read the answer: `{status, headers, body}`, or why there is none."""
    try:
        connection = await step.services.connections.get(config.connection) if config.connection else None
        sending = Sending(step, config, connection)
        request = await prepare(sending)
    except Refusal as error:
        return refused(error)
    except WrongBody as error:
        return Failed(code="BODY_INVALID", message=error.message, retryable=False, remedy=error.remedy)
    except ConnectionError as error:
        return _unavailable(error)
    return await _guarded(sending, request)


async def _guarded(sending: Sending, request: OutgoingRequest) -> Outcome:
    """A service that keeps failing is left alone for a while; what fails on our side does not count against it."""
    step = sending.step
    try:
        async with step.services.breaker.guard(_circuit(sending, request), step.timeout) as call:
            try:
                async with step.services.http.open(request) as stream:
                    outcome = await _outcome(sending, stream)
                if isinstance(outcome, Failed) and stream.status >= 500:
                    call.failed()
                return outcome
            except OutgoingError as error:
                if error.code in _OURS:
                    call.ignored()
                else:
                    call.failed()
                message = sending.secrets.masked(error.message)
                return Failed(code=error.code, message=message, retryable=error.retryable, remedy=error.remedy)
            except Refusal as error:
                call.ignored()
                return refused(error)
            except ConnectionError as error:
                call.ignored()
                return _unavailable(error)
    except CircuitOpen as error:
        return error.outcome()


async def _outcome(sending: Sending, stream: OutgoingStream) -> Outcome:
    config = sending.config
    if not _expected(stream.status, config.expect):
        return await unexpected(stream, sending.step.at, sending.secrets)
    empty = config.method == "HEAD" or stream.status in (204, 304)
    try:
        body = None if empty else await read(sending.step, stream, config.response_type, sending.secrets)
    except WrongResponse as error:
        return Failed(code=error.code, message=error.message, retryable=False)
    headers: dict[str, JSON] = {name: sending.secrets.masked(value) for name, value in stream.headers.items()}
    return Completed(output={"status": stream.status, "headers": headers, "body": body})


def request_rules(config: JSONObject) -> Iterator[Finding]:
    """What the config's model cannot say."""
    for name in as_object(config.get("headers")):
        if name.lower() in _OWN_HEADERS:
            message = f"The header {name[:60]!r} is set by Weir itself"
            yield Finding(code="BAD_HEADER", message=message, path=("headers", name), remedy="Leave it out.")
    url = config.get("url")
    if isinstance(url, str) and "{{" not in url and not _absolute(url) and not config.get("connection"):
        message = f"{url[:80]!r} is no absolute URL"
        remedy = "Begin it with https://, or name the connection it belongs to."
        yield Finding(code="BAD_URL", message=message, path=("url",), remedy=remedy)


def _expected(status: int, wanted: list[int | str]) -> bool:
    return any(_matches(status, each) for each in wanted or ["2xx"])


def _matches(status: int, wanted: int | str) -> bool:
    if isinstance(wanted, int):
        return status == wanted
    if wanted.endswith("xx"):
        return status // 100 == int(wanted[0])
    low, _, high = wanted.partition("-")
    return int(low) <= status <= int(high)


def _address(url: str, given: Credentials | None) -> str:
    """Where to; raises Invalid for another origin than the connection's, which would be shown its credentials."""
    if given is None:
        return url
    if not _absolute(url):
        return given.base_url.rstrip("/") + (url if url.startswith("?") else f"/{url.lstrip('/')}")
    if not same_origin(given.base_url, url):
        raise Invalid(
            "The URL leads to another place than the connection's baseUrl",
            path=("config", "url"),
            remedy="Give what follows the baseUrl, or name no connection.",
        )
    return url


def _credentials(connection: Connection) -> Credentials:
    found = credentials(connection)
    if found is None:
        raise Invalid(
            f"The connection {connection.name!r} is of type {connection.type}, not http",
            path=("config", "connection"),
            remedy="Name a connection of type http.",
        )
    return found


def _absolute(url: str) -> bool:
    return url.lower().startswith(("http://", "https://"))


def _with_query(url: str, query: JSONObject) -> str:
    added = encoded(query)
    if not added:
        return url
    address, hash_sign, fragment = url.partition("#")
    return f"{address}{'&' if '?' in address else '?'}{added}{hash_sign}{fragment}"


def _circuit(sending: Sending, request: OutgoingRequest) -> str:
    """A connection's own, else that of the host and port."""
    connection = sending.connection
    if connection is not None:
        return f"{encode('connection', connection.id)}:{connection.revision}"
    return host_and_port(request.url)


def _unavailable(error: ConnectionError) -> Failed:
    return Failed(code="STORAGE_UNAVAILABLE", message=str(error)[:500], remedy="Give the node a retry.")
