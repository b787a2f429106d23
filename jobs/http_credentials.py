"""What a request carries so that a service knows who asks: changes when there is another way to authenticate."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlencode

from domain.connection_types import HttpSettings, OpenAiSettings
from domain.connections import Connection


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """Belongs into requests below `base_url` and no others. `headers` have lower-case names."""

    base_url: str
    headers: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    query: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)

    def on(self, url: str) -> str:
        """The URL with what belongs into its query."""
        if not self.query:
            return url
        address, hash_sign, fragment = url.partition("#")
        return f"{address}{'&' if '?' in address else '?'}{urlencode(self.query)}{hash_sign}{fragment}"


def credentials(connection: Connection) -> Credentials | None:
    """Those of a connection of type http or openai; None for another type."""
    secrets = connection.secrets
    match connection.type:
        case "http":
            return _of_http(HttpSettings.model_validate(connection.settings), secrets)
        case "openai":
            settings = OpenAiSettings.model_validate(connection.settings)
            headers = {"authorization": f"Bearer {secrets['apiKey']}"} if "apiKey" in secrets else {}
            return Credentials(base_url=settings.base_url, headers=headers)
        case _:
            return None


def _of_http(settings: HttpSettings, secrets: Mapping[str, str]) -> Credentials:
    headers: dict[str, str] = {}
    query: dict[str, str] = {}
    match settings.auth:
        case "none":
            pass
        case "basic":
            pair = f"{settings.username or ''}:{secrets.get('password', '')}"
            headers["authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"  # RFC 7617
        case "bearer":
            headers["authorization"] = f"Bearer {secrets['token']}"
        case "header":
            headers[str(settings.name).lower()] = secrets["value"]
        case "query":
            query[str(settings.name)] = secrets["value"]
    return Credentials(base_url=settings.base_url, headers=headers, query=query)
