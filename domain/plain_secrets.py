"""What of a definition people are not shown: changes when another spelling of a secret is known.

Secrets belong into connections. Where somebody wrote one into a draft all the same, nobody else reads it in a
comparison: a text under a name such as `password` or `apiKey`, the password in an address, a bearer token, a private
key. What an expression gives is no secret: the expression is shown.
"""

import re
from collections.abc import Mapping
from typing import Any

import re2

from domain.json import JSON, JSONObject, as_list, is_list

HIDDEN = "•••••"

_re2: Any = re2  # an extension module without type information

_NAMES = (
    "password",
    "passwd",
    "passphrase",
    "secret",
    "token",
    "apikey",
    "accesskey",
    "privatekey",
    "authorization",
    "credential",
)
_EXPRESSION = _re2.compile(r"(?s)\{\{.*?\}\}")
_SCHEME = _re2.compile(r"(?i)^\s*(?:bearer|basic|token)?\s*$")
_ADDRESS = _re2.compile(r"(://[^/\s:@]*:)([^/\s@]+)@")
_BEARER = _re2.compile(r"(?i)\b(bearer|basic)(\s+)([a-z0-9+/._~=-]{8,})")
_PRIVATE_KEY = "PRIVATE KEY-----"


def names_secret(name: str) -> bool:
    """Whether a value of this name is to be taken for a secret."""
    letters = re.sub("[^a-z]", "", name.lower())
    return any(known in letters for known in _NAMES)


def holds_secret(members: JSONObject, key: str) -> bool:
    """Whether this member is to be taken for a secret, as `value` is in {name: Authorization, value: …}."""
    name = members.get("name") if key == "value" else None
    return names_secret(key) or (isinstance(name, str) and names_secret(name))


def hidden(value: JSON, *, named: bool = False, names_tell: bool = True) -> JSON:
    """The value with `•••••` for every secret in it.

    `named`: it stands under the name of one. `names_tell`: whether names inside it say so too; they do not in a schema,
    whose property that is called password is no password.
    """
    if isinstance(value, str):
        return _hidden_text(value, named)
    if isinstance(value, Mapping):
        return {
            key: hidden(member, named=named or (names_tell and holds_secret(value, key)), names_tell=names_tell)
            for key, member in value.items()
        }
    if is_list(value):
        return [hidden(element, named=named, names_tell=names_tell) for element in as_list(value)]
    return value


def _hidden_text(text: str, named: bool) -> str:
    if named and not _SCHEME.match(_EXPRESSION.sub("", text)):
        return HIDDEN
    if _PRIVATE_KEY in text:
        return HIDDEN
    if "://" in text:
        text = _ADDRESS.sub(_hide_password, text)
    return _BEARER.sub(_hide_token, text)


def _hide_password(found: Any) -> str:
    password = found.group(2)
    return found.group(0) if password.startswith("{{") else f"{found.group(1)}{HIDDEN}@"


def _hide_token(found: Any) -> str:
    return f"{found.group(1)}{found.group(2)}{HIDDEN}"
