"""Which kind of object every id in the API names: changes when a field takes another id."""

from collections.abc import Mapping

from tests.api.schema_words import Place, Question, places, question

ANY = frozenset({"Query.node(id:)", "Query.nodes(ids:)"})
"""Those that take the id of anything."""

_COORDINATES = {
    "workflow": """
        Query.workflow(id:) Query.workflowDiff(id:) PublishRequestFilter.workflowId ExecutionFilter.workflowId
        DeadLetterFilter.workflowId Mutation.workflowDuplicate(id:) Mutation.workflowUpdate(id:)
        Mutation.workflowDelete(id:) Mutation.workflowPublish(id:) Mutation.workflowRollback(id:)
        Mutation.workflowSetStatus(id:) Mutation.workflowSetPublishRule(id:) Mutation.workflowPromote(id:)
        BranchCreateInput.workflowId ExecutionStartInput.workflowId TriggerCreateInput.workflowId
        TestCaseCreateInput.workflowId Mutation.testCaseRun(workflowId:) LoadRunStartInput.workflowId
        SplitStartInput.workflowId Mutation.executionsMigrate(workflowId:)""",
    "branch": """
        Query.branch(id:) WorkflowState.branch Mutation.branchUpdate(id:) Mutation.branchDelete(id:)
        Mutation.branchMerge(id:)""",
    "publishrequest": """
        Query.publishRequest(id:) Mutation.workflowPublishApprove(id:) Mutation.workflowPublishDecline(id:)
        Mutation.workflowPublishWithdraw(id:)""",
    "execution": """
        Query.execution(id:) ExecutionFilter.retryOf ExecutionFilter.parentId Query.expressionEvaluate(executionId:)
        FileFilter.executionId TaskFilter.executionId Query.testRun(ids:) Mutation.executionCancel(id:)
        Mutation.executionPause(id:) Mutation.executionResume(id:) Mutation.executionRetry(id:)
        Mutation.executionContinue(id:) Mutation.stepSkip(executionId:) Mutation.executionSetVariable(executionId:)
        Mutation.signalSend(executionId:) Mutation.deadLetterReplay(ids:) Mutation.deadLetterDismiss(ids:)
        Mutation.executionsMigrate(after:) Subscription.executionEvents(id:)""",
    "trigger": """
        Mutation.triggerUpdate(id:) Mutation.triggerEnable(id:) Mutation.triggerDisable(id:)
        Mutation.triggerDelete(id:)""",
    "connection": """
        Query.connection(id:) Mutation.connectionUpdate(id:) Mutation.connectionDelete(id:)
        Mutation.connectionTest(id:)""",
    "task": """
        Query.task(id:) Mutation.taskComplete(id:) Mutation.taskClaim(id:) Mutation.taskUnclaim(id:)
        Mutation.taskDelegate(id:) Mutation.taskEscalate(id:) Mutation.taskComment(id:)""",
    "file": "Query.file(id:) Mutation.fileDelete(id:)",
    "stream": "Query.stream(id:)",
    "split": "Query.split(id:) Mutation.splitChange(id:) Mutation.splitEnd(id:)",
    "testcase": """
        Query.testCase(id:) Mutation.testCaseUpdate(id:) Mutation.testCaseDelete(id:) Mutation.testCaseRun(ids:)""",
    "apikey": "Mutation.apiKeyRotate(id:) Mutation.apiKeyRevoke(id:)",
    "session": "Mutation.sessionRevoke(id:)",
    "loadrun": "Query.loadRun(id:) Mutation.loadRunCancel(id:)",
}
PREFIX: Mapping[str, str] = {
    coordinate: prefix for prefix, coordinates in _COORDINATES.items() for coordinate in coordinates.split()
}
"""The prefix of the ids that are taken there."""

OTHERS: Mapping[str, object] = {
    "Query.workflowDiff(from:)": {"draft": True},
    "Query.workflowDiff(to:)": {"draft": True},
    "Query.expressionEvaluate(path:)": "start",
    "Query.schedulePreview(cron:)": "0 0 * * *",
    "Query.schedulePreview(timeZone:)": "UTC",
    "Mutation.executionsMigrate(toVersion:)": 2,
    "Mutation.workflowImport(document:)": "{}",
    "Mutation.taskComment(text:)": "Seen",
    "Mutation.taskDelegate(to:)": "nobody@example.com",
    "TriggerCreateInput.type": "EVENT",
    "TriggerCreateInput.config": {"name": "order.paid"},
}
"""Arguments besides ids that are not left to their type, by coordinate: with any others it would not come to the id."""


def asked_with(operation: str, name: str, ids: Mapping[str, str]) -> Question:
    """The field with these ids, by prefix; with the first of its ids, be it optional or not."""
    return question(operation, name, given(ids), next((each for each in places(operation) if each.field == name), None))


def asked_at(place: Place, ids: Mapping[str, str], there: str) -> Question:
    """The field with one id at the place, these ids at others it needs."""
    return question(place.operation, place.field, {**given(ids), place.coordinate: there}, place)


def given(ids: Mapping[str, str]) -> Mapping[str, object]:
    """Values by coordinate; where any id may stand, a tenant's."""
    known = {coordinate: ids[prefix] for coordinate, prefix in PREFIX.items()} | dict.fromkeys(ANY, ids["tenant"])
    return {**known, **OTHERS}
