"""What programs of the user's are held to: changes when a program may ask for other limits."""

from collections.abc import Iterator
from typing import Final

from domain.errors import Finding
from domain.json import as_object
from domain.validation.codes import found
from domain.validation.views import GraphView

_LIMITS: Final = {"timeout": "{} seconds", "memory": "{} MiB"}


def findings(view: GraphView) -> Iterator[Finding]:
    """Code that leaves out a limit; the defaults hold then."""
    for config in view.configs:
        if config.kind.name != "code":
            continue
        missing = [name for name in _LIMITS if name not in config.values]
        if missing:
            fields = as_object(config.kind.config_schema.get("properties"))
            defaults = [_LIMITS[name].format(_short(as_object(fields.get(name)).get("default"))) for name in missing]
            message = f"The program says no {' and no '.join(missing)}: the default holds, {' and '.join(defaults)}"
            path = (*config.path, missing[0])
            yield found("CODE_WITHOUT_LIMITS", message, node_id=config.node.id, path=path)


def _short(value: object) -> str:
    return f"{value:g}" if isinstance(value, int | float) else str(value)
