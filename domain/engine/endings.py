"""A graph is left before all of it has run: the execution stops, or one iteration is broken off."""

from datetime import datetime

from domain.engine.activation import Frame
from domain.engine.draft import Draft
from domain.engine.scopes import ROOT, Failure
from domain.engine.state import Lifecycle


def end(draft: Draft, failure: Failure | None, at: datetime) -> None:
    """Stop: nothing new starts, what is open is cancelled or cut off. Without a failure it is a cancellation."""
    if draft.lifecycle is Lifecycle.ENDING and failure is None:
        for path in [path for path in draft.open if draft.steps[path].cut]:
            draft.cancel(path, at)
    if draft.lifecycle is not Lifecycle.RUNNING:
        return
    draft.lifecycle = Lifecycle.ENDING
    draft.failure = draft.failure or failure
    for path in list(draft.open):
        if path in draft.open and not (failure is not None and draft.steps[path].cut):
            (draft.cancel if failure is None else draft.cut_off)(path, at)


def break_off(frame: Frame, failure: Failure) -> None:
    """The iteration has failed: what still runs of it is cancelled or cut off."""
    frame.scope.failure = frame.scope.failure or failure
    for path in [path for path in frame.scope.paths if path in frame.draft.open]:
        if not frame.draft.steps[path].cut:
            frame.draft.cut_off(path, frame.at)


def end_or_break_off(frame: Frame, failure: Failure) -> None:
    if frame.scope.prefix == ROOT:
        end(frame.draft, failure, frame.at)
    else:
        break_off(frame, failure)
