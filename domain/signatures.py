"""Electronic signatures: how somebody proves again who they are, and what ties them to what they signed."""

import hashlib
from dataclasses import dataclass
from datetime import datetime

from domain import proofs
from domain.access import Permission
from domain.accounts import Account
from domain.errors import Forbidden
from domain.ids import UserId
from domain.json import JSONObject
from domain.proofs import Proving
from domain.storable import canonical

ALGORITHM = "SHA-256"


@dataclass(frozen=True, slots=True, kw_only=True)
class Occasion:
    """What is signed, for the words of a refusal: `name` needs the signature, `undone` says what did not happen."""

    name: str
    permission: Permission
    undone: str


class NotSigned(Forbidden):
    """A signature is needed, and the caller gave none that holds."""

    def __init__(self, permission: Permission, message: str, remedy: str) -> None:
        super().__init__(permission.value)
        self.message = message
        self.path = ("signature", "password")
        self.remedy = remedy


async def prove(
    account: Account | None, password: str | None, occasion: Occasion, *, given: Proving, now: datetime
) -> UserId:
    """The user who may sign; raises NotSigned without the right password, and for API keys whatever they give.

    Raises TooManyAttempts, whatever the password, after too many that were wrong.
    `account` is None for an API key, whoever it belongs to.
    """
    needed = f"This {occasion.name} needs a signature"
    if account is None:
        raise NotSigned(occasion.permission, f"{needed}, and an API key cannot sign", "Sign in as a person.")
    if password is None:
        raise NotSigned(occasion.permission, needed, "Give your password again as signature: { password }.")
    if not await proofs.is_right(account, password, given=given, now=now):
        remedy = f"Give your own password again; nothing was {occasion.undone}."
        raise NotSigned(occasion.permission, "The password is wrong", remedy)
    return account.id


def digest(content: JSONObject) -> str:
    """SHA-256, in hexadecimal, of the canonical JSON of what is signed, by whom and when."""
    return hashlib.sha256(canonical(content)).hexdigest()
