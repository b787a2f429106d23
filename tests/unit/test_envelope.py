"""What is sealed opens with the same key at the same place, unchanged, and in no other case."""

from uuid import UUID

import pytest

from db.data_keys import KeyLost, Keyring, WrappedKey
from db.envelope import CannotOpen, fingerprint, new_key, open_sealed, seal
from domain.ids import TenantId

PLACE = (b"connection secret", b"tenant", b"name")
TENANT, OTHER = TenantId(UUID(int=1)), TenantId(UUID(int=2))


@pytest.mark.parametrize("plain", [b"", b"x", "Gehäim ä€😀".encode(), b"\x00" * 100_000])
def test_what_is_sealed_opens_again(plain: bytes) -> None:
    key = new_key()

    assert open_sealed(key, seal(key, plain, PLACE), PLACE) == plain


def test_the_same_text_is_sealed_differently_each_time_and_shows_nowhere() -> None:
    key = new_key()

    first, second = (seal(key, b"correct horse", PLACE) for _ in range(2))

    assert first != second
    assert b"horse" not in first + second
    assert len(first) == 1 + 12 + len(b"correct horse") + 16


@pytest.mark.parametrize(
    "place",
    [
        (b"connection secret", b"tenant", b"other"),
        (b"connection secret", b"other", b"name"),
        (b"data key", b"tenant", b"name"),
        (b"connection secret", b"tenantname"),
        (b"connection secret", b"tenan", b"tname"),
        (b"connection secret", b"tenant", b"name", b""),
    ],
)
def test_it_does_not_open_at_another_place(place: tuple[bytes, ...]) -> None:
    key = new_key()

    with pytest.raises(CannotOpen):
        open_sealed(key, seal(key, b"secret", PLACE), place)


def test_it_does_not_open_with_another_key() -> None:
    with pytest.raises(CannotOpen):
        open_sealed(new_key(), seal(new_key(), b"secret", PLACE), PLACE)


def test_no_byte_of_it_can_be_changed_and_none_left_out() -> None:
    key = new_key()
    sealed = seal(key, b"secret", PLACE)
    changed = [sealed[:at] + bytes([sealed[at] ^ 1]) + sealed[at + 1 :] for at in range(len(sealed))]
    shortened = [sealed[:length] for length in range(len(sealed))]

    for wrong in (*changed, *shortened, sealed + b"x"):
        with pytest.raises(CannotOpen):
            open_sealed(key, wrong, PLACE)


def test_a_fingerprint_tells_keys_apart() -> None:
    first, second = new_key(), new_key()

    assert fingerprint(first) == fingerprint(first)
    assert fingerprint(first) != fingerprint(second)
    assert fingerprint(first) not in first


async def test_a_data_key_is_wrapped_by_the_installations_key_and_unwrapped_by_it_alone() -> None:
    installation, other, data_key = new_key(), new_key(), new_key()
    stored = await Keyring.local(installation).wrap(TENANT, 3, data_key)

    assert (stored.tenant_id, stored.generation, stored.wrapped_by) == (TENANT, 3, fingerprint(installation))
    assert data_key not in stored.wrapped
    assert await Keyring.local(installation).unwrap(stored) == data_key
    with pytest.raises(KeyLost, match="The tenant's data key 3 cannot be decrypted"):
        await Keyring.local(other).unwrap(stored)


async def test_a_data_key_serves_no_other_tenant_and_no_other_generation_even_when_it_is_known() -> None:
    keyring = Keyring.local(new_key())
    stored = await keyring.wrap(TENANT, 1, new_key())
    await keyring.unwrap(stored)

    for tenant, generation in ((OTHER, 1), (TENANT, 2)):
        moved = WrappedKey(
            tenant_id=tenant, generation=generation, wrapped=stored.wrapped, wrapped_by=stored.wrapped_by
        )
        with pytest.raises(KeyLost):
            await keyring.unwrap(moved)
