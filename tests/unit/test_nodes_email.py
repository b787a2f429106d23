"""The email node against a real SMTP server: what it sends, to whom, and how it fails."""

import asyncio
import base64
from collections.abc import AsyncGenerator
from dataclasses import dataclass, replace
from email.utils import format_datetime

import pytest

from domain.connections import Connections
from domain.engine.outcomes import Completed, Failed, Outcome
from domain.files import Files
from domain.graphs import Node
from domain.ids import TenantId
from domain.json import JSON, JSONObject, as_object
from jobs.nodes import CATALOG
from jobs.outgoing import Outgoing
from tests.certificates import Certificate, certificate
from tests.unit.node_world import NOW, NodeWorld, node_world
from tests.unit.smtp_server import PASSWORD, USER, Letter, MailRoom, mail_room
from weir_kit import GivenConnections, MemoryFiles, connection

PLAIN: JSONObject = {"to": "ada@example.com", "subject": "Hello", "text": "Hi"}


@dataclass(frozen=True, kw_only=True)
class Desk:
    """A place to send mails from: the connection `mail` leads to the room."""

    world: NodeWorld
    room: MailRoom
    files: MemoryFiles

    password: str = PASSWORD

    def world_with(self, **settings: JSON) -> NodeWorld:
        """The world with other settings of the connection."""
        given = {"host": "127.0.0.1", "port": self.room.port, "tls": "none", "from": "Shop <shop@example.com>"}
        mail = connection("mail", type="smtp", settings={**given, **settings}, secrets={"password": self.password})

        def connections(tenant: TenantId) -> Connections:
            return GivenConnections([mail])

        def files(tenant: TenantId) -> Files:
            return self.files

        return replace(self.world, supplies=replace(self.world.supplies, connections=connections, files=files))

    async def run(self, *, input: JSON = None, **config: JSON) -> Outcome:
        return await self.world_with().run("email", {"connection": "mail", **PLAIN, **config}, input=input)

    async def sent(self, *, input: JSON = None, **config: JSON) -> Letter:
        outcome = await self.run(input=input, **config)
        assert isinstance(outcome, Completed), outcome
        return self.room.letters[-1]

    async def failure(self, *, input: JSON = None, **config: JSON) -> Failed:
        outcome = await self.run(input=input, **config)
        assert isinstance(outcome, Failed), outcome
        return outcome


@pytest.fixture(scope="module")
async def bare() -> AsyncGenerator[NodeWorld]:
    async with node_world(allow=("127.0.0.1", "localhost")) as world:
        yield world


@pytest.fixture
async def desk(bare: NodeWorld) -> AsyncGenerator[Desk]:
    async with mail_room() as room:
        yield Desk(world=bare, room=room, files=MemoryFiles())


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return certificate(tmp_path_factory.mktemp("certificates"), "localhost")


def part(letter: Letter, kind: str) -> str:
    [found] = [part for part in letter.message.walk() if part.get_content_type() == kind]
    return str(found.get_content()).replace("\r\n", "\n")


async def test_a_mail_is_sent_and_the_output_says_so(desk: Desk) -> None:
    outcome = await desk.run(to=["Ada <ada@example.com>"], subject="Grüße, {{ input.name }}", input={"name": "Ada"})

    [letter] = desk.room.letters
    message = letter.message
    assert (letter.sender, letter.recipients) == ("shop@example.com", ("ada@example.com",))
    assert {name: message[name] for name in ("From", "To", "Subject", "Date", "Message-ID")} == {
        "From": "Shop <shop@example.com>",
        "To": "Ada <ada@example.com>",
        "Subject": "Grüße, Ada",
        "Date": format_datetime(NOW),
        "Message-ID": as_object(outcome.output if isinstance(outcome, Completed) else None)["messageId"],
    }
    assert part(letter, "text/plain") == "Hi\n"
    assert outcome == Completed(
        output={
            "messageId": message["Message-ID"],
            "accepted": ["ada@example.com"],
            "refused": [],
            "response": "OK: taken",
        }
    )


async def test_a_repeated_mail_has_the_same_message_id(desk: Desk) -> None:
    first, second = await desk.sent(), await desk.sent()

    assert first.message["Message-ID"] == second.message["Message-ID"]
    assert first.message["Message-ID"].endswith("@example.com>")


async def test_everybody_gets_it_once_and_nobody_sees_the_blind_copies(desk: Desk) -> None:
    letter = await desk.sent(
        to="Ada <ada@example.com>, \"Doe, John\" <john@example.com>",
        cc=["carl@example.com", "ada@example.com"],
        bcc="secret@example.com",
        replyTo="answers@example.com",
        **{"from": "Other <other@example.com>"},
    )  # fmt: skip

    assert letter.sender == "other@example.com"
    assert letter.recipients == ("ada@example.com", "john@example.com", "carl@example.com", "secret@example.com")
    assert letter.message["To"] == 'Ada <ada@example.com>, "Doe, John" <john@example.com>'
    assert letter.message["Cc"] == "carl@example.com, ada@example.com"
    assert letter.message["Reply-To"] == "answers@example.com"
    assert b"secret@example.com" not in letter.content


async def test_text_and_html_are_alternatives(desk: Desk) -> None:
    both = await desk.sent(text="Grüße", html="<p>Grüße &amp; Küsse</p>")
    alone = await desk.sent(text=None, html="<p>😀</p>")

    assert both.message.get_content_type() == "multipart/alternative"
    assert [each.get_content_type() for each in both.message.iter_parts()] == ["text/plain", "text/html"]
    assert (part(both, "text/plain"), part(both, "text/html")) == ("Grüße\n", "<p>Grüße &amp; Küsse</p>\n")
    assert alone.message.get_content_type() == "text/html"
    assert part(alone, "text/html") == "<p>😀</p>\n"


async def test_long_lines_and_lines_of_a_dot_arrive_as_they_were(desk: Desk) -> None:
    text = "\n".join([".", "..", "x" * 5_000, "From here", " trailing ", ""])

    assert part(await desk.sent(text=text), "text/plain") == text


async def test_a_template_is_rendered_with_its_variables_escaped(desk: Desk) -> None:
    letter = await desk.sent(
        text=None,
        template="<p>{{ name }}, {{ input.total | decimal: 2 }}</p>",
        variables={"name": "{{ input.name }}"},
        input={"name": "<script>", "total": 1},
    )

    assert part(letter, "text/html") == "<p>&lt;script&gt;, 1.00</p>\n"


async def test_a_template_that_fails_says_where(desk: Desk) -> None:
    failure = await desk.failure(text=None, template="a\n{{ nothing }}", variables={})

    assert (failure.code, failure.retryable, failure.details) == ("TEMPLATE_FAILED", False, {"line": 2})


async def test_attachments_come_from_files_and_from_the_config(desk: Desk) -> None:
    async def chunks() -> AsyncGenerator[bytes]:
        yield b"\x00\x01"
        yield b"\xff"

    stored = await desk.files.put("Rechnung für Ada.pdf", "application/pdf", chunks())
    letter = await desk.sent(
        attachments=[
            "{{ input.file }}",
            {"name": "../../etc/a\r\nb.csv", "mediaType": "text/csv; charset=latin-1", "content": "ä;1\n"},
            {"name": "x.bin", "base64": base64.b64encode(b"bytes").decode()},
            {"content": ""},
        ],
        input={"file": stored.as_json()},
    )

    attached = list(letter.message.iter_attachments())
    assert [(each.get_filename(), each.get_content_type(), each.get_content()) for each in attached] == [
        ("Rechnung für Ada.pdf", "application/pdf", b"\x00\x01\xff"),
        ("ab.csv", "text/csv", "ä;1\n"),
        ("x.bin", "application/octet-stream", b"bytes"),
        ("attachment", "application/octet-stream", b""),
    ]
    assert part(letter, "text/plain") == "Hi\n"


@pytest.mark.parametrize(
    ("attachment", "code"),
    [
        ({"name": "a"}, "MAIL_INVALID"),
        ({"content": "a", "base64": "YQ=="}, "MAIL_INVALID"),
        ({"base64": "%"}, "MAIL_INVALID"),
        ({"$file": "file_00000000000000000000000099"}, "NOT_FOUND"),
        ({"$file": "nonsense"}, "INVALID_ID"),
        ({"content": "x" * 26_214_401}, "MAIL_INVALID"),
    ],
    ids=["nothing", "both", "no base64", "no such file", "no id", "too large"],
)
async def test_an_attachment_that_is_none_is_refused(desk: Desk, attachment: JSON, code: str) -> None:
    failure = await desk.failure(attachments=[attachment])

    assert (failure.code, failure.retryable, desk.room.letters) == (code, False, [])


@pytest.mark.parametrize("line_break", ["\r\n", "\n", "\r", "\x0b", "\x0c", "\x85", "\u2028", "\u2029"])
@pytest.mark.parametrize("field", ["subject", "to", "cc", "from", "replyTo", "headers"])
async def test_no_value_breaks_out_of_its_header(desk: Desk, field: str, line_break: str) -> None:
    hostile = f"x{line_break}Bcc: evil@example.com{line_break}{line_break}<script>"
    values: dict[str, JSON] = {
        "subject": hostile,
        "headers": {"X-Note": hostile},
        **dict.fromkeys(("to", "cc", "from", "replyTo"), f'"{hostile}" <ada@example.com>'),
    }

    outcome = await desk.run(**{field: values[field]})

    for letter in desk.room.letters:
        assert letter.message["Bcc"] is None
        assert "evil@example.com" not in letter.recipients
        assert part(letter, "text/plain") == "Hi\n"
    assert isinstance(outcome, Completed) or (isinstance(outcome, Failed) and outcome.code == "MAIL_INVALID")


@pytest.mark.parametrize(
    "address",
    ["ada", "ada@", "@example.com", "ada@exa mple.com", "ada@example..com", "a b@example.com", "ada@-x.com",
     "<ada@example.com", "ada@example.com>", "Ada ada@example.com", "ada@example.com\nRCPT TO:<evil@example.com>",
     "a" * 65 + "@example.com", "ada@" + "x" * 64 + ".com", ".ada@example.com", "ada.@example.com",
     "a\x00b@example.com", "Ada <ada@example.com> <bob@example.com>", "ada@example.com SIZE=1", "a@b@example.com",
     "ada@[127.0.0.1]"],
)  # fmt: skip
async def test_what_is_no_address_is_refused_by_name(desk: Desk, address: str) -> None:
    failure = await desk.failure(
        to=["fine@example.com", "{{ input }}"], cc="", **{"from": "{{ input }}"}, input=address
    )

    assert (failure.code, failure.retryable, desk.room.letters) == ("MAIL_INVALID", False, [])


@pytest.mark.parametrize(
    ("address", "envelope"),
    [
        ("o'hara+tag@sub.example.com", "o'hara+tag@sub.example.com"),
        ("info@müller.example", "info@xn--mller-kva.example"),
        ("jörg@example.com", "jörg@example.com"),
        ("root@localhost", "root@localhost"),
        ("Jörg Müller <j@example.com>", "j@example.com"),
        ('"A \\"B\\" C" <j@example.com>', "j@example.com"),
    ],
)
async def test_unusual_addresses_reach_the_envelope(desk: Desk, address: str, envelope: str) -> None:
    letter = await desk.sent(to=address)

    assert letter.recipients == (envelope,)
    assert ("SMTPUTF8" in letter.options) is (not envelope.isascii())


async def test_a_mail_needs_a_recipient_and_a_sender_and_has_a_limit(desk: Desk) -> None:
    nobody = await desk.failure(to=[" ", ""])
    many = await desk.failure(to=[f"r{number}@example.com" for number in range(101)])
    from_nobody = await desk.world_with(**{"from": None}).run("email", {"connection": "mail", **PLAIN})

    assert isinstance(from_nobody, Failed)
    assert [nobody.message, many.message, from_nobody.message] == [
        "The mail has no recipient",
        "The mail has 101 recipients; at most 100 are taken",
        "The mail has no sender",
    ]


async def test_own_headers_are_added_and_those_of_weir_kept(desk: Desk) -> None:
    letter = await desk.sent(headers={"X-Order": "7", "List-Unsubscribe": "<https://example.com/u>"})
    refused = [await desk.failure(headers={name: "x"}) for name in ("Bcc", "content-type", "Message-Id", "X Y", "a:b")]

    assert (letter.message["X-Order"], letter.message["List-Unsubscribe"]) == ("7", "<https://example.com/u>")
    assert {failure.code for failure in refused} == {"MAIL_INVALID"}


async def test_recipients_refused_among_others_are_told_in_the_output(desk: Desk) -> None:
    desk.room.refusals["gone@example.com"] = "550 5.1.1 No such user"
    outcome = await desk.run(to="ada@example.com, gone@example.com")

    assert isinstance(outcome, Completed)
    output = as_object(outcome.output)
    assert (output["accepted"], output["refused"]) == (
        ["ada@example.com"],
        [{"address": "gone@example.com", "code": 550, "message": "5.1.1 No such user"}],
    )
    assert desk.room.letters[0].recipients == ("ada@example.com",)


@pytest.mark.parametrize(("answer", "retryable"), [("450 4.2.1 Busy", True), ("550 5.1.1 No such user", False)])
async def test_a_mail_nobody_takes_fails(desk: Desk, answer: str, retryable: bool) -> None:
    desk.room.refusals["ada@example.com"] = answer

    failure = await desk.failure()

    assert (failure.code, failure.retryable, failure.details) == (
        "RECIPIENTS_REFUSED",
        retryable,
        {"refused": [{"address": "ada@example.com", "code": int(answer[:3]), "message": answer[4:]}]},
    )


@pytest.mark.parametrize(
    ("answer", "retryable"), [("451 Try later", True), ("421 Closing", True), ("554 Spam", False), ("552 Full", False)]
)
async def test_answers_with_4_may_be_tried_again_and_those_with_5_may_not(
    desk: Desk, answer: str, retryable: bool
) -> None:
    desk.room.data_answer = answer

    failure = await desk.failure()

    assert (failure.code, failure.retryable, failure.details) == (
        "SMTP_REFUSED",
        retryable,
        {"code": int(answer[:3]), "message": answer[4:]},
    )


async def test_a_server_that_says_nothing_is_given_up(desk: Desk) -> None:
    desk.room.silent = asyncio.Event()
    outcome = await replace(desk.world_with(), timeout=0.2).run("email", {"connection": "mail", **PLAIN})
    desk.room.silent.set()

    assert isinstance(outcome, Failed)
    assert (outcome.code, outcome.retryable) == ("TIMEOUT", True)


async def test_a_server_that_is_not_there_may_be_tried_again(desk: Desk) -> None:
    async with mail_room() as gone:
        port = gone.port
    outcome = await desk.world_with(port=port).run("email", {"connection": "mail", **PLAIN})

    assert isinstance(outcome, Failed)
    assert (outcome.code, outcome.retryable) == ("CONNECTION_FAILED", True)


@pytest.mark.parametrize(
    "spoken", [b"", b"HTTP/1.1 400 Bad\r\n\r\n", b"220 x\r\n", b"2" * 100_000, b"220-a\r\n" * 10_000]
)
async def test_a_server_that_speaks_something_else_fails_the_step_and_no_more(desk: Desk, spoken: bytes) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(spoken)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    outcome = await replace(desk.world_with(port=server.sockets[0].getsockname()[1]), timeout=2).run(
        "email", {"connection": "mail", **PLAIN}
    )
    server.close()

    assert isinstance(outcome, Failed)
    assert outcome.code in ("CONNECTION_FAILED", "SMTP_REFUSED", "TIMEOUT")


async def test_a_private_address_is_refused_unless_allowed(desk: Desk) -> None:
    http = Outgoing()
    world = desk.world_with()
    outcome = await replace(world, supplies=replace(world.supplies, http=http)).run(
        "email", {"connection": "mail", **PLAIN}
    )
    await http.close()

    assert isinstance(outcome, Failed)
    assert (outcome.code, outcome.retryable) == ("ADDRESS_REFUSED", False)
    assert outcome.remedy == f"An administrator may allow it: WEIR_HTTP_ALLOW=127.0.0.1:{desk.room.port}"


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
async def test_tls_and_signing_in_work_together(desk: Desk, made: Certificate, tls: str) -> None:
    async with mail_room(tls="starttls" if tls == "starttls" else "implicit", certificate=made, signed_in=True) as room:
        there = replace(desk, room=room)
        settings: JSONObject = {"host": "localhost", "tls": tls, "username": USER, "ca": made.ca}
        sent = await there.world_with(**settings).run("email", {"connection": "mail", **PLAIN})
        guessing = replace(there, password="wrong-word")
        wrong = await guessing.world_with(**settings).run("email", {"connection": "mail", **PLAIN})
        unknown = await there.world_with(**{**settings, "ca": None}).run("email", {"connection": "mail", **PLAIN})
        misnamed = await there.world_with(**{**settings, "host": "127.0.0.1"}).run(
            "email", {"connection": "mail", **PLAIN}
        )
        nobody = await there.world_with(**{**settings, "username": None}).run("email", {"connection": "mail", **PLAIN})

    assert isinstance(sent, Completed)
    [letter] = room.letters
    codes = [(each.code, each.retryable) for each in (wrong, unknown, misnamed, nobody) if isinstance(each, Failed)]
    assert codes == [
        ("AUTHENTICATION_FAILED", False),
        ("TLS_FAILED", False),
        ("TLS_FAILED", False),
        ("SMTP_REFUSED", False),
    ]
    assert "wrong-word" not in repr(wrong)
    assert letter.recipients == ("ada@example.com",)


async def test_authorities_that_are_no_certificates_are_told(desk: Desk) -> None:
    outcome = await desk.world_with(tls="starttls", ca="nonsense").run("email", {"connection": "mail", **PLAIN})

    assert isinstance(outcome, Failed)
    assert (outcome.code, outcome.retryable) == ("CONNECTION_INVALID", False)


async def test_a_server_without_tls_gets_no_mail_where_tls_is_asked_for(desk: Desk) -> None:
    outcome = await desk.world_with(tls="starttls", username=USER).run("email", {"connection": "mail", **PLAIN})

    assert isinstance(outcome, Failed)
    assert (outcome.code, outcome.retryable, desk.room.letters) == ("SMTP_UNSUPPORTED", False, [])


@pytest.mark.parametrize(
    ("config", "code"),
    [({"connection": "none"}, "NOT_FOUND"), ({"connection": "mail"}, "CONNECTION_INVALID")],
)
async def test_a_connection_that_does_not_fit_is_refused(desk: Desk, config: JSONObject, code: str) -> None:
    outcome = await desk.world_with(port="25").run("email", {**PLAIN, **config})

    assert isinstance(outcome, Failed)
    assert (outcome.code, outcome.retryable) == (code, False)


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({}, ["connection", "to", "text"]),
        ({"to": "ada@example.com, bob", "text": "x"}, ["connection", "to"]),
        ({"connection": "a", "to": ["{{ input.to }}", "bob"], "text": "x"}, ["to.1"]),
        ({"connection": "a", "bcc": "a@example.com", "html": "x", "template": "y"}, ["template"]),
        ({"connection": "a", "to": "a@b.c", "text": "x", "headers": {"BCC": "y"}, "from": "me"},
         ["from", "headers.BCC"]),
        ({"connection": "a", "to": "{{ input.to }}", "template": "{{ anything }} {% if x %}{% endif %}"}, []),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_found_before_it_is_sent(config: JSONObject, expected: list[str]) -> None:
    findings = CATALOG.check(Node(id="a", kind="email", config=config))

    assert [".".join(finding.path[1:]) for finding in findings] == expected
