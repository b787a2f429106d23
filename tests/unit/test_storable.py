"""What user JSON must be before it is stored."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import Invalid, Refusal, TooLarge
from domain.json import JSON
from domain.storable import MAX_DEPTH, canonical, checked

STORABLE: st.SearchStrategy[JSON] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(min_value=-(2**63), max_value=2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_characters="\x00", exclude_categories=("Cs",))),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(st.characters(codec="ascii", min_codepoint=1)), inner)
    ),
    max_leaves=10,
)


def nested(depth: int) -> JSON:
    value: JSON = 1
    for _ in range(depth):
        value = [value]
    return value


@given(STORABLE)
def test_what_can_be_stored_is_written_in_its_one_spelling(value: JSON) -> None:
    assert checked(value) == canonical(value)


@pytest.mark.parametrize(
    "value",
    [
        "a\x00b",
        ["\ud800"],
        {"key\x00": 1},
        {"a": [{"b": 2**63}]},
        -(2**63) - 1,
        float("nan"),
        [float("inf")],
    ],
)
def test_what_cannot_be_stored_is_refused_with_its_path(value: JSON) -> None:
    with pytest.raises(Invalid) as refused:
        checked(value, "input", "x")
    assert refused.value.path == ("input", "x")


@pytest.mark.parametrize("value", ["\\u0000", "\\ud800", "12345678901234567890", {"a": 2**63 - 1}, "😀"])
def test_what_only_looks_suspicious_is_taken(value: JSON) -> None:
    assert checked(value) == canonical(value)


def test_nesting_and_size_have_limits() -> None:
    assert checked(nested(MAX_DEPTH))
    refusals: Sequence[tuple[JSON, int]] = [(nested(MAX_DEPTH + 1), 1000), (nested(100_000), 1000), ("x" * 1000, 1000)]
    for value, most in refusals:
        with pytest.raises(Refusal) as refused:
            checked(value, most=most)
        assert isinstance(refused.value, TooLarge)


def test_equal_values_have_equal_spellings() -> None:
    assert canonical({"b": 1, "a": [1, "é"]}) == canonical({"a": [1, "é"], "b": 1}) == b'{"a":[1,"\\u00e9"],"b":1}'
