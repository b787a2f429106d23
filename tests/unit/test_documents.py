"""Workflow documents: what is read comes back the same, and what is wrong is told all at once and harms nothing."""

import json
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.errors import ErrorCode, Finding, InvalidGraph, Refusal, TooLarge
from domain.formats import Format, dumps, json_format, loads, yaml_format
from domain.formats.documents import (
    document_from_json,
    graph_from_json,
    settings_from_json,
    variables_from_json,
)
from domain.formats.source import MAX_BYTES, Unreadable
from domain.formats.stored import definition_from_json, definition_to_json, graph_to_json
from domain.graphs import (
    Backoff,
    Definition,
    Document,
    Edge,
    FailureStrategy,
    Graph,
    JoinMode,
    Node,
    OnError,
    Position,
    Retry,
    TriggerSpec,
    Variable,
    WorkflowSettings,
)
from domain.json import JSON

DOCUMENT = """\
weir: 1
name: Order fulfilment
variables: { currency: { default: EUR } }
settings: { timeout: 3600, concurrency: { max: 10, perMinute: 600 }, onError: { strategy: continue } }
triggers: [ { type: webhook, path: orders, method: POST } ]
demo: shop.py
inputSchema: { type: object }
nodes:
  - { id: start, kind: trigger }
  - { id: price, kind: http, name: Price, config: { url: "{{ vars.api }}" }, retry: { maxAttempts: 3 }, timeout: 10,
      onError: route, position: { x: 1, y: 2.5 } }
edges:
  - { source: start, target: price, condition: input.ok, maxIterations: 3 }
  - { source: price, target: price, sourceHandle: error }
"""

EXPECTED = Document(
    name="Order fulfilment",
    definition=Definition(
        graph=Graph(
            nodes=(
                Node(id="start", kind="trigger"),
                Node(
                    id="price",
                    kind="http",
                    name="Price",
                    position=Position(x=1, y=2.5),
                    config={"url": "{{ vars.api }}"},
                    retry=Retry(max_attempts=3),
                    timeout=10,
                    on_error=OnError.ROUTE,
                ),
            ),
            edges=(
                Edge(source="start", target="price", condition="input.ok", max_iterations=3),
                Edge(source="price", target="price", source_handle="error"),
            ),
        ),
        variables={"currency": Variable(default="EUR")},
        settings=WorkflowSettings(
            timeout=3600, max_concurrent=10, max_per_minute=600, on_failure=FailureStrategy.CONTINUE
        ),
        input_schema={"type": "object"},
    ),
    triggers=(TriggerSpec(type="webhook", config={"path": "orders", "method": "POST"}),),
    demo="shop.py",
)

characters = st.characters(exclude_categories=["Cs"], exclude_characters="\x00")
texts = st.text(characters, max_size=12) | st.sampled_from(
    ["on", "no", "2024-01-01", "12:30", "0x1f", "~", "=", "<<", "{{ x }}"]
)
names = st.from_regex(r"[A-Za-z][A-Za-z0-9_-]{0,8}", fullmatch=True)
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts
)
values: st.SearchStrategy[JSON] = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3), max_leaves=8
)
objects = st.dictionaries(texts, values, max_size=3)
seconds = st.floats(0, 1e6) | st.integers(0, 10**6)
nodes = st.builds(
    Node,
    id=names,
    kind=names,
    name=texts,
    position=st.builds(Position, x=seconds, y=seconds),
    config=objects,
    retry=st.builds(
        Retry,
        max_attempts=st.integers(-5, 200),
        backoff=st.sampled_from(Backoff),
        initial_delay=seconds,
        max_delay=seconds,
        jitter=st.booleans(),
        retry_on=st.lists(names, max_size=2).map(tuple),
    ),
    timeout=st.none() | seconds,
    on_error=st.sampled_from(OnError),
    each=values,
    join=st.none() | st.sampled_from(JoinMode),
    cache=values,
    compensation=values,
    notes=texts,
    disabled=st.booleans(),
)
edges = st.builds(
    Edge,
    source=names,
    target=names,
    source_handle=names,
    target_handle=names,
    condition=st.none() | texts.filter(bool),
    max_iterations=st.none() | st.integers(-5, 5),
)
schemas = st.none() | st.booleans() | objects
definitions = st.builds(
    Definition,
    graph=st.builds(Graph, nodes=st.lists(nodes, max_size=3).map(tuple), edges=st.lists(edges, max_size=3).map(tuple)),
    variables=st.dictionaries(
        st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,8}", fullmatch=True),
        st.builds(Variable, default=values, description=texts),
        max_size=2,
    ),
    settings=st.builds(
        WorkflowSettings,
        timeout=st.none() | seconds,
        max_concurrent=st.none() | st.integers(-5, 100),
        max_per_minute=st.none() | st.integers(-5, 100),
        on_failure=st.sampled_from(FailureStrategy),
        failure_handler=st.none() | texts,
    ),
    input_schema=schemas,
    output_schema=schemas,
)
configs = objects.map(lambda config: {key: config[key] for key in config if key != "type"})
documents = st.builds(
    Document,
    name=texts.filter(bool),
    description=texts,
    category=texts,
    tags=st.lists(texts.filter(bool), max_size=2).map(tuple),
    definition=definitions,
    triggers=st.lists(st.builds(TriggerSpec, type=names, config=configs), max_size=2).map(tuple),
    demo=st.none() | texts,
)


def findings_of(value: JSON) -> tuple[Finding, ...]:
    with pytest.raises(InvalidGraph) as caught:
        document_from_json(value)
    return caught.value.findings


def refusal_of(text: bytes | str, file_format: Format = Format.YAML) -> Refusal:
    with pytest.raises(Refusal) as caught:
        loads(text, file_format)
    return caught.value


def test_a_yaml_document_is_read_with_every_key_in_its_place() -> None:
    assert loads(DOCUMENT, Format.YAML) == EXPECTED


def test_the_same_document_is_read_from_json() -> None:
    assert loads(json.dumps(yaml_format.parse(DOCUMENT)).encode(), Format.JSON) == EXPECTED


@settings(max_examples=150, deadline=None)
@given(document=documents, file_format=st.sampled_from(Format))
def test_a_document_written_and_read_again_is_the_same(document: Document, file_format: Format) -> None:
    assert loads(dumps(document, file_format), file_format) == document


@settings(max_examples=100, deadline=None)
@given(definition=definitions)
def test_a_stored_definition_is_read_back_the_same(definition: Definition) -> None:
    stored = json.loads(json.dumps(definition_to_json(definition)))

    assert definition_from_json(stored) == definition


def test_a_graph_survives_its_json_form() -> None:
    graph = EXPECTED.definition.graph

    assert graph_from_json(graph_to_json(graph)) == graph


def test_a_stored_definition_leaves_out_what_equals_the_default() -> None:
    definition = Definition(graph=Graph(nodes=(Node(id="a", kind="log"),), edges=(Edge(source="a", target="a"),)))

    assert definition_to_json(definition) == {
        "nodes": [{"id": "a", "kind": "log"}],
        "edges": [{"source": "a", "target": "a"}],
    }


def test_every_wrong_place_is_told_at_once_with_node_path_and_remedy() -> None:
    document: JSON = {
        "nodes": [
            {"id": "1a", "kind": "log"},
            {"id": "b", "kindd": "log", "retry": {"maxAttempts": "three"}},
            {"id": "c", "kind": "log", "onErorr": "route", "timeout": "soon"},
        ],
        "edges": [{"source": 1, "target": "b"}],
        "tirggers": [],
    }

    found = [(f.code, f.node_id, ".".join(f.path), f.message, f.remedy) for f in findings_of(document)]

    node_id = "A letter, then up to 63 letters, digits, '-' or '_'; unique in the graph."
    assert sorted(found, key=str) == sorted(
        [
            ("MISSING", "b", "kind", "'kind' is missing", "The node kind, such as `http`."),
            ("MISSING", None, "name", "'name' is missing", "The workflow's name."),
            ("UNKNOWN_KEY", "b", "kindd", "Unknown key 'kindd'", "Did you mean 'kind'?"),
            ("UNKNOWN_KEY", "c", "onErorr", "Unknown key 'onErorr'", "Did you mean 'onError'?"),
            ("UNKNOWN_KEY", None, "tirggers", "Unknown key 'tirggers'", "Did you mean 'triggers'?"),
            (
                "WRONG_SHAPE",
                "b",
                "retry.maxAttempts",
                "retry.maxAttempts should be a whole number, not 'three'",
                "Attempts in all; 1 is no retry.",
            ),
            ("WRONG_SHAPE", "c", "timeout", "timeout should be a number, not 'soon'", "Seconds one attempt may take."),
            (
                "WRONG_SHAPE",
                None,
                "edges.0.source",
                "edges.0.source should be text, not 1",
                "The id of the node it leaves.",
            ),
            (
                "WRONG_SHAPE",
                None,
                "nodes.0.id",
                "nodes.0.id should match pattern '^[A-Za-z][A-Za-z0-9_-]{0,63}$', not '1a'",
                node_id,
            ),
        ],
        key=str,
    )


@pytest.mark.parametrize("value", [None, [], "text", 3])
def test_a_document_that_is_no_object_is_refused(value: JSON) -> None:
    assert [finding.code for finding in findings_of(value)] == ["WRONG_SHAPE"]


def test_variables_and_settings_are_read_alone_and_refused_with_their_paths() -> None:
    assert variables_from_json({"a": {"default": [1]}}) == {"a": Variable(default=[1])}
    assert settings_from_json({"timeout": 5}) == WorkflowSettings(timeout=5)
    with pytest.raises(InvalidGraph) as variables:
        variables_from_json({"a": 1})
    with pytest.raises(InvalidGraph) as wrong:
        settings_from_json({"concurrency": {"max": "many"}})

    assert [finding.path for finding in variables.value.findings] == [("variables", "a")]
    assert [finding.path for finding in wrong.value.findings] == [("concurrency", "max")]


def test_a_graph_of_100_000_nodes_is_refused_at_once_with_one_finding() -> None:
    document: JSON = {"name": "x", "nodes": [{"id": f"n{at}", "wrong": True} for at in range(100_000)]}
    started = time.perf_counter()

    found = findings_of(document)

    assert time.perf_counter() - started < 0.5
    assert [(f.code, f.path, f.message) for f in found] == [
        ("TOO_LARGE", ("nodes",), "The graph has 100,000 nodes; at most 10,000 are allowed")
    ]


@pytest.mark.parametrize("file_format", Format)
def test_twenty_mebibytes_are_refused_before_they_are_parsed(file_format: Format) -> None:
    error = refusal_of(b"[" * (MAX_BYTES + 1), file_format)

    assert (error.code, error.message) == (
        ErrorCode.TOO_LARGE,
        f"The document has {MAX_BYTES + 1:,} bytes; at most {MAX_BYTES:,} are read",
    )


@pytest.mark.parametrize("file_format", Format)
@pytest.mark.parametrize("depth", [201, 100_000])
def test_a_document_nested_too_deep_is_refused(file_format: Format, depth: int) -> None:
    with pytest.raises(TooLarge, match="nested more than 200 levels"):
        loads("[" * depth + "]" * depth, file_format)


@pytest.mark.parametrize("file_format", Format)
def test_two_hundred_levels_are_read(file_format: Format) -> None:
    parse = json_format.parse if file_format is Format.JSON else yaml_format.parse

    value: Any = parse("[" * 200 + "]" * 200)
    for _ in range(199):
        [value] = value

    assert value == []


@pytest.mark.parametrize("file_format", Format)
def test_invalid_utf8_is_told_with_its_byte(file_format: Format) -> None:
    error = refusal_of(b'{"name": "\xff"}', file_format)

    assert isinstance(error, Unreadable)
    assert error.message == "Byte 10 (0xff) is no valid UTF-8"


def test_a_byte_order_mark_is_no_part_of_the_text() -> None:
    assert json_format.parse(b"\xef\xbb\xbf[1]") == [1]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"a": 1,}', "Line 1, column 9: illegal trailing comma before end of object"),
        ('{"a": 1, "a": 2}', "The key 'a' stands twice in one object"),
        ('{"a": NaN}', "NaN is no JSON number"),
        ('{"a": 1e999}', "inf is no JSON number"),
        ('{"a": 9223372036854775808}', "A whole number is beyond 64 bits"),
        ('{"a": ' + "9" * 5000 + "}", "A whole number is beyond 64 bits"),
        ('{"a": "\\u0000"}', "A text holds the character NUL (\\u0000)"),
        ('{"\\ud800": 1}', "A text holds half of a surrogate pair (\\ud800 to \\udfff)"),
    ],
)
def test_json_that_cannot_be_kept_is_refused(text: str, message: str) -> None:
    error = refusal_of(text, Format.JSON)

    # The wording of a syntax error is Python's and differs between its versions; its place does not.
    assert error.message == message or (message.startswith("Line") and error.message.startswith("Line 1, column"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [1", "Line 2, column 1: did not find expected ',' or ']'"),
        ("a: 1\nb: 2\na: 3", "Line 3, column 1: the key 'a' stands twice in one object"),
        ("a: &a [*a]", "Line 1, column 8: the alias *a refers to nothing finished before it"),
        ("200: ok", "Line 1, column 1: a key must be text, and this one is read as 200; put it in quotes"),
        ("on: ok", "Line 1, column 1: a key must be text, and this one is read as true; put it in quotes"),
        ("? [a]\n: b", "Line 1, column 3: a key must be text, not a list or an object"),
        (
            "a: !!python/name:os.system x",
            "Line 1, column 4: the tag tag:yaml.org,2002:python/name:os.system means nothing here",
        ),
        (
            "a: !!python/object:os.x {}",
            "Line 1, column 4: the tag tag:yaml.org,2002:python/object:os.x means nothing here",
        ),
        ("a: !!int x", "Line 1, column 4: 'x' is no int"),
        ("a: 1\n---\nb: 1", "Line 2, column 1: a second document begins"),
        ("a: .inf", "inf is no JSON number"),
        ("<<: 3", "Line 2, column 1: '<<' needs an object or a list of objects"),
    ],
)
def test_yaml_that_is_none_or_is_no_json_is_refused_with_line_and_column(text: str, message: str) -> None:
    assert refusal_of(text).message == message


def test_an_alias_bomb_is_refused() -> None:
    lines = ["a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol]"]
    lines += [f"a{at}: &a{at} [{', '.join([f'*a{at - 1}'] * 9)}]" for at in range(1, 12)]

    assert "aliases add more than 1,048,576 characters" in refusal_of("\n".join(lines)).message


def test_yaml_scalars_mean_what_they_mean_in_yaml_1_1_but_dates_stay_text() -> None:
    text = "[yes, off, 0x1f, 1_000, 12:30, 1.5e+3, ~, 2024-01-01, '12', !!str 12, =]"

    assert yaml_format.parse(text) == [True, False, 31, 1000, 750, 1500.0, None, "2024-01-01", "12", "12", "="]


def test_anchors_and_merge_keys_give_plain_values() -> None:
    text = "base: &b {x: 1, y: 2}\nmore: &m {y: 3, z: 4}\nboth: {<<: [*b, *m], x: 0}\nagain: *b"

    assert yaml_format.parse(text) == {
        "base": {"x": 1, "y": 2},
        "more": {"y": 3, "z": 4},
        "both": {"x": 0, "y": 2, "z": 4},
        "again": {"x": 1, "y": 2},
    }
