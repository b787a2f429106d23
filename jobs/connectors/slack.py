"""Slack: its Web API (https://api.slack.com/methods)."""

from jobs.connectors.declarations import Action, CursorPages, HeaderAuth, Provider, needed, optional

PROVIDER = Provider(
    name="slack",
    title="Slack",
    base_url="https://slack.com/api",
    auth=HeaderAuth(secret="token"),  # noqa: S106 - the secret's name
    headers={"content-type": "application/json; charset=utf-8"},
    ok="ok",
    error="error",
    test="test",
    documentation="The token is a bot's (`xoxb-…`). Its scopes decide what it may do: `chat:write` to post, "
    "`channels:read` to list, `users:read.email` to find people, `reactions:write` to react.",
    actions={
        "test": Action(title="Who the token is", method="POST", path="/auth.test"),
        "postMessage": Action(
            title="Post a message",
            method="POST",
            path="/chat.postMessage",
            input={
                "channel": needed("The channel's id, or its name."),
                "text": needed("The message; beside blocks what notifications show."),
                "blocks": optional("Blocks of Block Kit.", "array"),
                "thread_ts": optional("The ts of the message to answer in its thread."),
            },
        ),
        "updateMessage": Action(
            title="Change a message",
            method="POST",
            path="/chat.update",
            input={
                "channel": needed("The channel's id."),
                "ts": needed("The message's ts."),
                "text": needed("The new text."),
                "blocks": optional("The new blocks.", "array"),
            },
        ),
        "addReaction": Action(
            title="React to a message",
            method="POST",
            path="/reactions.add",
            input={
                "channel": needed("The channel's id."),
                "timestamp": needed("The message's ts."),
                "name": needed("The emoji's name, without colons."),
            },
        ),
        "findUser": Action(
            title="Find a person by e-mail address",
            method="GET",
            path="/users.lookupByEmail",
            input={"email": needed("The address.")},
            output="user",
        ),
        "listChannels": Action(
            title="List channels",
            method="GET",
            path="/conversations.list",
            input={
                "types": optional("Such as public_channel,private_channel."),
                "exclude_archived": optional("Whether archived ones are left out.", "boolean"),
            },
            output="channels",
            pages=CursorPages(cursor="response_metadata.next_cursor", into="cursor"),
        ),
    },
)
