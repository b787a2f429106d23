"""One's own sessions: seen, ended, and what else ends them."""

from typing import Any

import httpx
import pytest

from domain.access import Role
from domain.ids import encode
from domain.tenancy import Tenant
from tests.api.application import Application, Caller
from tests.api.task_world import PASSWORD, Person, new_person

SESSIONS = "{ viewer { sessions { id createdAt lastUsedAt expiresAt address userAgent current } } }"
ERRORS = "errors { __typename message code path remedy }"
REVOKE = f"mutation ($id: ID!) {{ sessionRevoke(id: $id) {{ session {{ id current }} {ERRORS} }} }}"
REVOKE_OTHERS = f"mutation {{ sessionRevokeOthers {{ count {ERRORS} }} }}"
SET = f"""mutation ($current: String!, $new: String!) {{
  viewerSetPassword(current: $current, new: $new) {{ user {{ id }} {ERRORS} }} }}"""
NEW = "battery horse staple correct"


@pytest.fixture
async def ada(api: Application, http: httpx.AsyncClient, acme: Tenant) -> Person:
    return await new_person(api, http, acme, Role.VIEWER)


async def again(person: Person, agent: str = "curl/8", password: str = PASSWORD) -> Any:
    """The answer to the person's signing in once more."""
    fields = {"grant_type": "password", "username": person.email, "password": password}
    return (await person.http.post("/auth/token", data=fields, headers={"User-Agent": agent})).json()


async def listed(caller: Caller) -> Any:
    return (await caller.data(SESSIONS))["viewer"]["sessions"]


async def refreshes(person: Person, signed_in: Any) -> bool:
    fields = {"grant_type": "refresh_token", "refresh_token": signed_in["refresh_token"]}
    return (await person.http.post("/auth/token", data=fields)).status_code == 200


async def holds(person: Person, token: str) -> bool:
    answer = await person.http.post(
        "/graphql", json={"query": "{ viewer { role } }"}, headers={"Authorization": f"Bearer {token}"}
    )
    return answer.status_code == 200


async def test_sessions_are_listed_newest_first_with_where_they_were_used(ada: Person) -> None:
    other = await again(ada, "Browser\t/1 " + "x" * 400)

    newest, own = await listed(ada)

    assert (newest["address"], newest["userAgent"], newest["current"]) == ("127.0.0.1", "Browser/1 " + "x" * 290, False)
    assert own["current"]
    assert newest["createdAt"] == newest["lastUsedAt"] < newest["expiresAt"]
    assert await refreshes(ada, other)
    refreshed, _ = await listed(ada)
    assert refreshed["id"] == newest["id"]
    assert refreshed["lastUsedAt"] > newest["lastUsedAt"]
    assert refreshed["expiresAt"] > newest["expiresAt"]
    assert refreshed["userAgent"].startswith("python-httpx/")


async def test_an_ended_session_is_neither_listed_nor_refreshed_nor_believed(ada: Person) -> None:
    other = await again(ada)
    (session, _) = await listed(ada)

    answer = await ada.data(REVOKE, id=session["id"])
    repeated = await ada.data(REVOKE, id=session["id"])

    assert answer["sessionRevoke"] == {"session": {"id": session["id"], "current": False}, "errors": []}
    assert [each["__typename"] for each in repeated["sessionRevoke"]["errors"]] == ["NotFoundError"]
    assert [each["current"] for each in await listed(ada)] == [True]
    assert not await refreshes(ada, other)
    assert not await holds(ada, other["access_token"])


async def test_nobody_ends_the_session_of_somebody_else(
    api: Application, http: httpx.AsyncClient, ada: Person, developer: Caller
) -> None:
    bob = await new_person(api, http, ada.tenant, Role.ADMIN)
    (own,) = await listed(ada)

    answers = [await caller.data(REVOKE, id=own["id"]) for caller in (bob, developer)]

    assert [each["sessionRevoke"]["errors"][0]["code"] for each in answers] == ["NOT_FOUND"] * 2
    assert await listed(ada) == [own]
    assert await listed(developer) == []


async def test_all_others_are_ended_at_once(ada: Person) -> None:
    others = [await again(ada) for _ in range(2)]

    answer = await ada.data(REVOKE_OTHERS)

    assert answer["sessionRevokeOthers"] == {"count": 2, "errors": []}
    assert [each["current"] for each in await listed(ada)] == [True]
    assert [await refreshes(ada, each) for each in others] == [False, False]


async def test_another_password_ends_all_other_sessions(ada: Person) -> None:
    other = await again(ada)

    answer = await ada.data(SET, current=PASSWORD, new=NEW)

    assert answer["viewerSetPassword"] == {"user": {"id": ada.id}, "errors": []}
    assert [each["current"] for each in await listed(ada)] == [True]
    assert not await refreshes(ada, other)
    assert (await again(ada))["error"] == "invalid_grant"
    assert await refreshes(ada, await again(ada, password=NEW))


async def test_a_password_is_changed_only_by_who_knows_it_and_to_one_that_may_be_chosen(ada: Person) -> None:
    unfit = await ada.data(SET, current=PASSWORD, new="short")
    wrong = [await ada.data(SET, current="wrong", new=NEW) for _ in range(5)]
    slowed = await ada.data(SET, current=PASSWORD, new=NEW)

    assert unfit["viewerSetPassword"]["errors"] == [
        {
            "__typename": "ValidationError",
            "message": "The password is short and easy to guess",
            "code": "VALIDATION",
            "path": ["new"],
            "remedy": "Choose one of 12 characters or more, or one that is harder to guess.",
        }
    ]
    assert {(each["viewerSetPassword"]["errors"][0]["path"][0]) for each in wrong} == {"current"}
    assert slowed["viewerSetPassword"]["errors"][0]["code"] == "QUOTA_EXCEEDED"
    assert await refreshes(ada, await again(ada))


async def test_an_api_key_has_neither_sessions_nor_a_password(developer: Caller) -> None:
    others = await developer.data(REVOKE_OTHERS)
    password = await developer.data(SET, current=PASSWORD, new=NEW)

    assert others["sessionRevokeOthers"]["errors"][0]["message"] == "An API key has no sessions"
    assert password["viewerSetPassword"]["errors"][0]["message"] == "An API key has no password"
    assert await listed(developer) == []


async def test_a_session_of_another_kind_of_id_is_refused(ada: Person, acme: Tenant) -> None:
    answer = await ada.data(REVOKE, id=encode("tenant", acme.id))

    assert answer["sessionRevoke"]["errors"][0]["code"] == "INVALID_ID"
