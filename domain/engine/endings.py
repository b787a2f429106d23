"""A graph is left before all of it has run: the execution stops, or one iteration is broken off."""

from datetime import datetime

from domain.engine.activation import Frame
from domain.engine.draft import Draft
from domain.engine.scopes import ROOT, Failure
from domain.engine.state import Lifecycle


def end(draft: Draft, failure: Failure | None, at: datetime) -> None:
    """Stop: nothing new starts, what is open is cancelled. Without a failure it is a cancellation."""
    if draft.lifecycle is not Lifecycle.RUNNING:
        return
    draft.lifecycle = Lifecycle.ENDING
    draft.failure = draft.failure or failure
    for path in list(draft.open):
        if path in draft.open:
            draft.cancel(path, at)


def break_off(frame: Frame, failure: Failure) -> None:
    """The iteration has failed: what still runs of it is cancelled."""
    frame.scope.failure = frame.scope.failure or failure
    for path in [path for path in frame.scope.paths if path in frame.draft.open]:
        frame.draft.cancel(path, frame.at)


def end_or_break_off(frame: Frame, failure: Failure) -> None:
    if frame.scope.prefix == ROOT:
        end(frame.draft, failure, frame.at)
    else:
        break_off(frame, failure)
