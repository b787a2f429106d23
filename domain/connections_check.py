"""Whether a connection's type, settings and secrets go together: everything wrong with them, all at once."""

import re
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from typing import cast

from pydantic import ValidationError

from domain.connection_types import TYPES, ConnectionType
from domain.errors import Finding, Invalid
from domain.json import JSON, JSONObject
from domain.storable import checked, checked_text
from domain.validation.inputs import InvalidInput
from domain.validation.models import shape_findings
from domain.validation.schemas import did_you_mean

MAX_NAME = 200
MAX_SETTINGS_BYTES = 64 * 1024
MAX_SECRETS = 50
MAX_SECRET = 64 * 1024
_SECRET_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,99}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


class InvalidConnection(InvalidInput):
    """Settings or secrets are not as the type needs them; all findings at once, and no secret in any of them."""

    def __init__(self, findings: Sequence[Finding]) -> None:
        message = "; ".join(finding.message for finding in findings[:3])
        Invalid.__init__(self, message, path=findings[0].path, remedy=findings[0].remedy)
        self.findings = tuple(findings)


def type_of(name: str) -> ConnectionType:
    """Raises Invalid for an unknown type."""
    found = TYPES.get(name)
    if found is None:
        message = f"There is no type of connection {name[:60]!r}"
        raise Invalid(message, path=("type",), remedy=did_you_mean(name, TYPES))
    return found


def checked_name(name: str) -> str:
    """The name without spaces at its ends; raises Invalid."""
    name = checked_text(name.strip(), "name", least=1, most=MAX_NAME)
    if name.startswith("connection_"):
        raise Invalid("A name that begins with connection_ would be taken for an id", path=("name",))
    return name


def checked_settings(kind: ConnectionType, settings: JSONObject, secrets: AbstractSet[str]) -> JSONObject:
    """The settings with their defaults; `secrets` are the names of those that are set.

    Raises InvalidConnection, TooLarge.
    """
    checked(settings, "settings", most=MAX_SETTINGS_BYTES)
    complete, findings = _completed(kind, settings)
    findings += _secret_names(kind, secrets)
    if not findings and kind.rules is not None:
        findings += kind.rules(complete, secrets)
    if findings:
        raise InvalidConnection(findings)
    return complete


def checked_secrets(secrets: Mapping[str, JSON]) -> Mapping[str, str | None]:
    """By name their texts, None for those to be removed; raises Invalid, whose message tells nothing of a value."""
    if len(secrets) > MAX_SECRETS:
        raise Invalid(f"A connection has at most {MAX_SECRETS} secrets", path=("secrets",))
    found: dict[str, str | None] = {}
    for name, value in secrets.items():
        if not _SECRET_NAME.fullmatch(name):
            message = f"{name[:60]!r} is no name of a secret"
            raise Invalid(message, path=("secrets",), remedy="Begin with a letter; go on with letters, digits and _.")
        if value is not None and not isinstance(value, str):
            raise Invalid(f"The secret {name} is no text", path=("secrets", name), remedy="Give a text, or null.")
        found[name] = None if value is None else checked_text(value, "secrets", name, least=1, most=MAX_SECRET)
    return found


def refuse_stray_characters(kind: ConnectionType, secrets: Mapping[str, str | None]) -> None:
    """Raises Invalid for what came along by copying; a header would be refused with it, its value in the message."""
    if kind.model is None:
        return
    for name, text in secrets.items():
        if text is not None and (text != text.strip() or _CONTROL.search(text)):
            message = f"The secret {name} has a space at an end, a line break or another control character"
            raise Invalid(message, path=("secrets", name), remedy="Remove it.")


def _completed(kind: ConnectionType, settings: JSONObject) -> tuple[JSONObject, list[Finding]]:
    if kind.model is None:
        return settings, []
    try:
        model = kind.model.model_validate(settings)
    except ValidationError as error:
        found = shape_findings(kind.model, error, settings)
        return settings, [replace(finding, path=("settings", *finding.path)) for finding in found]
    return cast("JSONObject", model.model_dump(by_alias=True, mode="json", exclude_none=True)), []


def _secret_names(kind: ConnectionType, secrets: AbstractSet[str]) -> Iterator[Finding]:
    for name in sorted(secrets - set(kind.secrets)) if kind.model is not None else ():
        remedy = did_you_mean(name, kind.secrets)
        message = f"A connection of type {kind.name} has no secret {name!r}"
        yield Finding(code="UNKNOWN_KEY", message=message, path=("secrets", name), remedy=remedy)
