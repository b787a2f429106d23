"""Master keys from their places: several at once, seen anew, and in a key management service."""

import base64
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest
import uuid_utils.compat as uuid

from app.keyring import keyring
from app.kms import TransitKey
from app.master_keys import MasterKeys
from app.settings import Settings, WrongSetting
from app.stack import Stack
from app.tokens import Tokens
from db.data_keys import KeyLost
from db.envelope import CannotOpen, new_key
from domain.access import Role, permissions_of
from domain.errors import Unauthenticated
from domain.ids import TenantId
from domain.sessions import Identity
from domain.tenancy import Actor, ActorKind, Principal, Tenant
from tests.unit.http_server import Answer, Received, Server, http_server

OLD, NEW = b"o" * 32, b"n" * 32
TENANT = TenantId(UUID(int=1))
PLACE = (b"data key", b"tenant")


def line(key: bytes) -> str:
    return base64.b64encode(key).decode() + "\n"


def stack_of(**settings: object) -> Stack:
    chosen = Settings.model_validate({"data_dir": Path("/nowhere"), "database_url": "postgresql://h/d", **settings})
    return Stack(settings=chosen, database_url="postgresql://h/d", redis_url="redis://h")


def test_the_environment_names_the_current_key_and_the_others() -> None:
    given = {"WEIR_MASTER_KEY": line(NEW), "WEIR_MASTER_KEYS_OTHER": f"{line(OLD)},{line(b'x' * 32)}"}
    settings = Settings.from_environment({**given, "WEIR_DATABASE_URL": "postgresql://h/d"}, data_dir=Path("/d"))

    stack = Stack(settings=settings, database_url="postgresql://h/d", redis_url="redis://h")

    assert stack.master_keys().all() == (NEW, OLD, b"x" * 32)
    assert "ooo" not in repr(settings)


def test_no_message_quotes_a_key_that_is_nearly_right() -> None:
    with pytest.raises(WrongSetting) as refused:
        Settings.from_environment({"WEIR_MASTER_KEYS_OTHER": "bmVhcmx5IHJpZ2h0"}, data_dir=Path("/d"))

    assert refused.value.message == "WEIR_MASTER_KEYS_OTHER: each must be the base64 of 32 bytes"


def test_two_places_for_the_current_key_are_refused(tmp_path: Path) -> None:
    with pytest.raises(WrongSetting, match="WEIR_MASTER_KEY and WEIR_MASTER_KEY_FILE are both set"):
        stack_of(master_key=OLD, master_key_file=tmp_path).master_keys()


def test_a_file_is_read_anew_when_it_has_changed(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text(line(OLD))
    keys = stack_of(master_key_file=file, master_keys_other=(b"x" * 32,)).master_keys()
    assert keys.all() == (OLD, b"x" * 32)

    assert keys.file is not None
    MasterKeys.in_file(file).file.put_first(NEW)  # pyright: ignore[reportOptionalMemberAccess] - it is in a file

    assert keys.all() == (NEW, OLD, b"x" * 32)
    assert file.read_text() == line(NEW) + line(OLD)
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize("content", [None, "", "nonsense", line(b"short"), line(OLD) + "zu kurz"])
def test_a_file_without_keys_says_so_and_quotes_nothing(tmp_path: Path, content: str | None) -> None:
    file = tmp_path / "keys"
    if content is not None:
        file.write_text(content)

    with pytest.raises(WrongSetting, match="holds no master keys") as refused:
        MasterKeys.in_file(file).all()

    assert "nonsense" not in refused.value.message


async def test_data_keys_of_an_earlier_master_key_open_beside_those_of_the_current_one() -> None:
    data_key = new_key()
    old = await keyring(MasterKeys.of(OLD)).wrap(TENANT, 1, data_key)
    both = keyring(MasterKeys.of(NEW, OLD))

    assert await both.unwrap(old) == data_key
    assert (await both.wrap(TENANT, 2, data_key)).wrapped_by == keyring(MasterKeys.of(NEW)).ids[0]
    with pytest.raises(KeyLost):
        await keyring(MasterKeys.of(NEW)).unwrap(old)


def test_an_access_token_of_an_earlier_master_key_is_believed_until_the_key_is_gone() -> None:
    def tokens(*keys: bytes) -> Tokens:
        return Tokens(MasterKeys.of(*keys), life=timedelta(hours=1), clock=lambda: datetime.now(UTC), ids=uuid.uuid7)

    now = datetime.now(UTC)
    tenant = Tenant(id=TENANT, slug="acme", name="Acme", created_at=now)
    actor = Actor(kind=ActorKind.API_KEY, id=UUID(int=7), user_id=None)
    principal = Principal(tenant_id=TENANT, actor=actor, permissions=permissions_of(Role.VIEWER))
    text, _ = tokens(OLD).issue(Identity(principal=principal, tenant=tenant, role="viewer"))

    assert tokens(NEW, OLD).read(text).subject == UUID(int=7)
    with pytest.raises(Unauthenticated):
        tokens(NEW).read(text)


# A key management service


def transit(server: Server) -> TransitKey:
    return TransitKey(url=f"{server.url}/v1/transit/", name="weir", token="t0ken")


def serve(server: Server) -> None:
    """A transit engine that turns the plaintext round, bound to what is associated with it."""

    def told(data: Mapping[str, str], status: int = 200) -> Answer:
        return Answer(status=status, body=json.dumps({"data": data}).encode())

    async def encrypt(request: Received) -> Answer:
        asked = json.loads(request.body)
        if request.headers["x-vault-token"] != "t0ken":
            return Answer(status=403)
        return told({"ciphertext": f"vault:v1:{asked['plaintext'][::-1]}:{asked['associated_data']}"})

    async def decrypt(request: Received) -> Answer:
        asked = json.loads(request.body)
        head, _, bound = asked["ciphertext"].rpartition(":")
        if bound != asked["associated_data"]:
            return Answer(status=400)
        return told({"plaintext": head.removeprefix("vault:v1:")[::-1]})

    server.answers["/v1/transit/encrypt/weir"] = encrypt
    server.answers["/v1/transit/decrypt/weir"] = decrypt


async def test_a_service_wraps_and_master_keys_open_what_they_had_wrapped_before() -> None:
    data_key = new_key()
    async with http_server() as server:
        serve(server)
        settings = Settings(data_dir=Path("/d"), kms_url=f"{server.url}/v1/transit", kms_key="weir", kms_token="t0ken")
        before = await keyring(MasterKeys.of(OLD)).wrap(TENANT, 1, data_key)
        ring = keyring(MasterKeys.of(OLD), settings)
        stored = await ring.wrap(TENANT, 1, data_key)

        assert (stored.wrapped_by, stored.wrapped[:9]) == (transit(server).id, b"vault:v1:")
        assert await ring.unwrap(before) == data_key
        assert await keyring(MasterKeys.of(NEW), settings).unwrap(stored) == data_key
        assert await keyring(MasterKeys.of(NEW), settings).unwrap(stored) == data_key


async def test_what_a_service_wrapped_opens_at_its_place_alone() -> None:
    async with http_server() as server:
        serve(server)
        wrapped = await transit(server).wrap(b"k" * 32, PLACE)

        with pytest.raises(CannotOpen):
            await transit(server).unwrap(wrapped, (b"data key", b"other"))


async def test_a_service_that_is_away_or_refuses_is_told_from_a_lost_key() -> None:
    async with http_server() as server:
        server.answers["/v1/transit/encrypt/weir"] = Answer(status=403, body=b"t0ken")
        server.answers["/v1/transit/decrypt/weir"] = Answer(body=b"[]")
        with pytest.raises(ConnectionError, match=r"answers encrypt with status 403$"):
            await transit(server).wrap(b"k" * 32, PLACE)
        with pytest.raises(ConnectionError, match=r"answers decrypt without plaintext$"):
            await transit(server).unwrap(b"vault:v1:x", PLACE)
        gone = transit(server)
    with pytest.raises(ConnectionError, match="does not answer: ConnectError"):
        await gone.wrap(b"k" * 32, PLACE)


def test_a_half_set_service_is_refused() -> None:
    with pytest.raises(WrongSetting, match="WEIR_KMS_URL needs WEIR_KMS_KEY and WEIR_KMS_TOKEN"):
        keyring(MasterKeys.of(OLD), Settings(data_dir=Path("/d"), kms_url="https://bao.example.com/v1/transit"))
