"""Changes when something becomes adjustable: every setting, read once from the environment, and only here.

`WEIR_` and the field's name in capitals is the variable; `docs/settings.md` is made from the descriptions.
"""

import base64
import binascii
import difflib
import hashlib
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from domain.destinations import Destination, destination
from domain.errors import Invalid

PREFIX = "WEIR_"
PROJECT = Path(__file__).resolve().parent.parent
_SECRET = frozenset(
    {"database_url", "redis_url", "master_key", "master_keys_other", "kms_token", "files_s3_secret_key"}
)  # no message has their values
_ORIGIN = re.compile(r"https?://(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+)(:[0-9]{1,5})?")
_HOST = re.compile(r"\[[0-9a-fA-F:.]+\]|(\*\.)?[A-Za-z0-9._-]+")
_HOST_AND_PORT = re.compile(r"(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+)(:[0-9]{1,5})?")


class WrongSetting(Invalid):
    """A `WEIR_…` variable is unknown, missing or has a value that is not allowed; the message names it."""


def _url(*schemes: str) -> AfterValidator:
    def check(value: str) -> str:
        if urlsplit(value).scheme not in schemes:
            raise ValueError(f"it must begin with {' or '.join(f'{scheme}://' for scheme in schemes)}")
        return value

    return AfterValidator(check)


def _key(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return base64.b64decode(value, validate=True)
    except binascii.Error as error:
        raise ValueError("it must be base64, as `openssl rand -base64 32` makes it") from error


def _keys(value: object) -> object:
    if not isinstance(value, str):
        return value
    keys = tuple(_key(part.strip()) for part in value.split(",") if part.strip())
    if any(len(key) != 32 for key in keys if isinstance(key, bytes)):
        raise ValueError("each must be the base64 of 32 bytes")
    return keys


def _list(value: object) -> object:
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


def _hosts(value: tuple[str, ...]) -> tuple[str, ...]:
    for host in value:
        if not _HOST_AND_PORT.fullmatch(host):
            raise ValueError(f"{host!r} is neither HOST nor HOST:PORT")
    return value


def _destinations(value: tuple[str, ...]) -> tuple[str, ...]:
    for text in value:
        try:
            destination(text)
        except Invalid as error:
            raise ValueError(error.message) from None
    return value


def _origins(value: tuple[str, ...]) -> tuple[str, ...]:
    for origin in value:
        if not _ORIGIN.fullmatch(origin):
            raise ValueError(f"{origin!r} is no origin, such as https://app.example.com")
    return tuple(origin.lower() for origin in value)


def _host_names(value: tuple[str, ...]) -> tuple[str, ...]:
    for host in value:
        if not _HOST.fullmatch(host):
            raise ValueError(f"{host!r} is neither HOST nor *.DOMAIN")
    return tuple(host.lower() for host in value)


def _or_none(value: object) -> object:
    return None if value == "none" else value


_Most = Annotated[Annotated[int, Field(ge=1)] | None, BeforeValidator(_or_none)]


class Settings(BaseModel):
    """What can be set. Durations are seconds, sizes are bytes."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    database_url: Annotated[str, _url("postgresql", "postgres")] | None = Field(default=None, repr=False)
    """An ordinary PostgreSQL (17 or later), such as `postgresql://user:password@host/weir`. Unset: the embedded one in
    the data directory."""
    redis_url: Annotated[str, _url("redis", "rediss", "unix")] | None = Field(default=None, repr=False)
    """An ordinary Redis (6.2 or later), such as `redis://host:6379/0`. Unset: the embedded one."""
    master_key: Annotated[bytes, Field(min_length=32, max_length=32), BeforeValidator(_key)] | None = Field(
        default=None, repr=False
    )
    """Base64 of the 32 bytes that wrap every tenant's data key; `openssl rand -base64 32` makes one. Unset: made on
    first use in the data directory; must be set together with WEIR_DATABASE_URL."""
    master_keys_other: Annotated[tuple[bytes, ...], BeforeValidator(_keys)] = Field(default=(), repr=False)
    """Further master keys, separated by commas, that open what they have wrapped: those to be replaced, and the next
    one before it becomes the current one."""
    master_key_file: Path | None = None
    """A file with master keys in base64, one a line, the current one first; instead of WEIR_MASTER_KEY."""
    kms_url: Annotated[str, _url("http", "https")] | None = None
    """The transit engine of a Vault or OpenBao that wraps the tenants' data keys, such as
    `https://bao.example.com/v1/transit`. The master key then signs tokens and opens what it has wrapped before."""
    kms_key: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,100}$")] | None = None
    """The name of the key there."""
    kms_token: str | None = Field(default=None, repr=False)
    """The token that may encrypt and decrypt with it."""
    data_dir: Path
    """Where embedded servers, keys and files live. Default: `.weir` in the project, or
    `$XDG_DATA_HOME/weir/<hash of the project's path>` where the project belongs to another user or is read-only."""
    public_url: Annotated[str, _url("http", "https")] | None = None
    """How others reach this server; links in callbacks begin with it. Unset: host and port."""
    host: str = "127.0.0.1"
    """The address the API listens on; `0.0.0.0` for all."""
    port: Annotated[int, Field(ge=0, le=65535)] = 8000
    """The port the API listens on; 0 takes a free one."""
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    """The least important level that is logged."""
    log_format: Literal["auto", "text", "json"] = "auto"
    """`json` writes one object a line; `auto` is text on a terminal, else json."""
    access_token_seconds: Annotated[int, Field(ge=30, le=86_400)] = 900
    """How long an access token is valid."""
    refresh_token_seconds: Annotated[int, Field(ge=60, le=31_536_000)] = 1_209_600
    """How long a refresh token is valid: the longest absence without signing in again."""
    breached_passwords: Path | None = None
    """A sorted file of leaked passwords that nobody may choose: one SHA-1 in hexadecimal, or its first 10 digits or
    more, a line, as Have I Been Pwned gives them out. Unset: none are known."""
    worker_capacity: Annotated[int, Field(ge=1, le=100_000)] = 500
    """Executions that one worker process holds at once."""
    worker_steps: Annotated[int, Field(ge=1, le=10_000)] = 200
    """Steps that one worker process runs at once."""
    tenant_concurrency: Annotated[int, Field(ge=1)] | None = None
    """Executions that one tenant has under way at once, unless it was given a limit of its own. Unset: any number."""
    drain_seconds: Annotated[float, Field(ge=0, le=3_600)] = 20.0
    """How long a stopping worker lets its running steps finish before it hands them over."""
    cancel_grace_seconds: Annotated[float, Field(ge=0, le=3_600)] = 10.0
    """How long a running step that is told to stop may take for it before the execution goes on without it."""
    max_output_bytes: Annotated[int, Field(ge=1_024, le=1_073_741_824)] = 16_777_216
    """Largest output of a step; the step fails beyond it."""
    max_body_bytes: Annotated[int, Field(ge=65_536, le=268_435_456)] = 16_777_216
    """Largest request body of the API; a larger one is refused with status 413."""
    files_url: Annotated[str, _url("s3", "file")] | None = None
    """Where files lie: `s3://bucket/prefix`, or `file:///directory` (shared by all machines). Unset: the data
    directory."""
    files_s3_endpoint: Annotated[str, _url("http", "https")] | None = None
    """An S3-compatible server, such as `https://minio.example.com`, addressed by path. Unset: Amazon S3."""
    files_s3_region: str = "us-east-1"
    """The bucket's region."""
    files_s3_access_key: str | None = None
    """The key for the bucket. Unset: `AWS_ACCESS_KEY_ID` and what else the AWS tools look at."""
    files_s3_secret_key: str | None = Field(default=None, repr=False)
    """The secret of WEIR_FILES_S3_ACCESS_KEY."""
    max_file_bytes: Annotated[int, Field(ge=1_024, le=1_099_511_627_776)] = 104_857_600
    """Largest file, uploaded or made by a step."""
    file_quota_bytes: Annotated[int, Field(ge=1_024, le=1_125_899_906_842_624)] = 10_737_418_240
    """Most bytes that the files of one tenant may have together."""
    file_retention_seconds: Annotated[int, Field(ge=0, le=3_155_760_000)] = 2_592_000
    """How long a file is kept, at least as long as its execution lives; 0 keeps it until it is deleted."""
    http_allow: Annotated[tuple[str, ...], AfterValidator(_hosts), BeforeValidator(_list)] = ()
    """Hosts that workflows may call although they are private, comma-separated, such as `127.0.0.1:9000,intranet`."""
    http_deny: Annotated[tuple[str, ...], AfterValidator(_destinations), BeforeValidator(_list)] = ()
    """Where workflows may never connect to, comma-separated: hosts (and those below them), `HOST:PORT`, networks such
    as `203.0.113.0/24`. Wins over WEIR_HTTP_ALLOW."""
    http_block_private: bool = True
    """Whether requests of workflows to private, loopback and link-local addresses are refused."""
    allowed_hosts: Annotated[tuple[str, ...], AfterValidator(_host_names), BeforeValidator(_list)] = ()
    """The names in the Host header that are answered, comma-separated, such as `weir.example.com,*.example.org`.
    /healthz and /readyz answer to any. Unset: every name."""
    cors_origins: Annotated[tuple[str, ...], AfterValidator(_origins), BeforeValidator(_list)] = ()
    """Other origins whose pages may call the API from a browser, comma-separated, such as `https://app.example.com`.
    Unset: none."""
    graphiql: Literal["auto", "on", "off"] = "auto"
    """Whether a browser that opens /graphql gets GraphiQL; `auto`: not in production, which is where WEIR_DATABASE_URL
    names a database or WEIR_PUBLIC_URL is https."""
    introspection: bool = True
    """Whether callers who have the permission `schema:introspect` may read the schema through the API."""
    body_seconds: Annotated[float, Field(ge=0.1, le=600)] = 20.0
    """How long a request may take to bring its body, and a second more for each KiB that came; 408 after that."""
    query_seconds: Annotated[float, Field(ge=0.1, le=600)] = 30.0
    """Longest time that a GraphQL query may take. A mutation has 330 s, since a start may wait for its result."""
    breaker_failures: Annotated[int, Field(ge=0, le=10_000)] = 10
    """Failed calls in a row, of all workers together, after which a host is left alone for a while; 0: never."""
    breaker_window_seconds: Annotated[float, Field(ge=1, le=3_600)] = 60.0
    """How close together those failures must be."""
    breaker_open_seconds: Annotated[float, Field(ge=0.1, le=3_600)] = 30.0
    """How long a host is left alone before one call tries it again."""
    breaker_probe_seconds: Annotated[float, Field(ge=0.1, le=3_600)] = 60.0
    """How long that one call may take before another one tries."""
    rate_window_seconds: Annotated[int, Field(ge=1, le=86_400)] = 60
    """The window in which requests are counted; it moves on with the time."""
    rate_tenant: _Most = 600_000
    """Requests of a tenant in the window, unless it was given another rate. `none`, here and below: any number."""
    rate_user: _Most = 300_000
    """Requests of a person who signed in."""
    rate_key: _Most = 300_000
    """Requests by one API key."""
    rate_route: _Most = 300_000
    """Requests of a tenant to one address of the API, its parameters left out."""
    rate_cost: _Most = 60_000_000
    """What the GraphQL operations of a tenant may cost together, by `extensions.cost`."""
    rate_address: _Most = 30_000
    """Requests without credentials that hold from one address (of IPv6: one /64)."""
    quota_executions_per_day: Annotated[int, Field(ge=0)] | None = None
    """Executions a tenant may begin on a day (UTC), unless it was given a quota of its own. Unset: any number."""
    quota_executions_per_month: Annotated[int, Field(ge=0)] | None = None
    """The same for a month."""
    quota_executions_under_way: Annotated[int, Field(ge=0)] | None = None
    """Executions a tenant may have that are not over, waiting ones too: a start beyond them is refused."""
    quota_streams: Annotated[int, Field(ge=0)] | None = None
    """Streams a tenant may have."""
    quota_connections: Annotated[int, Field(ge=0)] | None = None
    """Connections a tenant may have."""
    quota_workflows: Annotated[int, Field(ge=0)] | None = None
    """Workflows a tenant may have."""
    db_pool_size: Annotated[int, Field(ge=2, le=1_000)] = 10
    """Most database connections of each pool of a process."""

    @classmethod
    def load(cls, *, data_dir: Path | None = None) -> "Settings":
        """From this process's environment; `data_dir` wins over WEIR_DATA_DIR. Raises WrongSetting."""
        return cls.from_environment(environment(), data_dir=data_dir)

    @classmethod
    def from_environment(cls, environ: Mapping[str, str], *, data_dir: Path | None = None) -> "Settings":
        """From `environ`; an empty value counts as unset. Raises WrongSetting that names all that is wrong."""
        given = {name: value for name, value in environ.items() if name.startswith(PREFIX) and value.strip()}
        wrong = [_unknown(name) for name in sorted(given) if _field(name) not in cls.model_fields]
        values: dict[str, object] = {
            _field(name): value.strip() for name, value in given.items() if _field(name) in cls.model_fields
        }
        chosen = data_dir or Path(given.get(f"{PREFIX}DATA_DIR") or default_data_dir(environ, PROJECT))
        values["data_dir"] = chosen.expanduser().absolute()
        try:
            settings = cls.model_validate(values)
        except ValidationError as error:
            wrong += [_explain(detail, given) for detail in error.errors(include_url=False, include_context=False)]
        else:
            if not wrong:
                return settings
        raise WrongSetting("; ".join(wrong), remedy="`weir doctor --settings` lists every setting and what it takes.")

    @property
    def url(self) -> str:
        """How others reach this server, without a slash at its end."""
        return (self.public_url or f"http://{self.host}:{self.port}").rstrip("/")

    @property
    def denied(self) -> tuple[Destination, ...]:
        """Where workflows may never connect to."""
        return tuple(map(destination, self.http_deny))

    @property
    def shows_graphiql(self) -> bool:
        """Whether a browser gets the page."""
        production = self.database_url is not None or self.url.startswith("https://")
        return self.graphiql == "on" or (self.graphiql == "auto" and not production)


def environment() -> Mapping[str, str]:
    """This process's environment; nothing else looks at it."""
    return os.environ


def default_data_dir(environ: Mapping[str, str], project: Path) -> Path:
    """`.weir` in a project of one's own, else a directory of one's own that is named by the project."""
    inside = project / ".weir"
    own = project.stat().st_uid == os.geteuid() and os.access(project, os.W_OK)
    if own or (inside.exists() and os.access(inside, os.W_OK)):
        return inside
    base = environ.get("XDG_DATA_HOME") or str(Path(environ.get("HOME") or "~").expanduser() / ".local/share")
    return Path(base) / "weir" / hashlib.sha256(os.fsencode(project)).hexdigest()[:12]


def page() -> str:
    """docs/settings.md."""
    lines = [
        "# Settings",
        "",
        "Every setting is an environment variable; an empty one counts as unset. A wrong or unknown one stops",
        "the start with a message that names it. Durations are seconds, sizes are bytes. `weir doctor` says which",
        "are set.",
        "",
        "| variable | default | what |",
        "|---|---|---|",
    ]
    for name, field in Settings.model_fields.items():
        default = "" if field.is_required() else _shown(field.default)
        what = " ".join((field.description or "").split())
        lines.append(f"| `{_variable(name)}` | {default} | {what} |")
    return "\n".join(lines) + "\n"


def _shown(default: object) -> str:
    match default:
        case None | ():
            return "–"
        case bool():
            return f"`{str(default).lower()}`"
        case float():
            return f"`{default:g}`"
        case _:
            return f"`{default}`"


def _variable(field: str) -> str:
    return PREFIX + field.upper()


def _field(variable: str) -> str:
    return variable.removeprefix(PREFIX).lower()


def _unknown(name: str) -> str:
    known = [_variable(field) for field in Settings.model_fields]
    near = difflib.get_close_matches(name, known, n=1)
    return f"{name} is no setting" + (f"; did you mean {near[0]}?" if near else "")


def _explain(detail: ErrorDetails, given: Mapping[str, str]) -> str:
    field = str(detail["loc"][0])
    name = _variable(field)
    shown = "" if field in _SECRET else f"={given.get(name, '')}"
    message = detail["msg"].removeprefix("Value error, ")
    return f"{name}{shown}: {message[0].lower()}{message[1:]}"
