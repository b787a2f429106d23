"""API keys and access tokens as texts: what is believed, and what is not."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
import uuid_utils.compat as uuid
from joserfc import jwt
from joserfc.jwk import OctKey

from app.master_keys import MasterKeys
from app.secrets import derived
from app.tokens import Tokens
from domain.access import ROLES, Permission, Role, permissions_of
from domain.apikeys import ApiKey, digest, parse, spell
from domain.errors import Unauthenticated
from domain.ids import ApiKeyId, SessionId, TenantId, UserId
from domain.sessions import Identity
from domain.tenancy import Actor, ActorKind, Principal, Tenant

NOW = datetime(2026, 3, 1, 9, tzinfo=UTC)
MASTER = b"m" * 32
TENANT = Tenant(id=TenantId(uuid.uuid7()), slug="acme", name="Acme", created_at=NOW)
USER = UserId(uuid.uuid7())
SESSION = SessionId(uuid.uuid7())


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


def identity(expires_at: datetime | None = None) -> Identity:
    actor = Actor(kind=ActorKind.USER, id=USER, user_id=USER)
    principal = Principal(
        tenant_id=TENANT.id, actor=actor, permissions=permissions_of(Role.VIEWER), expires_at=expires_at
    )
    return Identity(principal=principal, tenant=TENANT, role="viewer", session_id=SESSION)


def tokens(clock: Clock, master: bytes = MASTER) -> Tokens:
    return Tokens(MasterKeys.of(master), life=timedelta(minutes=15), clock=clock, ids=uuid.uuid7)


def test_a_token_says_who_for_which_tenant_and_until_when() -> None:
    text, expires_at = tokens(Clock()).issue(identity())

    claims = tokens(Clock()).read(text)

    assert expires_at == NOW + timedelta(minutes=15) == claims.expires_at
    assert (claims.kind, claims.subject, claims.user_id, claims.tenant_id) == (ActorKind.USER, USER, USER, TENANT.id)
    assert claims.session_id == SESSION


def test_a_persons_token_without_a_session_is_not_believed() -> None:
    text, _ = tokens(Clock()).issue(replace(identity(), session_id=None))

    with pytest.raises(Unauthenticated, match="The access token does not hold"):
        tokens(Clock()).read(text)


def test_a_token_ends_no_later_than_what_it_was_given_for() -> None:
    _, expires_at = tokens(Clock()).issue(identity(NOW + timedelta(minutes=1)))

    assert expires_at == NOW + timedelta(minutes=1)


def test_a_token_that_is_over_changed_unsigned_or_of_another_key_is_not_believed() -> None:
    clock = Clock()
    text, _ = tokens(clock).issue(identity())
    head, body, signature = text.split(".")
    key = OctKey.import_key(derived(MASTER, "access token"))
    foreign = jwt.encode({"alg": "HS256"}, {"iss": "else", "sub": "user_x", "exp": 2**40}, key)
    late = Clock()
    late.now = NOW + timedelta(minutes=15)

    for reader, bad in [
        (tokens(late), text),
        (tokens(clock, b"x" * 32), text),
        (tokens(clock), f"{head}.{body}.{signature[::-1]}"),
        (tokens(clock), f"eyJhbGciOiJub25lIn0.{body}."),
        (tokens(clock), foreign),
        (tokens(clock), ""),
    ]:
        with pytest.raises(Unauthenticated):
            reader.read(bad)


def api_key(**changes: object) -> ApiKey:
    fields: dict[str, object] = {
        "id": ApiKeyId(uuid.uuid7()),
        "tenant_id": TENANT.id,
        "name": "ci",
        "role": Role.DEVELOPER,
        "secret_hash": digest("s_e-cret"),
        "created_at": NOW,
    }
    return ApiKey(**(fields | changes))  # pyright: ignore[reportArgumentType] -- a test names fields freely


def test_a_key_is_read_as_it_was_spelt() -> None:
    key = api_key()

    text = spell(key.id, "s_e-cret")

    assert text.startswith("weir_0")
    assert parse(text) == (key.id, "s_e-cret")


@pytest.mark.parametrize("text", ["", "weir_", "weir_abc", "weir_abc_", "eyJ.a.b", f"weir_{'0' * 25}u_x"])
def test_what_is_no_key_is_not_read_as_one(text: str) -> None:
    assert parse(text) is None


def test_a_key_holds_with_its_secret_until_it_ends_or_is_revoked() -> None:
    assert api_key().holds("s_e-cret", NOW)
    assert api_key(expires_at=NOW + timedelta(seconds=1)).holds("s_e-cret", NOW)
    assert not api_key().holds("another", NOW)
    assert not api_key(expires_at=NOW).holds("s_e-cret", NOW)
    assert not api_key(revoked_at=NOW).holds("s_e-cret", NOW)


def test_every_role_can_do_what_a_lesser_one_can() -> None:
    assert ROLES[Role.ADMIN] == frozenset(Permission)
    assert ROLES[Role.DEVELOPER] > ROLES[Role.SERVICE]
    assert ROLES[Role.DEVELOPER] > ROLES[Role.VIEWER]


def test_scopes_are_an_intersection() -> None:
    assert permissions_of(Role.VIEWER, ["workflow:read", "workflow:write"]) == {Permission.WORKFLOW_READ}
    assert permissions_of(Role.VIEWER, ["nonsense"]) == frozenset()


def test_ids_in_keys_are_the_typeids_shown_elsewhere() -> None:
    key_id = ApiKeyId(UUID("01890a5d-ac96-774b-bcce-b302099a8057"))

    assert spell(key_id, "x") == "weir_01h455vb4pex5vsknk084sn02q_x"
