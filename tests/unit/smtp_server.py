"""A real SMTP server on a loopback port: keeps what it is given, and refuses what a test tells it to."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any, Literal

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from tests.certificates import Certificate

USER, PASSWORD = "weir", "pass-word-of-the-test"


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    sender: str
    recipients: tuple[str, ...]
    content: bytes
    encrypted: bool
    options: tuple[str, ...]

    @property
    def message(self) -> EmailMessage:
        return message_from_bytes(self.content, policy=default)


@dataclass(slots=True)
class MailRoom:
    """`letters` in order; `refusals` are answers by recipient, `data_answer` is the one to a letter's content."""

    port: int = 0
    letters: list[Letter] = field(default_factory=list[Letter])
    refusals: dict[str, str] = field(default_factory=dict[str, str])
    data_answer: str = "250 OK: taken"
    silent: asyncio.Event | None = None
    """Until it is set, the content of a letter gets no answer."""

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if address in self.refusals:
            return self.refusals[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        if self.silent is not None:
            await self.silent.wait()
        if not self.data_answer.startswith("2"):
            return self.data_answer
        content = envelope.content
        assert isinstance(content, bytes)
        letter = Letter(
            sender=envelope.mail_from or "",
            recipients=tuple(map(str, envelope.rcpt_tos)),
            content=content,
            encrypted=session.ssl is not None,
            options=tuple(map(str, envelope.mail_options)),
        )
        self.letters.append(letter)
        return self.data_answer

    def authenticate(self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any) -> AuthResult:
        right = isinstance(data, LoginPassword) and data == LoginPassword(USER.encode(), PASSWORD.encode())
        return AuthResult(success=right, handled=False)  # the refusal is the server's to say


@asynccontextmanager
async def mail_room(
    *,
    tls: Literal["none", "starttls", "implicit"] = "none",
    certificate: Certificate | None = None,
    signed_in: bool = False,
) -> AsyncGenerator[MailRoom]:
    """`signed_in`: only who signs in is served."""
    room = MailRoom()
    context = certificate.server_context() if certificate else None

    def protocol() -> SMTP:
        return SMTP(
            room,
            hostname="mail.test",
            enable_SMTPUTF8=True,
            tls_context=context if tls == "starttls" else None,
            require_starttls=tls == "starttls",
            auth_required=signed_in,
            auth_require_tls=False,
            authenticator=room.authenticate,
        )

    loop = asyncio.get_running_loop()
    server = await loop.create_server(protocol, "127.0.0.1", 0, ssl=context if tls == "implicit" else None)
    room.port = server.sockets[0].getsockname()[1]
    try:
        yield room
    finally:
        server.close()
