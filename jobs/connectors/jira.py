"""Jira Cloud: its REST API, version 3 (https://developer.atlassian.com/cloud/jira/platform/rest/v3)."""

from domain.json import JSON
from jobs.connectors.declarations import Action, BasicAuth, CursorPages, Provider, needed, optional

_KEY = {"issue": needed("The issue's key or id, such as ABC-1.")}


def _document(text: str) -> JSON:
    """A text in Atlassian's document format."""
    return {
        "type": "doc",
        "version": 1,
        "content": [{"type": "paragraph", "content": [{"type": "text", "text": text}]}],
    }


PROVIDER = Provider(
    name="jira",
    title="Jira Cloud",
    base_url=None,
    auth=BasicAuth(user="email", secret="apiToken"),  # noqa: S106 - the secret's name
    settings={"email": needed("Whose token it is.")},
    error="errorMessages.0",
    test="test",
    documentation="The connection's `baseUrl` is `https://SITE.atlassian.net/rest/api/3`; `apiToken` is one of the "
    "account's API tokens.",
    actions={
        "test": Action(title="Who the token is", method="GET", path="/myself"),
        "createIssue": Action(
            title="Open an issue",
            method="POST",
            path="/issue",
            input={
                "project": needed("The project's key."),
                "summary": needed("The title."),
                "type": needed("The issue type's name, such as Task."),
                "description": needed("The text."),
            },
            body={
                "fields": {
                    "project": {"key": "{{ input.project }}"},
                    "summary": "{{ input.summary }}",
                    "issuetype": {"name": "{{ input.type }}"},
                    "description": _document("{{ input.description }}"),
                }
            },
        ),
        "createIssueWithFields": Action(
            title="Open an issue with any fields",
            method="POST",
            path="/issue",
            input={"fields": needed("All fields by id, as the API takes them.", "object")},
        ),
        "getIssue": Action(title="Read an issue", method="GET", path="/issue/{issue}", input=_KEY),
        "searchIssues": Action(
            title="Search issues",
            method="GET",
            path="/search/jql",
            input={
                "jql": needed("The search, in JQL."),
                "fields": optional("Ids of fields, with commas between; *all for all."),
                "maxResults": optional("Elements of a page.", "integer"),
            },
            output="issues",
            pages=CursorPages(cursor="nextPageToken", into="nextPageToken"),
        ),
        "addComment": Action(
            title="Comment on an issue",
            method="POST",
            path="/issue/{issue}/comment",
            input={**_KEY, "text": needed("The comment.")},
            body={"body": _document("{{ input.text }}")},
        ),
        "transitionIssue": Action(
            title="Move an issue on",
            method="POST",
            path="/issue/{issue}/transitions",
            input={**_KEY, "transition": needed("The transition's id.")},
            body={"transition": {"id": "{{ input.transition }}"}},
        ),
    },
)
