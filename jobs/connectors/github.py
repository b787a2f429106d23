"""GitHub: its REST API (https://docs.github.com/rest)."""

from jobs.connectors.declarations import Action, HeaderAuth, LinkPages, Provider, needed, optional

_REPOSITORY = {"owner": needed("Who owns the repository."), "repo": needed("The repository's name.")}
_ISSUE = {**_REPOSITORY, "issue_number": needed("The issue's number.", "integer")}

PROVIDER = Provider(
    name="github",
    title="GitHub",
    base_url="https://api.github.com",
    auth=HeaderAuth(secret="token"),  # noqa: S106 - the secret's name
    headers={"accept": "application/vnd.github+json", "x-github-api-version": "2022-11-28"},
    test="test",
    documentation="The token is a fine-grained personal access token, or an app's. For GitHub Enterprise Server the "
    "connection's `baseUrl` is `https://HOST/api/v3`.",
    actions={
        "test": Action(title="Who the token is", method="GET", path="/user"),
        "createIssue": Action(
            title="Open an issue",
            method="POST",
            path="/repos/{owner}/{repo}/issues",
            input={
                **_REPOSITORY,
                "title": needed("The title."),
                "body": optional("The text, in Markdown."),
                "labels": optional("Names of labels.", "array"),
                "assignees": optional("Logins of people.", "array"),
            },
        ),
        "getIssue": Action(
            title="Read an issue", method="GET", path="/repos/{owner}/{repo}/issues/{issue_number}", input=_ISSUE
        ),
        "updateIssue": Action(
            title="Change an issue",
            method="PATCH",
            path="/repos/{owner}/{repo}/issues/{issue_number}",
            input={
                **_ISSUE,
                "title": optional("The new title."),
                "body": optional("The new text."),
                "state": optional("open or closed."),
                "labels": optional("All its labels.", "array"),
            },
        ),
        "listIssues": Action(
            title="List issues",
            method="GET",
            path="/repos/{owner}/{repo}/issues",
            input={
                **_REPOSITORY,
                "state": optional("open, closed or all."),
                "labels": optional("Names of labels, with commas between."),
                "since": optional("Changed since then, as ISO 8601."),
                "per_page": optional("Elements of a page, at most 100.", "integer"),
            },
            pages=LinkPages(),
        ),
        "commentIssue": Action(
            title="Comment on an issue or pull request",
            method="POST",
            path="/repos/{owner}/{repo}/issues/{issue_number}/comments",
            input={**_ISSUE, "body": needed("The comment, in Markdown.")},
        ),
        "createRelease": Action(
            title="Make a release",
            method="POST",
            path="/repos/{owner}/{repo}/releases",
            input={
                **_REPOSITORY,
                "tag_name": needed("The tag; made when there is none."),
                "name": optional("The release's name."),
                "body": optional("The notes, in Markdown."),
                "draft": optional("Whether it stays unpublished.", "boolean"),
            },
        ),
        "dispatchWorkflow": Action(
            title="Start a workflow of Actions",
            method="POST",
            path="/repos/{owner}/{repo}/actions/workflows/{workflow_id}/dispatches",
            input={
                **_REPOSITORY,
                "workflow_id": needed("Its id or file name.", None),
                "ref": needed("The branch or tag."),
                "inputs": optional("The workflow's inputs.", "object"),
            },
        ),
    },
)
