"""The life of a trigger: create, change, enable, disable, delete; and what each type needs in its config."""

import re
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import assert_never

from domain.errors import Invalid, NotFound
from domain.ids import TriggerId, WorkflowId, encode
from domain.json import JSON, JSONObject
from domain.schedules import check_cron, zone_of
from domain.sources import Ids
from domain.starts import TriggerType
from domain.storable import checked
from domain.triggers import Trigger, TriggerKind, TriggerStore
from domain.workflows import WorkflowReader
from domain.workflows_edit import load as load_workflow

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
RESPONSES = ("immediate", "completed", "respond")
MAX_CONFIG_BYTES = 64 * 1024
_PATH = re.compile(r"[A-Za-z0-9._~-]+(/[A-Za-z0-9._~-]+)*")
_MAX_PATH = 200
_MAX_EVENT_NAME = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class NewTrigger:
    workflow_id: WorkflowId
    type: TriggerKind
    enabled: bool = True
    config: JSONObject = field(default_factory=dict[str, JSON])


async def load(trigger_id: TriggerId, store: TriggerStore) -> Trigger:
    """The trigger; raises NotFound."""
    found = await store.by_ids([trigger_id])
    if not found:
        raise NotFound("trigger", encode("trigger", trigger_id))
    return found[0]


async def create(
    new: NewTrigger, *, store: TriggerStore, workflows: WorkflowReader, ids: Ids, now: datetime
) -> Trigger:
    """Raises NotFound for the workflow, Invalid for the config, WebhookTaken."""
    await load_workflow(new.workflow_id, workflows)
    trigger = configured(
        Trigger(
            id=TriggerId(ids()),
            workflow_id=new.workflow_id,
            type=TriggerType(new.type.value),
            enabled=new.enabled,
            created_at=now,
            updated_at=now,
        ),
        new.config,
    )
    await store.insert(trigger)
    return trigger


async def update(
    trigger_id: TriggerId,
    config: JSONObject | None,
    enabled: bool | None,
    *,
    store: TriggerStore,
    now: datetime,
) -> Trigger:
    """None leaves a part as it is; a config is replaced whole. Raises NotFound, Invalid, WebhookTaken."""
    current = await load(trigger_id, store)
    changed = current if config is None else configured(current, config)
    changed = replace(changed, enabled=current.enabled if enabled is None else enabled)
    if changed == current:
        return current
    changed = replace(changed, updated_at=now)
    await store.save(changed)
    return changed


async def delete(trigger_id: TriggerId, *, store: TriggerStore) -> Trigger:
    """What was deleted; raises NotFound."""
    trigger = await load(trigger_id, store)
    if not await store.delete(trigger_id):
        raise NotFound("trigger", encode("trigger", trigger_id))
    return trigger


def configured(trigger: Trigger, config: JSONObject) -> Trigger:
    """The trigger with a checked config, defaults filled in; raises Invalid."""
    checked(config, "config", most=MAX_CONFIG_BYTES)
    match trigger.type:
        case TriggerType.WEBHOOK:
            method = _one_of(config, "method", METHODS, "POST", upper=True)
            path = _text(config, "path").strip("/")
            if len(path) > _MAX_PATH or not _PATH.fullmatch(path):
                raise Invalid(
                    f"{path[:60]!r} is no webhook path",
                    path=("config", "path"),
                    remedy="Use letters, digits and . _ ~ - in parts between slashes: orders/new.",
                )
            response = _one_of(config, "response", RESPONSES, "immediate")
            settled = {**config, "method": method, "path": path, "response": response}
            return replace(trigger, config=settled, method=method, path=path)
        case TriggerType.SCHEDULE:
            zone = _text(config, "timeZone", "UTC")
            cron = _text(config, "cron")
            return replace(trigger, config={**config, "cron": check_cron(cron), "timeZone": zone_of(zone).key})
        case TriggerType.EVENT:
            _text(config, "name")
            return replace(trigger, config=config)
        case TriggerType.DATA_CHANGE:
            return replace(trigger, config=config)
        case TriggerType.API | TriggerType.MANUAL | TriggerType.RETRY | TriggerType.PARENT | TriggerType.FAILURE:
            raise Invalid(f"{trigger.type.value} is no type of a trigger", path=("type",))
        case _:
            assert_never(trigger.type)


def _text(config: JSONObject, key: str, default: str | None = None) -> str:
    value = config.get(key, default)
    if not isinstance(value, str) or not 0 < len(value) <= _MAX_EVENT_NAME:
        raise Invalid(
            f"{key} is a text of 1 to {_MAX_EVENT_NAME} characters", path=("config", key), remedy=f"Give {key}."
        )
    return value


def _one_of(config: JSONObject, key: str, allowed: tuple[str, ...], default: str, *, upper: bool = False) -> str:
    value = config.get(key, default)
    text = value.upper() if upper and isinstance(value, str) else value
    if text not in allowed:
        raise Invalid(f"{key} is one of {', '.join(allowed)}", path=("config", key))
    return str(text)
