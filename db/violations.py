"""Changes when PostgreSQL or Tortoise report a broken constraint in another way."""

from tortoise.exceptions import IntegrityError


def violated(error: IntegrityError) -> str | None:
    """The name of the constraint or unique index that refused a statement."""
    name: object = getattr(error.__cause__, "constraint_name", None)
    return name if isinstance(name, str) else None
