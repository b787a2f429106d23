"""Changes when all models must share something: today, only how rows with a key of several columns behave."""

from typing import Any, NoReturn

from tortoise.models import Model


class CompositeKeyModel(Model):
    """A row whose key spans columns, which Tortoise cannot say: the field marked as primary key is its first part.

    Read such rows with `filter(…)` and `values(…)`; write them by statement. `save` and `delete` would address every
    row that shares the first part, so they are refused.
    """

    class Meta(Model.Meta):
        abstract = True

    async def save(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise TypeError(f"{type(self).__name__} has a key of several columns: write it by statement")

    async def delete(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise TypeError(f"{type(self).__name__} has a key of several columns: delete it by statement")
