"""Validation of what is dangerous: secrets, addresses, certificates, programs, values from outside, open webhooks."""

import time
from dataclasses import replace

import pytest

from domain.errors import Finding, Severity, ValidationLevel
from domain.graphs import Definition, Node, TriggerSpec, Variable
from domain.json import JSON, JSONObject
from domain.validation import validate
from domain.validation.triggers import trigger_findings
from jobs.nodes import CATALOG
from tests.unit.graph_world import log, of

SECURITY = {ValidationLevel.SECURITY}
RANDOM = "q8Zr2LmT0vXc7Bn4Kd9Wf3Hs"


def found(definition: Definition) -> list[Finding]:
    return validate(definition, CATALOG, levels=SECURITY)


def told(*nodes: Node) -> list[tuple[str, str]]:
    return [(each.code, ".".join(each.path)) for each in found(of(*nodes))]


def http(**config: JSON) -> Node:
    return Node(id="call", kind="http", config={"url": "https://api.example.com", **config})


# Secrets


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("AKIAIOSFODNN7EXAMPLE", "an AWS access key"),
        (f"ghp_{RANDOM}{RANDOM[:12]}", "a GitHub token"),
        (f"see glpat-{RANDOM} there", "a GitLab token"),
        ("xoxb-123456789012-abcdef", "a Slack token"),
        ("https://hooks.slack.com/services/T000/B000/XXXXXXXXXXXX", "the address of a Slack webhook"),
        (f"sk_live_{RANDOM}", "a Stripe key"),
        (f"sk-proj-{RANDOM}{RANDOM}", "the key of a language model"),
        (f"AIza{RANDOM}{RANDOM[:11]}", "a Google API key"),
        ("-----BEGIN RSA PRIVATE KEY-----\nMIIE", "a private key"),
        ("-----BEGIN PRIVATE KEY-----", "a private key"),
        (f"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0.{RANDOM}", "a signed token"),
        (f"Bearer {RANDOM}", "a bearer token"),
        (f"whsec_{RANDOM}", "a signing secret"),
        (f"weir_01jabcdef_{RANDOM}", "an API key of Weir"),
        ("postgres://app:hunter2@db.example.com/app", "a password in a URL"),
        ("https://x:y@example.com", "a password in a URL"),
        (f"https://example.com/?api_key={RANDOM}", "a key in a URL"),
    ],
)
def test_a_secret_is_known_by_its_form_wherever_it_stands_and_never_repeated(text: str, what: str) -> None:
    [finding] = found(of(log("a", {"deep": ["one", text]})))

    assert finding == Finding(
        severity=Severity.WARNING,
        level=ValidationLevel.SECURITY,
        code="SECRET_IN_CONFIG",
        message=f"config.message.deep.1 holds {what}, in plain text",
        node_id="a",
        path=("config", "message", "deep", "1"),
        remedy=finding.remedy,
    )
    assert text not in f"{finding.message} {finding.remedy}"


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("password", "hunter2"),
        ("dbPassword", "hunter2"),
        ("client_secret", "abcd"),
        ("X-Api-Key", "hello"),
        ("apiKey", "hello"),
        ("passwords", "hunter2"),
        ("token", RANDOM),
        ("secret", RANDOM),
        ("Authorization", f"Basic {RANDOM}"),
        ("authorization", "Token abcdefgh"),
        ("Cookie", f"{RANDOM}0"),
    ],
)
def test_a_secret_is_known_by_its_name(key: str, text: str) -> None:
    [finding] = found(of(log("a", {key: [text]})))

    assert (finding.code, finding.path) == ("SECRET_IN_CONFIG", ("config", "message", key, "0"))
    assert text not in finding.message


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("password", "{{ vars.password }}"),
        ("Authorization", "Bearer {{ vars.token }}"),
        ("password", "********"),
        ("apiKey", "<your key>"),
        ("token", "next page please"),
        ("nextToken", "page-two"),
        ("maxTokens", 1_000),
        ("tokenUrl", "https://login.example.com/oauth/token"),
        ("passwordField", "the field named password"),
        ("secretName", "stripe"),
        ("note", "ask for the password: it is in the safe"),
        ("id", "9f8c1b2e-7d6a-4c3b-8e5f-0a1b2c3d4e5f"),
        ("url", "https://example.com/?page=2&sort=name"),
        ("mail", "mailto:a@example.com"),
        ("url", "https://{{ vars.user }}:{{ vars.password }}@example.com"),
        ("digest", "sha256:" + "0123456789abcdef" * 4),
        ("auth", "basic"),
        ("password", ""),
    ],
)
def test_what_only_looks_like_a_secret_is_none(key: str, value: JSON) -> None:
    assert told(log("a", {key: value})) == []


def test_secrets_in_variables_bodies_compensations_and_programs_are_found() -> None:
    inner = {"id": "in", "kind": "log", "config": {"message": {"password": "hunter2"}}}
    body = Node(id="l", kind="loop", config={"items": "{{ input }}", "body": {"nodes": [inner]}})
    undone = Node(
        id="u", kind="log", config={"message": "x"},
        compensation={"kind": "http", "config": {"url": "https://x.example", "headers": {"x-api-key": RANDOM}}},
    )  # fmt: skip
    program = Node(
        id="c", kind="code", config={"source": f"const key = 'sk_live_{RANDOM}';", "timeout": 1, "memory": 16}
    )
    definition = replace(of(body, undone, program), variables={"apiKey": Variable(default="hello")})

    assert [(each.node_id, ".".join(each.path)) for each in found(definition)] == [
        ("u", "compensation.config.headers.x-api-key"),
        ("c", "config.source"),
        (None, "variables.apiKey.default"),
        ("l", "config.body.nodes.in.config.message.password"),
    ]


def test_a_long_hostile_text_is_looked_at_in_no_time() -> None:
    started = time.perf_counter()
    for part in ("eyJ-", "a.", "sk-", "://", "Bearer ", "<a ", "select ", "sh -c "):
        assert len(found(of(log("a", part * 200_000)))) <= 1

    assert time.perf_counter() - started < 5


# Addresses


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("http://127.0.0.1:8080/x", "'127.0.0.1' is not public"),
        ("https://user@0x7f.1/", "'0x7f.1' leads to 127.0.0.1, which is not public"),
        ("http://[::ffff:10.0.0.1]/", "'[::ffff:10.0.0.1]' leads to 10.0.0.1, which is not public"),
        (
            "http://169.254.169.254/latest/meta-data",
            "'169.254.169.254' leads to 169.254.169.254, the metadata service of a cloud, which is not public",
        ),
        ("HTTP:\\\\localhost\\x", "'localhost' leads to a host of this machine or of a private network, "
         "which is not public"),
        ("http://10.0.0.1:{{ vars.port }}/", "'10.0.0.1' is not public"),
    ],
)  # fmt: skip
def test_an_address_that_is_not_public_is_told(url: str, message: str) -> None:
    [finding] = found(of(http(url=url)))

    assert (finding.code, finding.severity, finding.path) == ("PRIVATE_ADDRESS", Severity.WARNING, ("config", "url"))
    assert finding.message == f"{message}: a request there is refused unless it is allowed"


@pytest.mark.parametrize(
    "url",
    [
        "https://api.example.com/127.0.0.1",
        "{{ vars.api }}/x",
        "http://{{ vars.host }}/",
        "http://127.0.0.{{ input.n }}/",
        "https://example.com@evil.example",
        "/relative",
    ],
)
def test_other_addresses_are_fine(url: str) -> None:
    assert told(http(url=url, connection="x")) == []


def test_a_program_is_held_to_public_hosts_too() -> None:
    config: JSONObject = {
        "source": "await fetch('http://localhost:9200/_all'); await fetch('https://api.example.com')",
        "allowedDomains": ["api.example.com", "db.internal"],
        "timeout": 5,
        "memory": 16,
    }
    assert told(Node(id="c", kind="code", config=config)) == [
        ("PRIVATE_ADDRESS", "config.source"),
        ("PRIVATE_ADDRESS", "config.allowedDomains.1"),
    ]


# Certificates


@pytest.mark.parametrize(
    ("key", "value", "bad"),
    [
        ("verify", False, True),
        ("verify", True, False),
        ("rejectUnauthorized", False, True),
        ("insecure_skip_verify", True, True),
        ("ignoreSslIssues", "true", True),
        ("sslmode", "require", True),
        ("sslmode", "verify-full", False),
        ("tls", "none", True),
        ("tls", "verify", False),
        ("insecure", False, False),
    ],
)
def test_certificates_are_checked(key: str, value: JSON, bad: bool) -> None:
    assert told(log("a", {"options": {key: value}})) == (
        [("TLS_NOT_VERIFIED", f"config.message.options.{key}")] if bad else []
    )


# Programs


def test_a_program_names_its_limits() -> None:
    def limits(**config: JSON) -> list[tuple[str, Severity, str]]:
        definition = of(Node(id="c", kind="code", config={"source": "return 1", **config}))
        return [(each.code, each.severity, each.message) for each in found(definition)]

    assert limits(timeout=1, memory=16) == []
    assert limits(timeout=1) == [
        ("CODE_WITHOUT_LIMITS", Severity.INFO, "The program says no memory: the default holds, 64 MiB")
    ]
    assert limits() == [
        (
            "CODE_WITHOUT_LIMITS",
            Severity.INFO,
            "The program says no timeout and no memory: the default holds, 10 seconds and 64 MiB",
        )
    ]


# Values from outside


@pytest.mark.parametrize(
    ("kind", "config", "expected"),
    [
        ("database", {"connection": "d", "query": "{{ input.sql }}"}, [("UNTRUSTED_SQL", "config.query")]),
        ("database", {"connection": "d", "query": "SELECT * FROM a WHERE b = {{ input.b }}"}, []),
        ("database", {"connection": "d", "query": "{{ vars.statement }}"}, []),
        (
            "http",
            {"url": "https://x.example", "body": {"sql": "select * from a where b = '{{ trigger.b }}'"}},
            [("UNTRUSTED_SQL", "config.body.sql")],
        ),
        ("http", {"url": "https://x.example", "body": {"sql": "select * from a where b = '{{ vars.b }}'"}}, []),
        (
            "http",
            {"url": "https://x.example", "body": {"command": "rm {{ input.file }}"}},
            [("UNTRUSTED_COMMAND", "config.body.command")],
        ),
        (
            "set",
            {"values": {"run": "bash -c 'echo {{ steps.start.output.x }}'"}},
            [("UNTRUSTED_COMMAND", "config.values.run")],
        ),
        ("email", {"connection": "m", "to": "a@b.example", "html": "<p>{{ input.name }}</p>"}, [
            ("UNESCAPED_HTML", "config.html")
        ]),
        ("email", {"connection": "m", "to": "a@b.example", "template": "<p>{{ input.name }}</p>"}, []),
        ("email", {"connection": "m", "to": "a@b.example", "html": "<p>Hello</p>", "text": "{{ input.x }}"}, []),
        (
            "respond",
            {"headers": {"Content-Type": "text/html"}, "body": "<b>{{ input.name }}</b>"},
            [("UNESCAPED_HTML", "config.body")],
        ),
        ("respond", {"body": "<b>{{ input.name }}</b>"}, []),
    ],
)  # fmt: skip
def test_values_from_outside_do_not_become_programs(
    kind: str, config: JSONObject, expected: list[tuple[str, str]]
) -> None:
    assert told(Node(id="a", kind=kind, config=config)) == expected


def test_what_comes_from_outside_is_named() -> None:
    query = Node(id="q", kind="database", config={"connection": "d", "query": "{{ input.a + trigger.b + vars.c }}"})
    [finding] = found(of(query))

    assert finding.message == (
        "config.query: 'input', 'trigger' of whoever started it, or of another system, becomes the whole statement"
    )


# Webhooks


@pytest.mark.parametrize(
    ("type", "config", "open"),
    [
        ("webhook", {"path": "orders"}, True),
        ("WEBHOOK", {"path": "orders", "authentication": "none"}, True),
        ("webhook", {"path": "orders", "authentication": {"type": "none"}}, True),
        ("webhook", {"path": "orders", "authentication": {"type": "hmac", "connection": "shop"}}, False),
        ("webhook", {"path": "orders", "authentication": "basic"}, False),
        ("schedule", {"cron": "0 9 * * *"}, False),
    ],
)
def test_a_webhook_asks_who_is_there(type: str, config: JSONObject, open: bool) -> None:
    found = list(trigger_findings([TriggerSpec(type="event"), TriggerSpec(type=type, config=config)]))

    assert [(each.code, each.path) for each in found] == (
        [("WEBHOOK_WITHOUT_AUTHENTICATION", ("triggers", "1", "authentication"))] if open else []
    )
