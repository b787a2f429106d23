"""The `http` node: one request to another system."""

from domain.engine.outcomes import Outcome
from domain.graphs import ERROR, OUT
from domain.nodes import NodeCategory
from jobs.nodes.base import StepContext, define
from jobs.nodes.http_requests import OUTPUT, RequestConfig, Sending, exchange, request_rules
from jobs.outgoing import OutgoingRequest


class HttpConfig(RequestConfig):
    pass


async def run(step: StepContext, config: HttpConfig) -> Outcome:
    return await exchange(step, config, _prepare)


async def _prepare(sending: Sending) -> OutgoingRequest:
    return sending.request(await sending.content())


KIND = define(
    name="http",
    title="HTTP request",
    description="Calls another system over HTTP.",
    category=NodeCategory.INTEGRATION,
    config=HttpConfig,
    run=run,
    rules=request_rules,
    output=OUTPUT,
    outputs=(OUT, ERROR),
    effects=True,
    documentation="""
The output is `{status, headers, body}`, header names in lower case.

**What is sent.** `bodyType` says how `body` is written; the content-type follows from it unless a header gives one.

| bodyType | body |
|---|---|
| `json` | any value |
| `form` | an object; a list gives a field several times, null not at all |
| `multipart` | an object; a file reference becomes a file with its name and type, an object or list a JSON part |
| `xml` | an object with one root: `@name` is an attribute, `#text` the text beside it, a list repeats; or text |
| `text` | text |
| `binary` | a file reference; the file is streamed |
| `none` | nothing is sent |
| `auto` | by the `content-type` header; without one a file reference as `binary`, any other value as `json` |

**What comes back.** `responseType` says how the answer is read.

| responseType | `body` of the output |
|---|---|
| `json`, `xml`, `text` | the value, XML in the shape it is sent in; documents with a DTD or entities are refused |
| `binary` | the reference of a new file with the answer's bytes, which are streamed to the file storage |
| `none` | null; the answer's body is not read |
| `auto` | by its content-type: JSON is parsed, text and XML are text, anything else is `binary` |

**Connections.** With a `connection` of type http, `url` is what follows its `baseUrl`, or an absolute URL of the same
origin. Its credentials go to that origin and nowhere else, redirects included, and are masked should they come back.

**Errors.** A status outside `expect` (statuses, `4xx`, `200-299`; any 2xx when left out) is the error `HTTP_STATUS`;
408, 425, 429 and 5xx are tried again when the node has a `retry`, not before a `Retry-After` has passed. Others:
`TIMEOUT`, `CONNECTION_FAILED`, `CIRCUIT_OPEN`, `REQUEST_INVALID`, `BODY_INVALID`, `TOO_MANY_REDIRECTS`,
`RESPONSE_TOO_LARGE` (16 MiB, unless it is a file), `RESPONSE_NOT_JSON`, `RESPONSE_NOT_XML`, `RESPONSE_INVALID`,
`ADDRESS_REFUSED`, `STORAGE_UNAVAILABLE`. With `onError: route` the `error` output is taken, and `error.details.status`
and `error.details.body` tell what came.

**Once only.** Requests other than GET, HEAD and OPTIONS carry an `Idempotency-Key` that is the same for every attempt
of the step, so that a receiver that knows it does nothing twice. Cookies are neither kept nor sent.

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
            "bodyType": "form",
            "body": {"user": "{{ vars.user }}"},
            "responseType": "text",
        },
        "Send a file with a connection": {
            "method": "POST",
            "connection": "archive",
            "url": "documents",
            "bodyType": "multipart",
            "body": {"title": "{{ input.title }}", "document": "{{ input.file }}"},
        },
        "Keep what is downloaded": {
            "url": "https://example.com/reports/{{ input.month }}.pdf",
            "responseType": "binary",
        },
    },
)
