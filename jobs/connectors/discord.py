"""Discord: the REST API for bots (https://discord.com/developers/docs)."""

from jobs.connectors.declarations import Action, HeaderAuth, Provider, needed, optional

_CHANNEL = {"channel": needed("The channel's id.")}
_MESSAGE = {**_CHANNEL, "message": needed("The message's id.")}
_TEXT = {
    "content": optional("The text, at most 2,000 characters."),
    "embeds": optional("At most ten embeds.", "array"),
}

PROVIDER = Provider(
    name="discord",
    title="Discord",
    base_url="https://discord.com/api/v10",
    auth=HeaderAuth(secret="token", prefix="Bot "),  # noqa: S106 - the secret's name
    test="test",
    documentation="The token is that of a bot, which has been invited to the server and may write in the channel.",
    actions={
        "test": Action(title="Who the bot is", method="GET", path="/users/@me"),
        "sendMessage": Action(
            title="Send a message",
            method="POST",
            path="/channels/{channel}/messages",
            input={**_CHANNEL, **_TEXT, "message_reference": optional("The message it answers.", "object")},
        ),
        "editMessage": Action(
            title="Change a message",
            method="PATCH",
            path="/channels/{channel}/messages/{message}",
            input={**_MESSAGE, **_TEXT},
        ),
        "deleteMessage": Action(
            title="Delete a message", method="DELETE", path="/channels/{channel}/messages/{message}", input=_MESSAGE
        ),
        "listMessages": Action(
            title="Read the last messages",
            method="GET",
            path="/channels/{channel}/messages",
            input={**_CHANNEL, "limit": optional("At most 100.", "integer"), "before": optional("A message's id.")},
        ),
        "startThread": Action(
            title="Begin a thread on a message",
            method="POST",
            path="/channels/{channel}/messages/{message}/threads",
            input={**_MESSAGE, "name": needed("The thread's name.")},
        ),
    },
)
