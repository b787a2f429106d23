"""The request that each declared action makes: changes with a provider's declaration."""

from dataclasses import dataclass, field

from domain.json import JSON, JSONObject


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """`target`: path and query below the base URL. `body`: JSON, or the form as text; None for none."""

    provider: str
    action: str
    request: str
    input: JSONObject = field(default_factory=dict[str, JSON])
    body: JSON = None

    def __str__(self) -> str:
        return f"{self.provider} {self.action}"


_REPO: JSONObject = {"owner": "octo-org", "repo": "shop"}
_TEXT: JSONObject = {"type": "text", "text": "Done"}
_DOCUMENT: JSONObject = {"type": "doc", "version": 1, "content": [{"type": "paragraph", "content": [_TEXT]}]}

CASES = (
    Case(provider="slack", action="test", request="POST /auth.test", body={}),
    Case(
        provider="slack",
        action="postMessage",
        input={"channel": "C1", "text": "Hi", "thread_ts": "1.2", "unfurl_links": False},
        request="POST /chat.postMessage",
        body={"channel": "C1", "text": "Hi", "thread_ts": "1.2", "unfurl_links": False},
    ),
    Case(
        provider="slack",
        action="updateMessage",
        input={"channel": "C1", "ts": "1.2", "text": "Ho"},
        request="POST /chat.update",
        body={"channel": "C1", "ts": "1.2", "text": "Ho"},
    ),
    Case(
        provider="slack",
        action="addReaction",
        input={"channel": "C1", "timestamp": "1.2", "name": "tada"},
        request="POST /reactions.add",
        body={"channel": "C1", "timestamp": "1.2", "name": "tada"},
    ),
    Case(
        provider="slack",
        action="findUser",
        input={"email": "a+b@example.com"},
        request="GET /users.lookupByEmail?email=a%2Bb%40example.com",
    ),
    Case(
        provider="slack",
        action="listChannels",
        input={"types": "public_channel", "exclude_archived": True},
        request="GET /conversations.list?types=public_channel&exclude_archived=true",
    ),
    Case(provider="github", action="test", request="GET /user"),
    Case(
        provider="github",
        action="createIssue",
        input={**_REPO, "title": "Broken", "labels": ["bug"]},
        request="POST /repos/octo-org/shop/issues",
        body={"title": "Broken", "labels": ["bug"]},
    ),
    Case(
        provider="github",
        action="getIssue",
        input={**_REPO, "issue_number": 7},
        request="GET /repos/octo-org/shop/issues/7",
    ),
    Case(
        provider="github",
        action="updateIssue",
        input={**_REPO, "issue_number": 7, "state": "closed", "milestone": None},
        request="PATCH /repos/octo-org/shop/issues/7",
        body={"state": "closed", "milestone": None},
    ),
    Case(
        provider="github",
        action="listIssues",
        input={**_REPO, "state": "open", "per_page": 50},
        request="GET /repos/octo-org/shop/issues?state=open&per_page=50",
    ),
    Case(
        provider="github",
        action="commentIssue",
        input={**_REPO, "issue_number": 7, "body": "Done"},
        request="POST /repos/octo-org/shop/issues/7/comments",
        body={"body": "Done"},
    ),
    Case(
        provider="github",
        action="createRelease",
        input={**_REPO, "tag_name": "v1", "draft": True},
        request="POST /repos/octo-org/shop/releases",
        body={"tag_name": "v1", "draft": True},
    ),
    Case(
        provider="github",
        action="dispatchWorkflow",
        input={**_REPO, "workflow_id": "deploy/it.yml", "ref": "main", "inputs": {"env": "prod"}},
        request="POST /repos/octo-org/shop/actions/workflows/deploy%2Fit.yml/dispatches",
        body={"ref": "main", "inputs": {"env": "prod"}},
    ),
    Case(provider="stripe", action="test", request="GET /balance"),
    Case(
        provider="stripe",
        action="createCustomer",
        input={"email": "a@example.com", "name": None, "metadata": {"order id": 7}, "preferred_locales": ["de", "en"]},
        request="POST /customers",
        body="email=a%40example.com&metadata%5Border+id%5D=7&preferred_locales%5B0%5D=de&preferred_locales%5B1%5D=en",
    ),
    Case(provider="stripe", action="getCustomer", input={"id": "cus_1"}, request="GET /customers/cus_1"),
    Case(
        provider="stripe",
        action="listCustomers",
        input={"limit": 2, "created": {"gte": 5}},
        request="GET /customers?limit=2&created%5Bgte%5D=5",
    ),
    Case(
        provider="stripe",
        action="createPaymentIntent",
        input={"amount": 1999, "currency": "eur"},
        request="POST /payment_intents",
        body="amount=1999&currency=eur",
    ),
    Case(provider="stripe", action="getPaymentIntent", input={"id": "pi_1"}, request="GET /payment_intents/pi_1"),
    Case(
        provider="stripe",
        action="createRefund",
        input={"payment_intent": "pi_1", "amount": 5},
        request="POST /refunds",
        body="payment_intent=pi_1&amount=5",
    ),
    Case(provider="jira", action="test", request="GET /myself"),
    Case(
        provider="jira",
        action="createIssue",
        input={"project": "ABC", "summary": "Broken", "type": "Bug", "description": "Done"},
        request="POST /issue",
        body={
            "fields": {
                "project": {"key": "ABC"},
                "summary": "Broken",
                "issuetype": {"name": "Bug"},
                "description": _DOCUMENT,
            }
        },
    ),
    Case(
        provider="jira",
        action="createIssueWithFields",
        input={"fields": {"customfield_1": 5}},
        request="POST /issue",
        body={"fields": {"customfield_1": 5}},
    ),
    Case(provider="jira", action="getIssue", input={"issue": "ABC-1"}, request="GET /issue/ABC-1"),
    Case(
        provider="jira",
        action="searchIssues",
        input={"jql": "project = ABC", "fields": "summary"},
        request="GET /search/jql?jql=project+%3D+ABC&fields=summary",
    ),
    Case(
        provider="jira",
        action="addComment",
        input={"issue": "ABC-1", "text": "Done"},
        request="POST /issue/ABC-1/comment",
        body={"body": _DOCUMENT},
    ),
    Case(
        provider="jira",
        action="transitionIssue",
        input={"issue": "ABC-1", "transition": "31"},
        request="POST /issue/ABC-1/transitions",
        body={"transition": {"id": "31"}},
    ),
    Case(provider="discord", action="test", request="GET /users/@me"),
    Case(
        provider="discord",
        action="sendMessage",
        input={"channel": "1", "content": "Hi", "tts": True},
        request="POST /channels/1/messages",
        body={"content": "Hi", "tts": True},
    ),
    Case(
        provider="discord",
        action="editMessage",
        input={"channel": "1", "message": "2", "content": "Ho"},
        request="PATCH /channels/1/messages/2",
        body={"content": "Ho"},
    ),
    Case(
        provider="discord",
        action="deleteMessage",
        input={"channel": "1", "message": "2"},
        request="DELETE /channels/1/messages/2",
    ),
    Case(
        provider="discord",
        action="listMessages",
        input={"channel": "1", "limit": 5},
        request="GET /channels/1/messages?limit=5",
    ),
    Case(
        provider="discord",
        action="startThread",
        input={"channel": "1", "message": "2", "name": "Order 7"},
        request="POST /channels/1/messages/2/threads",
        body={"name": "Order 7"},
    ),
    Case(provider="rest", action="test", request="GET "),
    Case(
        provider="rest",
        action="get",
        input={"path": "/orders/a b", "query": {"tag": ["x", 1], "none": None}},
        request="GET /orders/a%20b?tag=x&tag=1",
    ),
    Case(
        provider="rest",
        action="post",
        input={"path": "/orders", "body": [1, {"a": True}], "query": {"dry": True}},
        request="POST /orders?dry=true",
        body=[1, {"a": True}],
    ),
    Case(provider="rest", action="put", input={"path": "/o/1", "body": "x"}, request="PUT /o/1", body="x"),
    Case(
        provider="rest", action="patch", input={"path": "/o/1", "body": {"a": 1}}, request="PATCH /o/1", body={"a": 1}
    ),
    Case(provider="rest", action="delete", input={"path": "/o/1"}, request="DELETE /o/1"),
)
