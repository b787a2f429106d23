"""The reference of all node kinds, docs/nodes/, made from what the kinds say of themselves."""

import json
from collections.abc import Iterator, Mapping, Sequence

from domain.json import JSONObject, as_list, as_object
from domain.nodes import PASSED, NodeCatalog, NodeCategory, NodeKind

_WRITTEN = "{} made from the node kinds themselves by `./weir export-docs`; a test says when they differ."


def pages(catalog: NodeCatalog) -> Mapping[str, str]:
    """Every page by its file's name: one per kind, and README.md, which lists them by category."""
    kinds = [kind for _, kind in sorted(catalog.kinds().items())]
    return {"README.md": _overview(kinds), **{f"{kind.name}.md": _page(kind) for kind in kinds}}


def _overview(kinds: Sequence[NodeKind]) -> str:
    parts = [
        "# Node kinds",
        _WRITTEN.format("These pages are"),
        "Any field may hold an expression in `{{ }}` unless it says otherwise. [Node options](../node-options.md) are\n"
        "what every node may carry beside its config: `retry`, `timeout`, `onError`, `each`, `lock`, `cache` and more.",
    ]
    for category in NodeCategory:
        lines = [
            f"| [`{kind.name}`]({kind.name}.md) | {kind.description} |" for kind in kinds if kind.category is category
        ]
        if lines:
            parts += [f"## {category.value.capitalize()}", "\n".join(["| kind | what it does |", "|---|---|", *lines])]
    return "\n\n".join(parts) + "\n"


def _page(kind: NodeKind) -> str:
    outputs = ", ".join(f"`{handle}`" for handle in kind.output_handles) or "none"
    parts = [
        f"# {kind.name}",
        _WRITTEN.format("This page is"),
        f"**{kind.title}.** {kind.description} Outputs: {outputs}.",
        kind.documentation,
    ]
    fields = list(_fields(kind.config_schema, kind.config_schema, ""))
    if fields:
        parts.append("\n".join(["| field | type | meaning |", "|---|---|---|", *fields]))
    parts += _given(kind)
    for example in kind.examples:
        written = json.dumps(example.config, indent=2, ensure_ascii=False)
        parts.append(f"{example.title}:\n\n```json\n{written}\n```")
    return "\n\n".join(parts) + "\n"


def _given(kind: NodeKind) -> Iterator[str]:
    """What it gives; where that depends on the config, what it gives by an empty one."""
    output = kind.output_of({})
    if not output:
        return
    what = "its input" if PASSED in output else _type(output, output)
    yield f"**Output:** {what}{', by default' if callable(kind.output) else ''}."
    members = list(_fields(output, output, ""))
    if members:
        yield "\n".join(["| member | type | meaning |", "|---|---|---|", *members])


def _fields(root: JSONObject, schema: JSONObject, prefix: str) -> Iterator[str]:
    required = as_list(schema.get("required"))
    for name, each in as_object(schema.get("properties")).items():
        described = as_object(each)
        meaning = str(described.get("description", ""))
        if name in required:
            meaning = f"**Required.** {meaning}"
        yield f"| `{prefix}{name}` | {_type(root, described)} | {meaning} |"
        inner, suffix = _element(root, described)
        if inner:
            yield from _fields(root, inner, f"{prefix}{name}{suffix}.")


def _branches(described: JSONObject) -> list[JSONObject]:
    branches = [as_object(branch) for branch in as_list(described.get("anyOf"))] or [described]
    return [branch for branch in branches if branch.get("$ref") != "#/$defs/Template" and branch.get("type") != "null"]


def _type(root: JSONObject, described: JSONObject) -> str:
    names = list(dict.fromkeys(_name(branch) for branch in _branches(described)))
    return " or ".join(names)


def _name(branch: JSONObject) -> str:
    match branch:
        case {"x-expression": mark}:
            return str({"template": "any value"}.get(str(mark), mark))
        case {"x-connection": types}:
            return f"connection ({', '.join(f'`{each}`' for each in as_list(types)) or 'any type'})"
        case {"enum": values}:
            return ", ".join(f"`{value}`" for value in as_list(values))
        case {"type": "array"}:
            return "list"
        case {"type": str(kind)}:
            return {"string": "text", "integer": "whole number", "boolean": "true or false"}.get(kind, kind)
        case _:
            return "any value"


def _element(root: JSONObject, described: JSONObject) -> tuple[JSONObject | None, str]:
    """The schema of a list's elements or an object's members, when it has named fields itself."""
    for branch in _branches(described):
        for key, suffix in (("items", "[]"), ("additionalProperties", ".*")):
            for inner in _branches(as_object(branch.get(key))):
                reference = inner.get("$ref")
                if isinstance(reference, str):
                    definitions = as_object(root.get("$defs"))
                    return as_object(definitions.get(reference.removeprefix("#/$defs/"))), suffix
    return None, ""
