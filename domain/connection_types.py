"""The types of connections: which settings and which secrets each has."""

import re
from collections.abc import Callable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Annotated, Literal, cast
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.alias_generators import to_camel

from domain.errors import Finding
from domain.files import REFERENCE
from domain.json import JSONObject

_HOST = re.compile(r"[A-Za-z0-9._-]{1,253}|[0-9A-Fa-f:.]{2,45}")
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")
_OWN_HEADERS = frozenset({"connection", "content-length", "host", "transfer-encoding", "upgrade", "idempotency-key"})


def _host(text: str) -> str:
    if not _HOST.fullmatch(text):
        raise ValueError("should be a host name or an address, without scheme, port and path")
    return text


def _base_url(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("should be an absolute URL with http or https")
    if parts.username is not None or parts.query or parts.fragment:
        raise ValueError("should be a URL without user, query and fragment; credentials belong into the secrets")
    return text


def _reference(value: object) -> object:
    """A file may be given by its id alone."""
    return {REFERENCE: value} if isinstance(value, str) else value


Host = Annotated[str, AfterValidator(_host)]
Port = Annotated[int, Field(ge=1, le=65_535)]
Text = Annotated[str, Field(min_length=1, max_length=500)]
BaseUrl = Annotated[str, Field(max_length=2_000), AfterValidator(_base_url)]


class ConnectionSettings(BaseModel):
    """Base of the settings models: camelCase keys, strict types, nothing unknown."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, alias_generator=to_camel)


class FileReference(BaseModel):
    """A file as nodes pass it around; what else is said of it there is left out here."""

    model_config = ConfigDict(extra="ignore", strict=True, frozen=True)

    id: str = Field(alias=REFERENCE, pattern=r"^file_[0-9a-z]{26}$", description="file_…, as its upload answered.")


Certificates = Annotated[str, Field(max_length=60_000, pattern="-----BEGIN CERTIFICATE-----")]


class SmtpSettings(ConnectionSettings):
    host: Host = Field(description="The mail server's host name.")
    port: Port = Field(587, description="587 for starttls, 465 for implicit, 25 for none, as a rule.")
    tls: Literal["none", "starttls", "implicit"] = Field("starttls", description="How the way there is encrypted.")
    ca: Certificates | None = Field(None, description="Certificates in PEM, trusted instead of the system's.")
    username: Text | None = Field(None, description="Left out where the server asks for none.")
    sender: Text | None = Field(None, alias="from", description="The sender of mails that name none.")


class ServerDatabaseSettings(ConnectionSettings):
    """What PostgreSQL and MySQL have in common."""

    host: Host = Field(description="The database server's host name.")
    database: Text = Field(description="The name of the database.")
    user: Text = Field(description="Who signs in; grant this user no more than workflows need.")
    tls: Literal["none", "require", "verify"] = Field(
        "verify", description="verify checks the server's certificate, require only encrypts."
    )
    ca: Certificates | None = Field(None, description="Certificates in PEM, trusted instead of the system's.")
    read_only: bool = Field(False, description="Whether every transaction is opened read-only.")


class PostgresqlSettings(ServerDatabaseSettings):
    port: Port = Field(5432, description="The port it listens on.")


class MysqlSettings(ServerDatabaseSettings):
    port: Port = Field(3306, description="The port it listens on.")


class SqliteSettings(ConnectionSettings):
    file: Annotated[FileReference, BeforeValidator(_reference)] = Field(
        description="The file with the database: a reference to it, or its id."
    )
    read_only: bool = Field(True, description="Whether statements may only read.")


class HttpSettings(ConnectionSettings):
    base_url: BaseUrl = Field(description="Relative URLs go here, and credentials go nowhere else.")
    auth: Literal["none", "basic", "bearer", "header", "query"] = Field(
        "none", description="How requests are authenticated."
    )
    username: Text | None = Field(None, description="For basic.")
    name: Text | None = Field(None, description="For header and query: the name of the header or parameter.")


class OpenAiSettings(ConnectionSettings):
    base_url: BaseUrl = Field("https://api.openai.com/v1", description="Where /chat/completions is.")
    model: Text | None = Field(None, description="For nodes that name none.")


Rules = Callable[[JSONObject, AbstractSet[str]], Iterator[Finding]]
"""From checked settings and the names of the secrets that are set to what does not go together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionType:
    """`secrets`: what each secret is, by its name. `model` None: any settings and any secrets go."""

    name: str
    title: str
    description: str
    documentation: str
    model: type[ConnectionSettings] | None = None
    secrets: Mapping[str, str] = field(default_factory=dict[str, str])
    rules: Rules | None = None

    @property
    def settings_schema(self) -> JSONObject:
        """JSON Schema of the settings."""
        if self.model is None:
            return {"type": "object"}
        return cast("JSONObject", self.model.model_json_schema(by_alias=True))


def _missing(*path: str, because: str, remedy: str) -> Finding:
    return Finding(code="MISSING", message=f"{path[-1]!r} is missing: {because}", path=path, remedy=remedy)


_HTTP_SECRETS = {"bearer": "token", "header": "value", "query": "value"}


def _http_rules(settings: JSONObject, secrets: AbstractSet[str]) -> Iterator[Finding]:
    auth, name = settings.get("auth"), settings.get("name")
    because = f"auth is {auth}"
    if auth == "basic" and not settings.get("username"):
        yield _missing("settings", "username", because=because, remedy="Give who signs in.")
    if auth in ("header", "query") and not name:
        yield _missing("settings", "name", because=because, remedy=f"Give the name of the {auth} that carries it.")
    if auth == "header" and isinstance(name, str) and (not _HEADER.fullmatch(name) or name.lower() in _OWN_HEADERS):
        message = f"{name[:60]!r} is no header that can be given"
        yield Finding(code="BAD_HEADER", message=message, path=("settings", "name"), remedy="Use such as X-Api-Key.")
    secret = _HTTP_SECRETS.get(str(auth))
    if secret is not None and secret not in secrets:
        yield _missing("secrets", secret, because=because, remedy=f"Set the secret {secret}.")


_SMTP = ConnectionType(
    name="smtp",
    title="Mail server (SMTP)",
    description="Sends e-mail.",
    documentation="The `email` node sends through it. With `username` it signs in, over TLS unless `tls` is none.",
    model=SmtpSettings,
    secrets={"password": "Of the username."},
)
_DATABASE = """
The `database` node asks it. Parameters are always bound, rows and time are limited; with `readOnly` no statement can
change anything.
""".strip()
_POSTGRESQL = ConnectionType(
    name="postgresql",
    title="PostgreSQL",
    description="A PostgreSQL database.",
    documentation=_DATABASE,
    model=PostgresqlSettings,
    secrets={"password": "Of the user."},
)
_MYSQL = ConnectionType(
    name="mysql",
    title="MySQL or MariaDB",
    description="A MySQL or MariaDB database.",
    documentation=_DATABASE,
    model=MysqlSettings,
    secrets={"password": "Of the user."},
)
_SQLITE = ConnectionType(
    name="sqlite",
    title="SQLite file",
    description="A SQLite database that was uploaded as a file.",
    documentation="The `database` node opens the file. It is read only unless `readOnly` is false.",
    model=SqliteSettings,
)
_HTTP = ConnectionType(
    name="http",
    title="HTTP service",
    description="A service with an HTTP API and one way to authenticate.",
    documentation="""
Nodes that name it may give URLs relative to `baseUrl`. What is sent besides, by `auth`:

- `basic`: `username` and the secret `password`
- `bearer`: the secret `token`
- `header`: the secret `value` in the header `name`
- `query`: the secret `value` in the parameter `name`
""".strip(),
    model=HttpSettings,
    secrets={
        "password": "For basic.",
        "token": "For bearer.",
        "value": "For header and query.",
        "signingSecret": "Whatever auth says: webhook nodes sign what they send with it.",
    },
    rules=_http_rules,
)
_OPENAI = ConnectionType(
    name="openai",
    title="Language model (OpenAI protocol)",
    description="A service that speaks OpenAI's chat protocol.",
    documentation="The `ai` node asks it. Any server that speaks the protocol will do, a local one too.",
    model=OpenAiSettings,
    secrets={"apiKey": "Sent as a bearer token; left out where the server asks for none."},
)
_CUSTOM = ConnectionType(
    name="custom",
    title="Anything else",
    description="Settings and secrets under names of your own.",
    documentation="For node kinds of your own. The settings are any JSON object; passwords and keys are secrets.",
)

TYPES: Mapping[str, ConnectionType] = MappingProxyType(
    {each.name: each for each in (_SMTP, _POSTGRESQL, _MYSQL, _SQLITE, _HTTP, _OPENAI, _CUSTOM)}
)
