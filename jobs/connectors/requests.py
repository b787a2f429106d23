"""From a declared action, a connection and an input to a request; changes when requests look different."""

import base64
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, assert_never
from urllib.parse import quote, urlencode, urlsplit

import orjson

from domain.connections import Connection
from domain.expressions import compile_value
from domain.expressions.templates import text_of
from domain.json import JSON, JSONObject, as_list, as_object, is_list
from jobs.connectors.declarations import Action, BasicAuth, ConnectionAuth, HeaderAuth, Provider

_PLACE: Final = re.compile(r"\{(\+?)(\w+)\}")


class CannotBuild(Exception):
    """There is no request: the connection or the input lacks something; the message says what."""

    def __init__(self, message: str, remedy: str) -> None:
        super().__init__(message)
        self.remedy = remedy


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where requests of a connection go, and what they carry to be let in."""

    base_url: str
    headers: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    query: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)

    def owns(self, url: str) -> bool:
        """Whether a URL has the scheme, host and port of the service: credentials go nowhere else."""
        ours, theirs = urlsplit(self.base_url), urlsplit(url)
        return (ours.scheme, ours.netloc) == (theirs.scheme, theirs.netloc)


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """A request without what lets it in. `url` is absolute, its query included."""

    method: str
    url: str
    headers: Mapping[str, str]
    content: bytes | None


def target(provider: Provider, connection: Connection) -> Target:
    """Raises CannotBuild for a connection without what the provider needs."""
    base_url = connection.settings.get("baseUrl") or provider.base_url
    if not isinstance(base_url, str):
        raise _missing("setting", "baseUrl", connection)
    auth = provider.auth
    match auth:
        case HeaderAuth():
            secret = _secret(connection, auth.secret)
            return Target(base_url=base_url, headers={auth.header: auth.prefix + secret})
        case BasicAuth():
            user, secret = _setting(connection, auth.user), _secret(connection, auth.secret)
            return Target(base_url=base_url, headers=_basic(user, secret))
        case ConnectionAuth():
            return _as_connection_says(base_url, connection)
        case _:
            assert_never(auth)


def build(provider: Provider, action: Action, base_url: str, input: JSONObject) -> Built:
    """Raises CannotBuild for an input that makes no path."""
    path, used = _path(action, input)
    rest = {name: value for name, value in input.items() if name not in used}
    reads = action.method in ("GET", "DELETE")
    default_query, default_body = (rest, None) if reads or action.query is not None else ({}, rest)
    query = default_query if action.query is None else as_object(_filled(action.query, input))
    body = default_body if action.body is None else _filled(action.body, input)
    headers = dict(provider.headers)
    return Built(
        method=action.method,
        url=with_query(base_url.rstrip("/") + path, query, provider),
        headers=headers,
        content=_content(body, provider, headers),
    )


def with_query(url: str, query: Mapping[str, JSON], provider: Provider) -> str:
    """The URL with these parameters instead of those of the same names; nulls are left out."""
    pairs = list(_flat(query)) if provider.encoding == "form" else list(_repeated(query))
    return f"{url}{'&' if '?' in url else '?'}{urlencode(pairs)}" if pairs else url


def found(value: JSON, path: str) -> JSON:
    """What stands at a dotted path of names and indexes, null where there is nothing."""
    for key in path.split(".") if path else ():
        if is_list(value):
            elements = as_list(value)
            value = elements[int(key)] if key.isdecimal() and int(key) < len(elements) else None
        else:
            value = as_object(value).get(key)
    return value


def _as_connection_says(base_url: str, connection: Connection) -> Target:
    match connection.settings.get("auth", "none"):
        case "basic":
            headers = _basic(_setting(connection, "username"), connection.secrets.get("password", ""))
            return Target(base_url=base_url, headers=headers)
        case "bearer":
            return Target(base_url=base_url, headers={"authorization": f"Bearer {_secret(connection, 'token')}"})
        case "header":
            name = _setting(connection, "name").lower()
            return Target(base_url=base_url, headers={name: _secret(connection, "value")})
        case "query":
            return Target(base_url=base_url, query={_setting(connection, "name"): _secret(connection, "value")})
        case _:
            return Target(base_url=base_url)


def _basic(user: str, password: str) -> Mapping[str, str]:
    return {"authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


def _setting(connection: Connection, name: str) -> str:
    value = connection.settings.get(name)
    if not isinstance(value, str) or not value:
        raise _missing("setting", name, connection)
    return value


def _secret(connection: Connection, name: str) -> str:
    if not (value := connection.secrets.get(name)):
        raise _missing("secret", name, connection)
    return value


def _missing(what: str, name: str, connection: Connection) -> CannotBuild:
    return CannotBuild(
        f"The connection {connection.name!r} lacks the {what} {name!r}",
        f"Give the connection the {what} {name}; docs/connectors.md lists what each provider needs.",
    )


def _path(action: Action, input: JSONObject) -> tuple[str, set[str]]:
    used: set[str] = set()

    def member(place: re.Match[str]) -> str:
        whole, name = place[1] == "+", place[2]
        used.add(name)
        text = text_of(input.get(name))
        segments = text.split("/") if whole else [text]
        if any(segment in (".", "..") for segment in segments) or (whole and text and not text.startswith("/")):
            raise CannotBuild(f"The input's {name} {text[:80]!r} makes no path", "Begin it with /, and leave out dots.")
        if not whole and not text:
            raise CannotBuild(f"The input's {name} is empty", f"Give {name}.")
        return "/".join(quote(segment, safe="") for segment in segments)

    return _PLACE.sub(member, action.path), used


def _filled(template: JSON, input: JSONObject) -> JSON:
    return _without_nulls(compile_value(template).render({"input": input}))


def _without_nulls(value: JSON) -> JSON:
    if isinstance(value, Mapping):
        return {name: _without_nulls(member) for name, member in value.items() if member is not None}
    return [_without_nulls(each) for each in as_list(value)] if is_list(value) else value


def _content(body: JSON, provider: Provider, headers: dict[str, str]) -> bytes | None:
    if body is None:
        return None
    if provider.encoding == "form":
        headers["content-type"] = "application/x-www-form-urlencoded"
        return urlencode(list(_flat(as_object(body)))).encode()
    headers.setdefault("content-type", "application/json")
    return orjson.dumps(body)


def _flat(members: Mapping[str, JSON], prefix: str = "") -> Iterator[tuple[str, str]]:
    """As PHP and Stripe read forms: `metadata[color]=red`, `items[0][price]=7`."""
    for name, value in members.items():
        key = f"{prefix}[{name}]" if prefix else name
        if isinstance(value, Mapping):
            yield from _flat(value, key)
        elif is_list(value):
            yield from _flat({str(at): each for at, each in enumerate(as_list(value))}, key)
        elif value is not None:
            yield key, text_of(value)


def _repeated(members: Mapping[str, JSON]) -> Iterator[tuple[str, str]]:
    for name, value in members.items():
        for each in as_list(value) if is_list(value) else [value]:
            if each is not None:
                yield name, text_of(each)
