"""What a provider of the `connector` node is declared with: data only, nothing that runs."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from domain.json import JSON, JSONObject

Method: TypeAlias = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
Type: TypeAlias = Literal["string", "integer", "number", "boolean", "object", "array"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A member of an action's input or of a connection's settings. `type` None: any."""

    description: str
    type: Type | None = "string"
    required: bool = False

    def schema(self) -> JSONObject:
        described: dict[str, JSON] = {"description": self.description}
        return {"type": self.type, **described} if self.type else described


def needed(description: str, type: Type | None = "string") -> Member:
    return Member(description=description, type=type, required=True)


def optional(description: str, type: Type | None = "string") -> Member:
    return Member(description=description, type=type)


@dataclass(frozen=True, slots=True, kw_only=True)
class HeaderAuth:
    """A header that carries a secret, behind `prefix`."""

    secret: str
    prefix: str = "Bearer "
    header: str = "authorization"


@dataclass(frozen=True, slots=True, kw_only=True)
class BasicAuth:
    """HTTP Basic: a setting as user, a secret as password."""

    user: str
    secret: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionAuth:
    """As the settings of a connection of type `http` say: `auth`, `username`, `name`."""


Auth: TypeAlias = HeaderAuth | BasicAuth | ConnectionAuth


@dataclass(frozen=True, slots=True, kw_only=True)
class CursorPages:
    """The next page is asked for by what the last one gave: `cursor` is where in the response, `into` the member of
    the input it becomes. None or an empty text is the end."""

    cursor: str
    into: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LastIdPages:
    """The next page begins after the last element: its `id` becomes the member `into`; `more` tells whether one is."""

    more: str
    into: str
    id: str = "id"


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkPages:
    """The next page is the response's link with `rel="next"` (RFC 8288)."""


Pages: TypeAlias = CursorPages | LastIdPages | LinkPages


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """One request. `path` holds members of the input in braces, `{+name}` with its slashes kept.

    The other members become the query of a GET or DELETE, else the body; `query` and `body` say otherwise, as values
    with `{{ input.… }}` in them, where nulls are left out. `output`: where in the response the output is, nothing for
    all of it; with `pages` it is a list, gathered over pages.
    """

    title: str
    method: Method
    path: str
    input: Mapping[str, Member] = field(default_factory=dict[str, Member])
    query: JSON = None
    body: JSON = None
    output: str = ""
    pages: Pages | None = None

    @property
    def input_schema(self) -> JSONObject:
        """JSON Schema. Members it does not name are passed on, unless `query` and `body` say what goes where: services
        know more than is declared."""
        return {
            "type": "object",
            "additionalProperties": self.query is None and self.body is None,
            "properties": {name: member.schema() for name, member in self.input.items()},
            "required": [name for name, member in self.input.items() if member.required],
        }

    def without_absent(self, input: JSONObject) -> JSONObject:
        """The input without the declared members that are null, as an expression gives for what is not there."""
        return {name: value for name, value in input.items() if value is not None or name not in self.input}


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """A service. `base_url` gives way to the connection's setting `baseUrl`; None: that is required.

    `error`: where in the body of an error its words are. `ok`: what must be true in the body of a success, for services
    that answer 200 to everything. `test`: an action without input that shows whether a connection works.
    """

    name: str
    title: str
    documentation: str
    base_url: str | None
    auth: Auth
    actions: Mapping[str, Action]
    test: str
    settings: Mapping[str, Member] = field(default_factory=dict[str, Member])
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    encoding: Literal["json", "form"] = "json"
    error: str = "message"
    ok: str | None = None

    @property
    def secrets(self) -> tuple[str, ...]:
        """The secrets a connection must have; those of ConnectionAuth depend on its settings."""
        return () if isinstance(self.auth, ConnectionAuth) else (self.auth.secret,)
