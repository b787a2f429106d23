"""The `webhook` node: a signed message to somebody else's webhook."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Iterator
from datetime import datetime
from typing import Annotated

from pydantic import Field

from domain.engine.outcomes import Outcome
from domain.errors import Finding, Invalid
from domain.graphs import ERROR, OUT
from domain.json import JSONObject, as_object
from domain.nodes import NodeCategory
from jobs.nodes.base import StepContext, define
from jobs.nodes.http_bodies import WrongBody
from jobs.nodes.http_requests import OUTPUT, Method, RequestConfig, Sending, exchange, request_rules
from jobs.outgoing import OutgoingRequest

SIGNING_SECRET = "signingSecret"  # noqa: S105 (its name)
_PREFIX = "whsec_"
_SIGNED_HEADERS = frozenset({"webhook-id", "webhook-timestamp", "webhook-signature"})
_READING = frozenset({"GET", "HEAD", "OPTIONS"})


class WebhookConfig(RequestConfig):
    method: Method = Field("POST", description="The HTTP method.")
    secret: Annotated[str, Field(min_length=1, max_length=1_000)] | None = Field(
        None, description="What it is signed with, such as whsec_…; better kept as signingSecret of the connection."
    )
    follow_redirects: bool = Field(False, description="Whether redirects are followed, at most ten.")


async def run(step: StepContext, config: WebhookConfig) -> Outcome:
    async def prepare(sending: Sending) -> OutgoingRequest:
        content = await sending.content() or b""
        if not isinstance(content, bytes):
            raise WrongBody("A webhook's body cannot be a file: it is signed", "Send a link to the file instead.")
        secret = config.secret or (sending.connection.secrets.get(SIGNING_SECRET) if sending.connection else None)
        if not secret:
            raise Invalid(
                "There is nothing to sign the message with",
                path=("config", "secret"),
                remedy=f"Set the secret {SIGNING_SECRET} of the connection, or use an http node for unsigned requests.",
            )
        sending.secrets.add(secret)
        sending.headers |= signed_headers(message_id(step.idempotency_key), step.at, content, secret)
        return sending.request(content)

    return await exchange(step, config, prepare)


def message_id(idempotency_key: str) -> str:
    """The same for every attempt of a step, and for no other step."""
    return f"msg_{hashlib.sha256(idempotency_key.encode()).hexdigest()[:32]}"


def signed_headers(id: str, at: datetime, content: bytes, secret: str) -> dict[str, str]:
    """The three headers of Standard Webhooks (https://www.standardwebhooks.com, specification 1.0.0).

    Several secrets, separated by spaces, give several signatures, so that a receiver may change from one to another.
    """
    timestamp = str(int(at.timestamp()))
    signed = b".".join((id.encode(), timestamp.encode(), content))
    digests = [hmac.digest(_key(each), signed, "sha256") for each in secret.split()]
    signatures = " ".join(f"v1,{base64.b64encode(digest).decode()}" for digest in digests)
    return {"webhook-id": id, "webhook-timestamp": timestamp, "webhook-signature": signatures}


def _key(secret: str) -> bytes:
    """The bytes of `whsec_` and base64; of any other text its own."""
    if not secret.startswith(_PREFIX):
        return secret.encode()
    try:
        return base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except binascii.Error:
        remedy = "Copy it whole, as the receiver shows it."
        raise Invalid("The secret after whsec_ is no base64", path=("config", "secret"), remedy=remedy) from None


def rules(config: JSONObject) -> Iterator[Finding]:
    yield from request_rules(config)
    for name in as_object(config.get("headers")):
        if name.lower() in _SIGNED_HEADERS:
            message = f"The header {name[:60]!r} is part of the signature"
            yield Finding(code="BAD_HEADER", message=message, path=("headers", name), remedy="Leave it out.")
    if config.get("method") in _READING:
        message = f"A webhook is no {config['method']}"
        yield Finding(code="BAD_METHOD", message=message, path=("method",), remedy="Leave it out: it is POST.")
    if config.get("bodyType") in ("multipart", "binary"):
        message = "A webhook's body is signed whole, so it cannot be a file"
        yield Finding(code="BAD_BODY_TYPE", message=message, path=("bodyType",), remedy="Send JSON with a link to it.")


KIND = define(
    name="webhook",
    title="Outgoing webhook",
    description="Sends a signed message to another system's webhook.",
    category=NodeCategory.INTEGRATION,
    config=WebhookConfig,
    run=run,
    rules=rules,
    output=OUTPUT,
    outputs=(OUT, ERROR),
    effects=True,
    documentation="""
Sends `body` by POST, signed after [Standard Webhooks](https://www.standardwebhooks.com), so that the receiver knows
that it came from you, unchanged and not replayed. The keys are those of the `http` node, and so are output and errors.

| header | value |
|---|---|
| `webhook-id` | the message's id, the same for every attempt: a receiver that has seen it does nothing |
| `webhook-timestamp` | seconds since 1970, of this attempt |
| `webhook-signature` | `v1,` and the base64 of HMAC-SHA256 over `id.timestamp.body` |

The secret is `signingSecret` of the `connection`, or `secret`; `whsec_` and base64, or any text. Two secrets separated
by a space give two signatures, while the receiver changes from one to the other.

Give the node a `retry`: receivers are away at times. Redirects are not followed unless `followRedirects` says so.
""",
    examples={
        "Tell of an order": {
            "url": "https://customer.example.com/webhooks/weir",
            "connection": "customer webhook",
            "body": {"type": "order.shipped", "timestamp": "{{ now }}", "data": "{{ input }}"},
        },
    },
)
