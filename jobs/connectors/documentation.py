"""docs/connectors.md, written from what the providers say of themselves."""

from collections.abc import Iterable, Mapping

from jobs.connectors.declarations import Action, BasicAuth, ConnectionAuth, HeaderAuth, Member, Provider

_WRITTEN = """Written from the declarations in `jobs/connectors/`; a test keeps it so.

The `connector` node runs an `action` of a `provider` with the credentials of a `connection`. A connection is of type
`custom`, unless the provider says otherwise, and holds the settings and secrets listed here; its setting `baseUrl`
replaces the provider's own address."""

_ADDING = """## Adding a provider

A provider is one file in `jobs/connectors/` that defines `PROVIDER`: data, no code. Nothing else has to know of it.

```python
\"\"\"Example Desk: its API (https://desk.example/docs).\"\"\"

from jobs.connectors.declarations import Action, CursorPages, HeaderAuth, Provider, needed, optional

PROVIDER = Provider(
    name="desk",
    title="Example Desk",
    base_url="https://api.desk.example/v2",
    auth=HeaderAuth(secret="token"),
    test="test",
    error="error.message",
    documentation="The token is made under Settings, API.",
    actions={
        "test": Action(title="Who the token is", method="GET", path="/me"),
        "closeTicket": Action(
            title="Close a ticket",
            method="POST",
            path="/tickets/{ticket}/close",
            input={"ticket": needed("Its number.", "integer"), "reason": optional("Why.")},
        ),
        "listTickets": Action(
            title="List tickets",
            method="GET",
            path="/tickets",
            input={"status": optional("open or closed.")},
            output="tickets",
            pages=CursorPages(cursor="next", into="cursor"),
        ),
    },
)
```

Members of the input that the path does not take become the query of a GET or DELETE, else the body; `query` and `body`
say otherwise. What each field of a declaration means stands in `jobs/connectors/declarations.py`. `test` names an
action without input that shows whether a connection works. Add the requests its actions make to
`tests/unit/connector_cases.py`, and write this page anew."""


def markdown(providers: Mapping[str, Provider]) -> str:
    """The whole page."""
    parts = ["# Connectors", _WRITTEN, table(providers), *map(_section, providers.values()), _ADDING]
    return "\n\n".join(parts) + "\n"


def table(providers: Mapping[str, Provider]) -> str:
    """One line for each provider with its actions."""
    lines = [
        f"| `{provider.name}` | {provider.title} | {', '.join(f'`{name}`' for name in provider.actions)} |"
        for provider in providers.values()
    ]
    return "\n".join(["| provider | service | actions |", "|---|---|---|", *lines])


def _section(provider: Provider) -> str:
    parts = [f"## {provider.title}", f"`provider: {provider.name}`. {_connection(provider)} {provider.documentation}"]
    for name, action in provider.actions.items():
        parts.append(f"**`{name}`** – {action.title}.{_output(action)}")
        if action.input:
            parts.append("\n".join(["| input | type | meaning |", "|---|---|---|", *_members(action.input.items())]))
    return "\n\n".join(parts)


def _connection(provider: Provider) -> str:
    match provider.auth:
        case HeaderAuth(secret=secret):
            return f"The connection has the secret `{secret}`."
        case BasicAuth(user=user, secret=secret):
            return f"The connection has the setting `{user}` and the secret `{secret}`."
        case ConnectionAuth():
            return "The connection is of type `http`."


def _output(action: Action) -> str:
    if action.pages is not None:
        return " Gives a list, over all its pages."
    return f" Gives `{action.output}` of the answer." if action.output else ""


def _members(members: Iterable[tuple[str, Member]]) -> Iterable[str]:
    names = {
        "string": "text",
        "integer": "whole number",
        "boolean": "true or false",
        "array": "list",
        None: "any value",
    }
    for name, member in members:
        meaning = f"**Required.** {member.description}" if member.required else member.description
        yield f"| `{name}` | {names.get(member.type, member.type)} | {meaning} |"
