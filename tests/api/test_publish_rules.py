"""Which workflows need two people to be published: said by the tenant, and by a workflow where it differs."""

import httpx
import pytest

from db.connections import EnginePool
from domain.access import Role
from domain.ids import encode
from tests.api.application import Caller, new_caller
from tests.api.change_world import PUBLISH, RULE, TENANT_RULE, run, says, told
from tests.api.operations import created


@pytest.fixture
async def admin(engine_pool: EnginePool, http: httpx.AsyncClient, developer: Caller) -> Caller:
    return await new_caller(engine_pool, http, developer.tenant, Role.ADMIN)


async def test_without_a_rule_one_person_publishes(developer: Caller) -> None:
    payload = await run(developer, PUBLISH, id=await created(developer, says("one")))

    assert (payload["version"], payload["request"]) == (
        {"number": 1, "publishedBy": encode("apikey", developer.key_id), "approvedBy": None},
        None,
    )


async def test_a_workflow_follows_its_tenant_unless_it_says_otherwise(admin: Caller, developer: Caller) -> None:
    workflow_id = await created(developer, says("one"))
    read = """query ($id: ID!) { publishRule { needsApproval tenant }
                workflow(id: $id) { publishRule { needsApproval workflow tenant } } }"""

    said = [
        (await run(admin, TENANT_RULE, needs=True))["rule"],
        (await run(admin, RULE, id=workflow_id, needs=False))["rule"],
        (await run(admin, RULE, id=workflow_id, needs=None))["rule"],
    ]
    shown = await developer.data(read, id=workflow_id)
    payload = await run(developer, PUBLISH, id=workflow_id)

    assert said == [
        {"needsApproval": True, "workflow": None, "tenant": True},
        {"needsApproval": False, "workflow": False, "tenant": True},
        {"needsApproval": True, "workflow": None, "tenant": True},
    ]
    assert shown == {
        "publishRule": {"needsApproval": True, "tenant": True},
        "workflow": {"publishRule": {"needsApproval": True, "workflow": None, "tenant": True}},
    }
    assert payload["request"]["status"] == "OPEN"


async def test_one_persons_publishing_after_the_rule_was_lifted_makes_the_request_void(
    admin: Caller, developer: Caller
) -> None:
    workflow_id = await created(developer, says("one"))
    await run(admin, RULE, id=workflow_id, needs=True)
    request = (await run(developer, PUBLISH, id=workflow_id))["request"]["id"]
    await run(admin, RULE, id=workflow_id, needs=False)

    published = await run(developer, PUBLISH, id=workflow_id)

    assert published["version"]["number"] == 1
    read = await developer.data("query ($id: ID!) { publishRequest(id: $id) { status } }", id=request)
    assert read == {"publishRequest": {"status": "VOID"}}


async def test_another_tenants_workflow_gets_no_rule_and_another_tenant_is_not_ruled(
    admin: Caller, stranger: Caller
) -> None:
    theirs = await created(stranger, says("one"))

    refused = await run(admin, RULE, id=theirs, needs=True)
    await run(admin, TENANT_RULE, needs=True)

    assert told(refused) == [("NotFoundError", ["id"])]
    assert (await run(stranger, PUBLISH, id=theirs))["version"]["number"] == 1
