"""Making a mail from what a step gives: addresses that are addresses, headers nobody can break out of."""

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP

MAX_ADDRESS = 320
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~\u00a1-\ud7ff\ue000-\U0010ffff-]++"
_LOCAL = re.compile(rf"{_ATOM}(?:\.{_ATOM})*+")
_LABEL = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?")
_NAMED = re.compile(r'\s*(?:"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<plain>[^<>"@:;]*))\s*<(?P<address>[^<>]*)>\s*', re.DOTALL)
_PARTS = re.compile(r'(?:[^,;"]|"(?:[^"\\]|\\.)*+"|")+', re.DOTALL)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_HEADER = re.compile(r"[!-9;-~]{1,76}")
_OWN_HEADERS = frozenset(
    {"from", "sender", "to", "cc", "bcc", "reply-to", "subject", "date", "message-id", "mime-version", "return-path"}
    | {"received", "dkim-signature", "authentication-results"}
)
_OWN_PREFIXES = ("content-", "resent-", "arc-")


class WrongMail(ValueError):
    """The mail cannot be made; `field` is the config's key that is wrong."""

    def __init__(self, field: str, message: str, remedy: str) -> None:
        super().__init__(message)
        self.field = field
        self.message = message
        self.remedy = remedy


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """`charset`: of a text whose encoding is known."""

    name: str
    media_type: str
    content: bytes
    charset: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """`key` makes the Message-ID: the same for every attempt, so that a repeated mail is recognised as the same one."""

    sender: Address
    to: Sequence[Address]
    cc: Sequence[Address] = ()
    bcc: Sequence[Address] = ()
    reply_to: Sequence[Address] = ()
    subject: str = ""
    text: str | None = None
    html: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    attachments: Sequence[Attachment] = ()
    key: str
    at: datetime

    @property
    def recipients(self) -> list[str]:
        """Everybody it goes to, each once, as the envelope has them."""
        return list(dict.fromkeys(each.addr_spec for each in (*self.to, *self.cc, *self.bcc)))

    @property
    def message_id(self) -> str:
        digest = hashlib.sha256(self.key.encode()).hexdigest()[:32]
        return f"<{digest}@{self.sender.domain}>"

    def message(self) -> EmailMessage:
        """RFC 5322, the blind copies left out. Raises WrongMail."""
        message = EmailMessage(policy=SMTP)
        message["Message-ID"] = self.message_id
        message["Date"] = self.at
        message["From"] = self.sender
        for name, addresses in (("To", self.to), ("Cc", self.cc), ("Reply-To", self.reply_to)):
            if addresses:
                message[name] = tuple(addresses)
        message["Subject"] = one_line(self.subject, "subject")
        for name, value in self.headers.items():
            message[_header(name)] = one_line(value, f"headers.{name}")
        if self.text is not None or self.html is None:
            message.set_content(self.text or "", charset="utf-8", cte="quoted-printable")
            if self.html is not None:
                message.add_alternative(self.html, subtype="html", charset="utf-8", cte="quoted-printable")
        else:
            message.set_content(self.html, subtype="html", charset="utf-8", cte="quoted-printable")
        for each in self.attachments:
            kind, _, subtype = each.media_type.partition("/")
            params = {"charset": each.charset} if each.charset else {}
            name = one_line(each.name, "name")
            message.add_attachment(each.content, maintype=kind, subtype=subtype, filename=name, params=params)
        return message


def addresses(given: Sequence[str], field: str) -> Iterator[Address]:
    """From texts such as `ada@example.com` and `Ada <ada@example.com>`, several of them parted by commas.

    Raises WrongMail, which names the address.
    """
    for text in given:
        for part in _PARTS.findall(text):
            if part.strip():
                yield address(part, field)


def address(text: str, field: str) -> Address:
    """Raises WrongMail, which names it."""
    named = _NAMED.fullmatch(text) if len(text) <= 1_000 else None
    spec = (named["address"] if named else text).strip()
    name = _display_name(named) if named else ""
    local, at, domain = spec.rpartition("@")
    ascii_domain = _domain(domain)
    if not at or len(spec) > MAX_ADDRESS or len(local) > 64 or not _LOCAL.fullmatch(local) or ascii_domain is None:
        remedy = "Write ada@example.com or Ada <ada@example.com>."
        raise WrongMail(field, f"{text.strip()[:80]!r} is no mail address", remedy)
    return Address(display_name=one_line(name, field), username=local, domain=ascii_domain)


def _display_name(named: re.Match[str]) -> str:
    quoted = named["quoted"]
    return str(named["plain"]) if quoted is None else re.sub(r"\\(.)", r"\1", quoted, flags=re.DOTALL)


def one_line(text: str, field: str) -> str:
    """A header's value: white space becomes single spaces. Raises WrongMail for other control characters."""
    line = " ".join(text.split())
    if _CONTROL.search(line):
        raise WrongMail(field, f"{field} holds a control character", "Remove it.")
    return line


def _domain(text: str) -> str | None:
    """The domain in ASCII (RFC 5891), None when it is none."""
    try:
        domain = text.encode("idna").decode().lower() if not text.isascii() else text
    except UnicodeError:
        return None
    fits = 0 < len(domain) <= 253 and all(_LABEL.fullmatch(label) for label in domain.split("."))
    return domain if fits else None


def _header(name: str) -> str:
    if not _HEADER.fullmatch(name):
        raise WrongMail("headers", f"{name[:60]!r} is no name of a header", "Use letters, digits and hyphens.")
    if is_own_header(name):
        raise WrongMail(
            "headers", f"The header {name[:60]!r} is set by Weir itself", "Use the config's own key for it."
        )
    return name


def is_own_header(name: str) -> bool:
    """Whether a header cannot be given, since Weir or the mail servers on the way set it."""
    return name.lower() in _OWN_HEADERS or name.lower().startswith(_OWN_PREFIXES)
