"""Handing a mail to a mail server: one connection each, and what the server said of every recipient."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiosmtplib import (
    SMTP,
    SMTPAuthenticationError,
    SMTPException,
    SMTPNotSupported,
    SMTPRecipientsRefused,
    SMTPResponseException,
)

from domain.connections import Connection
from domain.json import JSON, JSONObject
from jobs.addresses import AddressGuard, shown
from jobs.emails import Mail
from jobs.tls import client_context

_GOODBYE_SECONDS = 2.0


class SmtpFailed(Exception):
    """The mail was not taken, except that a connection lost at the very end may have left it taken.

    `code` is stable and in capitals; `details` never hold a secret.
    """

    def __init__(
        self,
        code: str,
        message: str,
        *,
        retryable: bool = False,
        remedy: str | None = None,
        details: JSONObject | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.retryable = retryable
        self.remedy = remedy
        self.details: JSONObject = details or {}


@dataclass(frozen=True, slots=True, kw_only=True)
class MailServer:
    """`tls`: none, starttls, implicit. `ca`: certificates in PEM that are trusted instead of the system's."""

    host: str
    port: int
    tls: str
    username: str | None = None
    password: str = field(default="", repr=False)
    ca: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """`refused`: recipients that do not get the mail, with the server's code and words."""

    accepted: tuple[str, ...]
    refused: Mapping[str, tuple[int, str]]
    response: str


def mail_server(connection: Connection) -> MailServer:
    """What the connection's settings say. Raises SmtpFailed: CONNECTION_INVALID."""
    settings = connection.settings
    host, port = settings.get("host"), settings.get("port", 587)
    username, ca = settings.get("username"), settings.get("ca")
    if connection.type != "smtp":
        message = f"The connection {connection.name!r} is of type {connection.type}, which is no mail server"
        raise SmtpFailed("CONNECTION_INVALID", message, remedy="Name one of type smtp.")
    tls = settings.get("tls", "starttls")
    if not isinstance(host, str) or not host or not isinstance(port, int) or not 0 < port < 65_536:
        raise _wrong(connection, "host or port")
    if tls not in ("none", "starttls", "implicit"):
        raise _wrong(connection, "tls")
    return MailServer(
        host=host,
        port=port,
        tls=str(tls),
        username=username if isinstance(username, str) and username else None,
        password=connection.secrets.get("password", ""),
        ca=ca if isinstance(ca, str) and ca else None,
    )


def _wrong(connection: Connection, name: str) -> SmtpFailed:
    message = f"The setting {name} of the connection {connection.name!r} is missing or wrong"
    return SmtpFailed("CONNECTION_INVALID", message, remedy="Edit the connection.")


async def send(server: MailServer, mail: Mail, guard: AddressGuard, *, timeout: float) -> Answer:
    """One mail in one transaction. `timeout` in seconds for everything.

    Raises SmtpFailed, AddressRefused, Unreachable and WrongCertificates.
    """
    message = mail.message()
    try:
        async with asyncio.timeout(timeout), _connected(server, guard, timeout) as client:
            refused, response = await client.send_message(
                message, sender=mail.sender.addr_spec, recipients=mail.recipients
            )
    except (SMTPException, OSError, ValueError) as error:
        raise _failure(server, error) from None
    told = {address: (said.code, _words(said.message)) for address, said in refused.items()}
    accepted = tuple(address for address in mail.recipients if address not in told)
    return Answer(accepted=accepted, refused=told, response=_words(response))


async def check(server: MailServer, guard: AddressGuard, *, timeout: float) -> None:
    """Connects, signs in and leaves. Raises what `send` raises."""
    try:
        async with asyncio.timeout(timeout), _connected(server, guard, timeout):
            pass
    except (SMTPException, OSError, ValueError) as error:
        raise _failure(server, error) from None


@asynccontextmanager
async def _connected(server: MailServer, guard: AddressGuard, timeout: float) -> AsyncGenerator[SMTP]:
    """A client that has connected to a checked address and has signed in."""
    context = None if server.tls == "none" else client_context(server.host, ca=server.ca)
    connected = await guard.connect(server.host, server.port)
    client = SMTP(
        hostname=server.host,
        sock=connected,
        use_tls=server.tls == "implicit",
        start_tls=server.tls == "starttls",
        tls_context=context,
        username=server.username,
        password=server.password if server.username else None,
        local_hostname=_own_name(connected),
        timeout=timeout,
    )
    try:
        await client.connect()
    except BaseException:
        client.close()
        raise
    try:
        yield client
        with contextlib.suppress(SMTPException, OSError):  # the mail is taken: the farewell does not matter
            async with asyncio.timeout(_GOODBYE_SECONDS):
                await client.quit()
    finally:
        client.close()


def _own_name(connected: socket.socket) -> str:
    """The address as EHLO wants it from who has no name in the DNS (RFC 5321, section 4.1.3)."""
    address = str(connected.getsockname()[0])
    return f"[IPv6:{address}]" if ":" in address else f"[{address}]"


def _failure(server: MailServer, error: Exception) -> SmtpFailed:
    where = shown(server.host, server.port)
    match error:
        case SMTPAuthenticationError():
            remedy = "Check username and password of the connection."
            message = f"{where} refuses the login: {_words(error.message)}"
            return SmtpFailed(
                "AUTHENTICATION_FAILED", message, retryable=_temporary(error.code), remedy=remedy, details=_said(error)
            )
        case SMTPRecipientsRefused():
            return _nobody(error)
        case SMTPResponseException():
            message = f"{where} answers {error.code}: {_words(error.message)}"
            return SmtpFailed("SMTP_REFUSED", message, retryable=_temporary(error.code), details=_said(error))
        case SMTPNotSupported():
            return SmtpFailed("SMTP_UNSUPPORTED", f"{where}: {error}", remedy="Use another address or server.")
        case ssl.SSLError():
            return _no_tls(where, error)
        case SMTPException(__cause__=ssl.SSLError() as cause):
            return _no_tls(where, cause)
        case TimeoutError():
            return SmtpFailed("TIMEOUT", f"{where} did not take the mail in time", retryable=True)
        case OSError():
            reason = str(error) or type(error).__name__
            return SmtpFailed("CONNECTION_FAILED", f"No answer from {where}: {reason}", retryable=True)
        case _:
            remedy = "Check tls and username of the connection against what the server offers."
            return SmtpFailed("SMTP_UNSUPPORTED", f"{where}: {error}", remedy=remedy)


def _no_tls(where: str, error: Exception) -> SmtpFailed:
    remedy = "Check the server's certificate and the connection's tls: starttls or implicit."
    return SmtpFailed("TLS_FAILED", f"No TLS with {where}: {error}", remedy=remedy)


def _nobody(error: SMTPRecipientsRefused) -> SmtpFailed:
    refused: list[JSON] = [
        {"address": each.recipient, "code": each.code, "message": _words(each.message)} for each in error.recipients
    ]
    again = all(_temporary(each.code) for each in error.recipients)
    message = "The mail server takes no recipient of the mail"
    return SmtpFailed("RECIPIENTS_REFUSED", message, retryable=again, details={"refused": refused})


def _said(error: SMTPResponseException) -> JSONObject:
    return {"code": error.code, "message": _words(error.message)}


def _words(message: str) -> str:
    """What a server said, fit to be stored."""
    return message.encode("utf-8", "replace").decode().replace("\x00", "\ufffd")[:1_000]


def _temporary(code: int) -> bool:
    """4xx: the same may go well later (RFC 5321, section 4.2.1); below is what was no SMTP answer at all."""
    return code < 500
