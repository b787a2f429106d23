"""Identities: UUIDv7 NewTypes inside, TypeIDs (prefix and base32) outside.

The text form follows the TypeID specification 0.3 (https://github.com/jetify-com/typeid): a lower-case
prefix, an underscore and 26 characters of Crockford base32 over the 128 bits of the UUID.
"""

from typing import NewType
from uuid import UUID

from domain.errors import InvalidId

TenantId = NewType("TenantId", UUID)
UserId = NewType("UserId", UUID)
ApiKeyId = NewType("ApiKeyId", UUID)
WorkflowId = NewType("WorkflowId", UUID)
VersionId = NewType("VersionId", UUID)
ExecutionId = NewType("ExecutionId", UUID)
TriggerId = NewType("TriggerId", UUID)
WorkerId = NewType("WorkerId", UUID)
ConnectionId = NewType("ConnectionId", UUID)
FileId = NewType("FileId", UUID)
TaskId = NewType("TaskId", UUID)
StreamId = NewType("StreamId", UUID)
BranchId = NewType("BranchId", UUID)
PublishRequestId = NewType("PublishRequestId", UUID)
PromotionId = NewType("PromotionId", UUID)
SplitId = NewType("SplitId", UUID)
TestCaseId = NewType("TestCaseId", UUID)
LoadRunId = NewType("LoadRunId", UUID)
SessionId = NewType("SessionId", UUID)

PREFIXES = (
    "tenant",
    "user",
    "apikey",
    "workflow",
    "version",
    "execution",
    "trigger",
    "worker",
    "connection",
    "file",
    "task",
    "branch",
    "stream",
    "publishrequest",
    "split",
    "testcase",
    "loadrun",
    "session",
)

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_VALUES = {character: value for value, character in enumerate(_ALPHABET)}
_LENGTH = 26


def encode(prefix: str, value: UUID) -> str:
    """`encode("workflow", uuid)` gives `workflow_01j…`."""
    number = value.int
    digits = [_ALPHABET[(number >> shift) & 31] for shift in range(125, -1, -5)]
    return f"{prefix}_{''.join(digits)}"


def decode(prefix: str, text: str) -> UUID:
    """The UUID in `text`.

    Raises InvalidId when the text is no TypeID or names another kind of object.
    """
    kind, value = split(text)
    if kind != prefix:
        raise InvalidId(text, expected=prefix, found=kind)
    return value


def split(text: str) -> tuple[str, UUID]:
    """Prefix and UUID of any TypeID; raises InvalidId."""
    kind, separator, digits = text.rpartition("_")
    if not separator or len(digits) != _LENGTH or digits[0] > "7":
        raise InvalidId(text)
    number = 0
    for character in digits:
        value = _VALUES.get(character)
        if value is None:
            raise InvalidId(text)
        number = number << 5 | value
    return kind, UUID(int=number)


def unix_milliseconds(value: UUID) -> int:
    """The creation time in a UUIDv7, milliseconds since 1970 (RFC 9562, section 5.7)."""
    return value.int >> 80
