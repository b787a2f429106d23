"""The `email` node: one mail, handed to the tenant's mail server."""

from collections.abc import Iterator
from typing import Annotated, Any, Final

from pydantic import Field

from domain.connections import Connection
from domain.engine.outcomes import Completed, Failed, Outcome
from domain.errors import Finding, Refusal
from domain.graphs import ERROR, OUT
from domain.ids import encode
from domain.json import JSON, JSONObject, as_list, as_object, is_list
from domain.nodes import NodeCategory
from jobs.addresses import AddressRefused, Unreachable
from jobs.breakers import CircuitOpen
from jobs.emails import Mail, WrongMail, address, addresses, is_own_header
from jobs.nodes.attachments import attachments
from jobs.nodes.base import NodeConfig, StepContext, define
from jobs.nodes.fields import ConnectionOf, closed
from jobs.nodes.refusals import refused
from jobs.smtp import Answer, SmtpFailed, mail_server, send
from jobs.templates import TemplateError, TemplateText, render
from jobs.tls import WrongCertificates

DEFAULT_TIMEOUT: Final = 60.0
MAX_RECIPIENTS: Final = 100
_RECIPIENTS: Final = ("to", "cc", "bcc", "replyTo")

Text = Annotated[str, Field(max_length=2_000_000)]
Recipients = Annotated[str, Field(max_length=50_000)] | list[Annotated[str, Field(max_length=1_000)]]


class EmailConfig(NodeConfig):
    connection: Annotated[str, Field(min_length=1), ConnectionOf("smtp")] = Field(
        description="The name of a connection of type smtp."
    )
    to: Recipients = Field("", description="Addresses: a list, or a text with commas between.")
    cc: Recipients = Field("", description="Who gets a copy.")
    bcc: Recipients = Field("", description="Who gets a copy that the others do not see.")
    sender: str | None = Field(None, alias="from", description="The sender; the connection's when left out.")
    reply_to: Recipients = Field("", description="Where answers go.")
    subject: Annotated[str, Field(max_length=10_000)] = Field("", description="The subject; line breaks become spaces.")
    text: Text | None = Field(None, description="The mail as plain text.")
    html: Text | None = Field(None, description="The mail as HTML; with text too, the reader's program chooses.")
    template: TemplateText | None = Field(None, description="In place of html: a template for it, in Liquid.")
    variables: dict[str, object] | None = Field(
        None, description="What the template sees by name; the members of the node's input when left out."
    )
    attachments: list[dict[str, object]] = Field(
        default_factory=list[Any],
        description="References to files, or {name, mediaType, content} with a text or {…, base64}.",
    )
    headers: dict[str, str] = Field(default_factory=dict[str, Any], description="Further headers by name.")


async def run(step: StepContext, config: EmailConfig) -> Outcome:
    try:
        connection = await step.services.connections.get(config.connection)
        server = mail_server(connection)
        mail = await _mail(step, config, connection)
        key = f"{encode('connection', connection.id)}:{connection.revision}"
        async with step.services.breaker.guard(key, step.timeout) as call:
            try:
                timeout = step.timeout or DEFAULT_TIMEOUT
                answer = await send(server, mail, step.services.addresses, timeout=timeout)
            except (SmtpFailed, AddressRefused, Unreachable, WrongCertificates) as error:
                outcome = _failed(error)
                if outcome.code in ("CONNECTION_FAILED", "TIMEOUT"):
                    call.failed()
                elif not isinstance(error, SmtpFailed):  # else the server has answered
                    call.ignored()
                return outcome
    except CircuitOpen as error:
        return error.outcome()
    except WrongMail as error:
        return Failed(code="MAIL_INVALID", message=error.message, retryable=False, remedy=error.remedy)
    except SmtpFailed as error:
        return _failed(error)
    except TemplateError as error:
        return error.as_failed()
    except Refusal as error:
        return refused(error)
    return Completed(output=_output(mail, answer))


def _failed(error: SmtpFailed | AddressRefused | Unreachable | WrongCertificates) -> Failed:
    match error:
        case SmtpFailed():
            return Failed(
                code=error.code,
                message=error.message,
                retryable=error.retryable,
                remedy=error.remedy,
                details=error.details,
            )
        case AddressRefused():
            return Failed(code="ADDRESS_REFUSED", message=error.message, retryable=False, remedy=error.remedy)
        case Unreachable():
            return Failed(code="CONNECTION_FAILED", message=f"No connection: {error}")
        case WrongCertificates():
            message = f"The connection's ca is no certificate: {error}"
            return Failed(code="CONNECTION_INVALID", message=message, retryable=False)


def _output(mail: Mail, answer: Answer) -> JSON:
    refused: list[JSON] = [
        {"address": address, "code": code, "message": message} for address, (code, message) in answer.refused.items()
    ]
    return {
        "messageId": mail.message_id,
        "accepted": list(answer.accepted),
        "refused": refused,
        "response": answer.response,
    }


async def _mail(step: StepContext, config: EmailConfig, connection: Connection) -> Mail:
    to, cc, bcc, reply_to = (
        tuple(addresses([given] if isinstance(given, str) else given, field))
        for field, given in zip(_RECIPIENTS, (config.to, config.cc, config.bcc, config.reply_to), strict=True)
    )
    count = len(to) + len(cc) + len(bcc)
    if not count:
        raise WrongMail("to", "The mail has no recipient", "Give at least one address in to, cc or bcc.")
    if count > MAX_RECIPIENTS:
        remedy = "Send several mails: put the node into a loop, or give it each."
        raise WrongMail("to", f"The mail has {count} recipients; at most {MAX_RECIPIENTS} are taken", remedy)
    sender = config.sender or connection.settings.get("from")
    if not isinstance(sender, str):
        raise WrongMail("from", "The mail has no sender", "Give from, here or in the connection.")
    return Mail(
        sender=address(sender, "from"),
        to=to,
        cc=cc,
        bcc=bcc,
        reply_to=reply_to,
        subject=config.subject,
        text=config.text,
        html=await _html(step, config),
        headers=config.headers,
        attachments=await attachments(step),
        key=step.idempotency_key,
        at=step.at,
    )


async def _html(step: StepContext, config: EmailConfig) -> str | None:
    if config.template is None:
        return config.html
    given = step.config.get("variables")
    named = as_object(step.input if given is None else given)
    return await render(config.template, {"input": step.input, **named}, html=True, tenant=str(step.tenant_id))


def rules(config: JSONObject) -> Iterator[Finding]:
    if not any(config.get(key) for key in ("to", "cc", "bcc")):
        yield Finding(code="MISSING", message="'to' is missing", path=("to",), remedy="Give at least one address.")
    if not any(config.get(key) is not None for key in ("text", "html", "template")):
        yield Finding(
            code="MISSING", message="'text' is missing", path=("text",), remedy="Give text, html or template."
        )
    if config.get("html") is not None and config.get("template") is not None:
        message = "There are both html and template"
        yield Finding(code="CONFLICTING_KEYS", message=message, path=("template",), remedy="Leave one of them out.")
    for field in (*_RECIPIENTS, "from"):
        yield from _address_findings(config.get(field), field)
    for name in as_object(config.get("headers")):
        if is_own_header(name):
            message = f"The header {name[:60]!r} is set by Weir itself"
            yield Finding(code="BAD_HEADER", message=message, path=("headers", name), remedy="Leave it out.")


def _address_findings(given: JSON, field: str) -> Iterator[Finding]:
    texts = [given] if isinstance(given, str) else as_list(given) if is_list(given) else []
    for at, text in enumerate(texts):
        if not isinstance(text, str) or "{{" in text:
            continue
        path = (field,) if isinstance(given, str) else (field, str(at))
        try:
            list(addresses([text], field))
        except WrongMail as error:
            yield Finding(code="BAD_ADDRESS", message=error.message, path=path, remedy=error.remedy)


OUTPUT: Final = closed(
    {
        "messageId": {"type": "string", "description": "The mail's Message-ID."},
        "accepted": {"type": "array", "description": "The recipients that the mail server took."},
        "refused": {"type": "array", "description": "Those it did not take, as {address, code, message}."},
        "response": {"description": "The mail server's last answer."},
    }
)
KIND = define(
    name="email",
    title="Email",
    description="Sends a mail through a mail server.",
    category=NodeCategory.INTEGRATION,
    config=EmailConfig,
    run=run,
    rules=rules,
    output=OUTPUT,
    outputs=(OUT, ERROR),
    effects=True,
    documentation="""
The output is `{messageId, accepted, refused, response}`. `refused` lists the recipients that the mail server did not
take, each with its `code` and `message`, while others got the mail; when it takes nobody the step fails.

`to`, `cc`, `bcc` and `replyTo` are lists of addresses or texts with commas between: `ada@example.com`,
`Ada <ada@example.com>`. At most 100 recipients; put the node into a loop to write to more, or to each one alone.

The mail is `text`, `html` or both. In place of `html` a `template` in [Liquid](https://shopify.github.io/liquid/)
takes `variables` by name, the members of the node's input when left out, and the input as `input`; every value is
escaped on its way into the HTML, and the braces in it are Liquid's and not Weir's expressions.

**Attachments** are references to stored files (an upload, a `document`), or `{name, mediaType, content}` with a text,
or `{name, mediaType, base64}`; together at most 25 MiB.

**Once only.** A step that is repeated after a crash may send its mail again. The Message-ID is the same for every
attempt of the step, by which mail servers and programs recognise the second one.

**Errors.** `MAIL_INVALID` names the address or the field. `RECIPIENTS_REFUSED`, `SMTP_REFUSED` and
`AUTHENTICATION_FAILED` have the server's code in `error.details`; answers that begin with 4 are tried again when the
node has a `retry`, as are `CONNECTION_FAILED`, `TIMEOUT` and `CIRCUIT_OPEN`; those that begin with 5 are not. Others:
`TLS_FAILED`, `SMTP_UNSUPPORTED`, `CONNECTION_INVALID`, `TEMPLATE_FAILED`, `ADDRESS_REFUSED`.

**Private addresses** are refused unless an administrator allows the host and port (`WEIR_HTTP_ALLOW`).

Without a `timeout` on the node a mail may take 60 seconds.
""",
    examples={
        "A plain mail": {
            "connection": "mail",
            "to": "{{ input.email }}",
            "subject": "Your order {{ input.id }}",
            "text": "Thank you. Your order is on its way.",
        },
        "A template with an invoice": {
            "connection": "mail",
            "from": "Shop <shop@example.com>",
            "to": ["{{ input.customer.email }}"],
            "bcc": "archive@example.com",
            "subject": "Invoice {{ input.number }}",
            "template": "<p>Dear {{ name }},</p><p>your invoice is attached.</p>",
            "variables": {"name": "{{ input.customer.name }}"},
            "attachments": ["{{ input.invoice }}"],
        },
        "A list of figures": {
            "connection": "mail",
            "to": ["Ada <ada@example.com>", "bob@example.com"],
            "subject": "Figures",
            "text": "See the attachment.",
            "attachments": [{"name": "figures.csv", "mediaType": "text/csv", "content": "{{ input.csv }}"}],
        },
    },
)
