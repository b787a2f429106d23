"""People, as the API shows them."""

from datetime import datetime

import strawberry

from domain.accounts import Account
from schema.nodes import Node


@strawberry.type(name="User", description="A person.")
class UserType(Node):
    email: str
    name: str
    created_at: datetime

    @classmethod
    def is_type_of(cls, value: object, _info: object) -> bool:
        return isinstance(value, Account)
