"""The shipped history in a stack: lived through once when the stack is new, afterwards only what is new in it.

What a stack has is asked of its broker each time it starts (`producers.held_events`), so that an interrupted start is
taken up where it stood. While the history is lived through, intake states no live time and the gateway is not up: an
event of today would move time past the history for good.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from enum import StrEnum
from pathlib import Path

import msgspec

from deploy.cli.demo_run import Progress
from deploy.stack.children import replaying_children
from deploy.stack.plan import BrokerKind, ChildSpec, StackPlan
from deploy.stack.stack_control import replace_children, up
from deploy.stack.stack_state import StackState
from producers.held_events import (
    digest_of_history,
    held_ids,
    is_noted_complete,
    note_complete,
    signals_time,
    wait_admitted,
)
from producers.history import read_history
from producers.replay import ReplaySettings, replay
from streams.contracts.events import Event
from streams.contracts.topics import DEFAULT_PREFIX
from streams.reference.editions import HISTORY_SOURCE
from streams.reference.loaders import HISTORY_DIRECTORY
from streams.runtime.clock import monotonic_seconds

WAIT_SECONDS = 60.0
FIRST = datetime(2023, 1, 1, tzinfo=UTC)
"""Where the progress of living through the history begins."""


class HistoryDecision(StrEnum):
    """What a start does with the shipped history, and why."""

    NOT_WANTED = "not_wanted"  # nobody asked for it, and the stack holds none of it
    REPLAY = "replay"  # the stack is new: it is lived through
    RESUME = "resume"  # living through it was interrupted: it goes on behind what the topics hold
    SEND_NEW = "send_new"  # the stack is live and lacks events of it: they are sent as news of today
    COMPLETE = "complete"  # the topics hold all of it


@dataclass(frozen=True, kw_only=True, slots=True)
class HeldHistory:
    """What the topics of a stack hold: ids of the history, and how its time is stated.

    `replayed_until` is the instant to which a replay has stated time in every partition, `None` when not at its end.
    """

    ids: Collection[str] = frozenset()
    is_live: bool = False
    replayed_until: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class HistoryReport:
    """What was decided and done; `sent` counts events."""

    decision: HistoryDecision
    sent: int = 0
    seconds: float = 0.0


def decide_history(*, shipped: Collection[str], held: HeldHistory, asked: bool, end: datetime) -> HistoryDecision:
    """Decide what a start does with the shipped history; `end` is where living through it would end."""
    if not held.ids:
        if not asked:
            return HistoryDecision.NOT_WANTED
        return HistoryDecision.SEND_NEW if held.is_live else HistoryDecision.REPLAY
    is_missing_some = any(name not in held.ids for name in shipped)
    if not held.is_live and (is_missing_some or held.replayed_until is None or held.replayed_until < end):
        return HistoryDecision.RESUME
    return HistoryDecision.SEND_NEW if is_missing_some else HistoryDecision.COMPLETE


def bring_up(
    run_directory: Path,
    live: StackPlan,
    *,
    asked: bool,
    until: date,
    directory: Path = HISTORY_DIRECTORY,
    progress: Progress = lambda _what, _share: None,
) -> tuple[StackState, HistoryReport]:
    """Start a stack in the background that has the history as far as it is to have it; return when it is live.

    `until` is the last day that is lived through. After an
    error some of the stack may run; whoever called stops it.
    """
    settings = ReplaySettings(
        directory=directory,
        until=until,
        bootstrap=live.bootstrap or "",
        prefix=live.topic_prefix or DEFAULT_PREFIX,
        idempotent=live.broker_kind is not BrokerKind.EMBEDDED,
        wait_seconds=WAIT_SECONDS,
    )
    events = [event for event in read_history(directory) if event.recorded_at <= settings.end]
    keeps = live.broker_kind.is_durable
    held = HeldHistory()
    if keeps:
        up(run_directory, msgspec.structs.replace(live, children=()))
        held = held_by(settings, events)
    start = replace_children if keeps else _up_with
    decision = decide_history(shipped=[e.id for e in events], held=held, asked=asked, end=settings.end)
    began = monotonic_seconds()
    sent = 0
    if decision in (HistoryDecision.REPLAY, HistoryDecision.RESUME):
        start(run_directory, live, replaying_children(live))
        if decision is HistoryDecision.RESUME:
            wait_admitted(settings.bootstrap, prefix=settings.prefix, seconds=WAIT_SECONDS)
        sent = _send(replace(settings, held=held.ids), progress)
        state = replace_children(run_directory, live, live.children)
    else:
        state = start(run_directory, live, live.children)
        if decision is HistoryDecision.SEND_NEW:
            sent = _send(replace(settings, held=held.ids, states_time=False), progress)
    if keeps and decision is not HistoryDecision.NOT_WANTED:
        note_complete(settings.bootstrap, prefix=settings.prefix, digest=digest_of_history(events))
    return state, HistoryReport(decision=decision, sent=sent, seconds=monotonic_seconds() - began)


def held_by(settings: ReplaySettings, events: Sequence[Event]) -> HeldHistory:
    """Ask the broker what of a history its topics hold; a history that is noted as sent is not looked for again."""
    bootstrap, prefix = settings.bootstrap, settings.prefix
    if is_noted_complete(bootstrap, prefix=prefix, digest=digest_of_history(events)):
        return HeldHistory(ids=frozenset(event.id for event in events), is_live=True)
    is_live, replayed_until = signals_time(bootstrap, prefix=prefix)
    ids = held_ids(bootstrap, prefix=prefix, source=HISTORY_SOURCE)
    return HeldHistory(ids=ids, is_live=is_live, replayed_until=replayed_until)


def _up_with(run_directory: Path, plan: StackPlan, children: Sequence[ChildSpec]) -> StackState:
    return up(run_directory, msgspec.structs.replace(plan, children=tuple(children)))


def _send(settings: ReplaySettings, progress: Progress) -> int:
    span_seconds = max((settings.end - FIRST).total_seconds(), 1.0)

    def moved(at: datetime) -> None:
        progress(f"replaying {at:%Y-%m}", min(max((at - FIRST).total_seconds() / span_seconds, 0.0), 1.0))

    return replay(settings, progress=moved).events
