"""Every mutation in the audit log: changes when what an entry says of a mutation does.

It goes around each field of the root type, so that a new mutation is recorded the day it appears. Of its arguments
only ids are written down: where the schema says `ID`, and what is a TypeID.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from inspect import isawaitable
from typing import Any, cast
from uuid import UUID

from graphql import GraphQLArgument, GraphQLID, GraphQLInputObjectType, get_named_type

from domain.audit import MAX_IDS, AuditObject
from domain.environments import NAME
from domain.errors import InvalidId
from domain.ids import PREFIXES, encode, split
from domain.json import as_list, as_object, is_list
from resolvers.audit import Act, Result, recorded
from schema.errors import Answer, Told

Resolve = Callable[..., Any]

_TOGETHER = """
    workflowCreate workflowDuplicate workflowUpdate workflowDelete workflowPublish workflowRollback workflowSetStatus
    workflowImport workflowPublishApprove workflowPublishDecline workflowPublishWithdraw workflowSetPublishRule
    tenantSetPublishRule workflowPromote branchCreate branchUpdate branchDelete branchMerge triggerCreate triggerUpdate
    triggerEnable triggerDisable triggerDelete connectionCreate connectionUpdate connectionDelete environmentCreate
    environmentUpdate environmentReorder environmentDelete splitStart splitChange splitEnd testCaseCreate testCaseUpdate
    testCaseDelete apiKeyCreate apiKeyRotate apiKeyRevoke
"""
TOGETHER = frozenset(_TOGETHER.split())
"""Those whose change and entry are one transaction: they write by the tenant's stores alone, ring at nobody, and wait
for nobody. The entry of any other follows what it did."""

_FIELD = re.compile("^(testCase|deadLetter|loadRun|apiKey|[a-z]+)(.*)$")


def audited(name: str, arguments: Mapping[str, GraphQLArgument], resolve: Resolve) -> Resolve:
    """The resolver of this mutation, with an entry for each call."""
    noun, action = action_of(name)

    async def answer(root: Any, info: Any, **given: Any) -> Any:
        async def work() -> Any:
            value = resolve(root, info, **given)
            return await value if isawaitable(value) else value

        act = Act(action=action, object=_named(noun, given), ids=tuple(_ids(arguments, given))[:MAX_IDS])
        return await recorded(
            info.context, act, work, result=lambda value: _result(noun, value), together=name in TOGETHER
        )

    return answer


def action_of(name: str) -> tuple[str, str]:
    """`workflow`, `workflow.setStatus` for `workflowSetStatus`."""
    found = _FIELD.match(name)
    noun, verb = found.groups() if found else (name, "")
    return noun, f"{noun}.{verb[:1].lower()}{verb[1:]}" if verb else noun


def _named(noun: str, given: Mapping[str, Any]) -> AuditObject | None:
    """What `id` names, whatever it is the id of; an environment, which has none, by its name."""
    if isinstance(text := given.get("id"), str) and (prefix := _prefix(text)):
        return AuditObject(type=prefix, id=text)
    if noun == "environment" and isinstance(name := given.get("name"), str) and NAME.fullmatch(name):
        return AuditObject(type=noun, id=name)
    return None


def _result(noun: str, value: object) -> Result:
    errors: Sequence[Told] = getattr(value, "errors", ())
    if errors:
        return Result(code=errors[0].code.value, partly=_did_something(value))
    if not isinstance(value, Answer):
        return Result()
    made: object = cast("Answer[object]", value).value
    made = getattr(made, noun, made)
    prefix, identity = noun.lower(), getattr(made, "id", None)
    if prefix not in PREFIXES or not isinstance(identity, UUID):
        return Result()
    return Result(object=AuditObject(type=prefix, id=encode(prefix, identity)))


def _did_something(value: object) -> bool:
    """Whether an answer for each of many has more than refusals."""
    parts = fields(value) if is_dataclass(value) else ()
    lists = (as_list(getattr(value, part.name)) for part in parts if part.name != "errors")
    return any(each is not None for many in lists for each in many)


def _ids(arguments: Mapping[str, GraphQLArgument], given: Mapping[str, Any]) -> Iterator[str]:
    for name, argument in arguments.items():
        yield from _ids_in(cast("Any", argument).type, given.get(name))


def _ids_in(kind: Any, value: Any) -> Iterator[str]:
    """The TypeIDs in a value of this GraphQL type, where the schema takes ids: user data may hold what it likes."""
    named = cast("object", cast("Any", get_named_type)(kind))
    if is_list(value):
        for element in as_list(value):
            yield from _ids_in(kind, element)
    elif named is GraphQLID:
        if isinstance(value, str) and _prefix(value):
            yield value
    elif isinstance(named, GraphQLInputObjectType):
        members = as_object(value)
        for name, field in named.fields.items():
            yield from _ids_in(field.type, members.get(name))


def _prefix(text: str) -> str | None:
    try:
        prefix, _ = split(text)
    except InvalidId:
        return None
    return prefix if prefix in PREFIXES else None
