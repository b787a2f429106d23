"""To be filled."""

from typing import ClassVar

from tortoise import migrations
from tortoise.migrations.operations import Operation


class Migration(migrations.Migration):
    dependencies = [("weir", "0009_environments")]

    operations: ClassVar[list[Operation]] = []
