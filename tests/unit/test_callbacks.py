"""Resume links: made without storing anything, read only when they are ours to the last bit."""

import base64
from uuid import UUID

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from domain.callbacks import Callback, make_token, read_token
from domain.errors import NotFound
from domain.ids import ExecutionId, TenantId

SECRET = b"s" * 32
CALLBACK = Callback(tenant_id=TenantId(UUID(int=1)), execution_id=ExecutionId(UUID(int=2)), path="loop[3].hold#2")

callbacks = st.builds(
    Callback,
    tenant_id=st.uuids().map(TenantId),
    execution_id=st.uuids().map(ExecutionId),
    path=st.text(min_size=1, max_size=50),
)


@given(callbacks, st.binary(min_size=16, max_size=64))
def test_a_token_names_its_wait(callback: Callback, secret: bytes) -> None:
    token = make_token(secret, callback)

    assert read_token([secret], token) == callback
    assert set(token) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")


def test_a_wait_has_a_signal_of_its_own() -> None:
    assert CALLBACK.signal == "callback:loop[3].hold#2"


def refused(secret: bytes, token: str) -> tuple[str, tuple[str, ...]]:
    with pytest.raises(NotFound) as refusal:
        read_token([secret], token)
    return refusal.value.message, refusal.value.path


@given(callbacks, st.data())
def test_not_a_bit_of_a_token_can_be_changed(callback: Callback, data: st.DataObject) -> None:
    raw = bytearray(base64.urlsafe_b64decode(make_token(SECRET, callback) + "=="))
    bit = data.draw(st.integers(0, 8 * len(raw) - 1))
    raw[bit // 8] ^= 1 << bit % 8

    refused(SECRET, base64.urlsafe_b64encode(bytes(raw)).decode().rstrip("="))


@given(callbacks, st.binary(max_size=64))
def test_a_token_of_another_secret_does_not_hold(callback: Callback, secret: bytes) -> None:
    assume(secret != SECRET)
    refused(SECRET, make_token(secret, callback))


in_base64 = st.binary(max_size=200).map(lambda raw: base64.urlsafe_b64encode(raw).decode())


@given(st.text(max_size=200) | in_base64)
def test_what_is_no_token_is_refused_like_a_wrong_one(text: str) -> None:
    wrong = refused(SECRET, make_token(b"another", CALLBACK))
    assert refused(SECRET, text) == wrong


@pytest.mark.parametrize("cut", [1, 16, 17])
def test_a_token_cut_short_or_grown_does_not_hold(cut: int) -> None:
    raw = base64.urlsafe_b64decode(make_token(SECRET, CALLBACK) + "==")
    for changed in (raw[:-cut], raw[cut:], raw + bytes(cut)):
        refused(SECRET, base64.urlsafe_b64encode(changed).decode().rstrip("="))
