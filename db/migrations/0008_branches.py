"""To be filled."""

from typing import ClassVar

from tortoise import migrations
from tortoise.migrations.operations import Operation


class Migration(migrations.Migration):
    dependencies = [("weir", "0007_limits")]

    operations: ClassVar[list[Operation]] = []
