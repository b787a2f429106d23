"""How tests ask for branches, merges, differences and approvals: changes when the API's words for them change."""

from typing import Any

from tests.api.application import Caller
from tests.api.operations import ERRORS, graph

BRANCH = f"""branch {{ id name revision fromVersion authors mergedBy graph {{ nodes {{ id config }} }} }} {ERRORS}"""
CREATE_BRANCH = f"""mutation ($workflow: ID!, $name: String!, $version: Int) {{
  branchCreate(input: {{workflowId: $workflow, name: $name, fromVersion: $version}}) {{ {BRANCH} }} }}"""
UPDATE_BRANCH = f"""mutation ($id: ID!, $input: BranchUpdateInput!, $expected: Int) {{
  branchUpdate(id: $id, input: $input, expectedRevision: $expected) {{ {BRANCH} }} }}"""
DELETE_BRANCH = (
    f"mutation ($id: ID!, $expected: Int) {{ branchDelete(id: $id, expectedRevision: $expected) {{ {BRANCH} }} }}"
)
MERGE = f"""mutation ($id: ID!, $resolutions: [MergeResolution!], $expected: Int, $workflow: Int) {{
  branchMerge(id: $id, resolutions: $resolutions, expectedRevision: $expected, expectedWorkflowRevision: $workflow) {{
    workflow {{ revision authors graph {{ nodes {{ id config }} }} variables }}
    conflicts {{ path nodeId field base {{ present value }} draft {{ present value }} branch {{ present value }} }}
    {BRANCH} }} }}"""
UPDATE = f"""mutation ($id: ID!, $input: WorkflowUpdateInput!) {{
  workflowUpdate(id: $id, input: $input) {{ workflow {{ revision authors }} {ERRORS} }} }}"""
DRAFT = """query ($id: ID!) { workflow(id: $id) {
  revision variables graph { nodes { id config } edges { source target } } } }"""
REQUEST = "request { id status note authors requestedBy decidedBy comment contentHash version { number } }"
PUBLISH = f"""mutation ($id: ID!, $note: String) {{ workflowPublish(id: $id, note: $note) {{
  workflow {{ status activeVersion {{ number }} }} version {{ number publishedBy approvedBy }}
  {REQUEST} {ERRORS} }} }}"""
APPROVE = f"""mutation ($id: ID!, $comment: String) {{ workflowPublishApprove(id: $id, comment: $comment) {{
  workflow {{ status authors activeVersion {{ number }} }}
  version {{ number note publishedBy approvedBy contentHash }} {REQUEST} {ERRORS} }} }}"""
SIGNED = "signature { signedBy signedAt meaning hash algorithm } signatureHolds"
SIGN = f"""mutation ($id: ID!, $password: String!) {{ workflowPublishApprove(
  id: $id, comment: "fine", signature: {{password: $password}}) {{
    version {{ number approvedBy }} request {{ status decidedBy decidedAt contentHash {SIGNED} }} {ERRORS} }} }}"""
DECLINE = f"""mutation ($id: ID!, $comment: String) {{ workflowPublishDecline(id: $id, comment: $comment) {{
  {REQUEST} {ERRORS} }} }}"""
WITHDRAW = f"mutation ($id: ID!) {{ workflowPublishWithdraw(id: $id) {{ {REQUEST} {ERRORS} }} }}"
RULE = f"""mutation ($id: ID!, $needs: Boolean) {{ workflowSetPublishRule(id: $id, needsApproval: $needs) {{
  rule {{ needsApproval workflow tenant }} {ERRORS} }} }}"""
SIGNED_RULE = f"""mutation ($id: ID!, $needs: Boolean, $signature: Boolean) {{
  workflowSetPublishRule(id: $id, needsApproval: $needs, signature: $signature) {{
    rule {{ needsApproval signature workflowSignature tenantSignature }} {ERRORS} }} }}"""
SIGNED_TENANT_RULE = f"""mutation ($needs: Boolean!, $signature: Boolean!) {{
  tenantSetPublishRule(needsApproval: $needs, signature: $signature) {{
    rule {{ needsApproval signature workflowSignature tenantSignature }} {ERRORS} }} }}"""
TENANT_RULE = f"""mutation ($needs: Boolean!) {{ tenantSetPublishRule(needsApproval: $needs) {{
  rule {{ needsApproval workflow tenant }} {ERRORS} }} }}"""


async def run(caller: Caller, mutation: str, **variables: object) -> Any:
    """The payload of a mutation."""
    (payload,) = (await caller.data(mutation, **variables)).values()
    return payload


def told(payload: Any) -> list[tuple[str, list[str] | None]]:
    """Which errors, about what."""
    return [(error["__typename"], error["path"]) for error in payload["errors"]]


def says(message: str, *, more: bool = False) -> dict[str, Any]:
    """A graph with one log node `say`, and another one if `more`."""
    nodes = [{"id": "say", "kind": "log", "config": {"message": message}}]
    return graph(*nodes, *([{"id": "more", "kind": "log", "config": {"message": "more"}}] if more else []))


async def branched(caller: Caller, workflow_id: str, name: str = "feature", **given: Any) -> str:
    """The id of a new branch, changed by `given`."""
    payload = await run(caller, CREATE_BRANCH, workflow=workflow_id, name=name)
    assert payload["errors"] == []
    branch_id = payload["branch"]["id"]
    if given:
        assert (await run(caller, UPDATE_BRANCH, id=branch_id, input=given))["errors"] == []
    return branch_id


async def draft(caller: Caller, workflow_id: str) -> Any:
    return (await caller.data(DRAFT, id=workflow_id))["workflow"]
