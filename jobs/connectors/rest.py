"""Any REST service, by a connection of type `http`."""

from jobs.connectors.declarations import Action, ConnectionAuth, Method, Provider, needed, optional

_PATH = {"path": needed("Below the connection's baseUrl, such as /orders/7.")}
_QUERY = {"query": optional("Parameters by name.", "object")}


def _action(title: str, method: Method, *, body: bool) -> Action:
    return Action(
        title=title,
        method=method,
        path="{+path}",
        input={**_PATH, **_QUERY, **({"body": optional("Sent as JSON.", None)} if body else {})},
        query="{{ input.query }}",
        body="{{ input.body }}" if body else None,
    )


PROVIDER = Provider(
    name="rest",
    title="REST service",
    base_url=None,
    auth=ConnectionAuth(),
    test="test",
    documentation="It says where the service is, and how to authenticate. The `http` node can do more; this one keeps "
    "the address out of the workflow. A body that is no JSON is given as text.",
    actions={
        "test": Action(title="Read the baseUrl itself", method="GET", path=""),
        "get": _action("Read", "GET", body=False),
        "post": _action("Make", "POST", body=True),
        "put": _action("Replace", "PUT", body=True),
        "patch": _action("Change", "PATCH", body=True),
        "delete": _action("Delete", "DELETE", body=False),
    },
)
