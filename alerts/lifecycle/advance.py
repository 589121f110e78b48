"""One step in the life of an alert: `(prior, evaluation, timing, at) -> next and reason`, pure, in event time."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType

import msgspec

from alerts.lifecycle.alert_transitions import GAPS, ROWS_OF, Guard, Reason, TransitionRow
from alerts.lifecycle.evaluation import Alert, Evaluation, MissingPolicy, Timing, Verdict
from streams.contracts.alert import AlertState

_TOLD_IN_PLACE = frozenset({Reason.STEPPED_UP, Reason.STEPPED_DOWN, Reason.OCCASION_CHANGED, Reason.REPEATED})
SETTLED = frozenset({AlertState.OK, AlertState.NO_DATA, AlertState.STALE, AlertState.ERROR})
"""States in which an alert is not about anything."""
FIRING_STATES = frozenset({AlertState.FIRING, AlertState.CLEARING})
"""States in which an alert fires, for those who read it."""
_AGEING = frozenset({AlertState.OK, AlertState.PENDING, AlertState.CLEARING})
"""States that rest on facts known to be so: what is firing, or marked already, gains nothing from being marked."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Advance:
    """What became of an alert: the next value, whether it changed for others to know, and why."""

    next: Alert
    changed: bool
    reason: Reason


def _rank(prior: Alert) -> int:
    return prior.level.rank if prior.level else -1


def _waited(prior: Alert, at: datetime, needed: timedelta) -> bool:
    return prior.waiting_since is not None and at - prior.waiting_since >= needed


def _lower(prior: Alert, now: Evaluation) -> bool:
    return now.level is not None and now.level.rank < _rank(prior)


def _lower_kept(prior: Alert, now: Evaluation, timing: Timing, at: datetime) -> bool:
    return _lower(prior, now) and (not timing.keep_firing_for or _waited(prior, at, timing.keep_firing_for))


def _expired(prior: Alert, _: Evaluation, timing: Timing, at: datetime) -> bool:
    return (
        timing.resolve_after is not None and prior.fired_at is not None and at - prior.fired_at >= timing.resolve_after
    )


def _flaps(prior: Alert, _: Evaluation, timing: Timing, at: datetime) -> bool:
    flap = timing.flap
    return flap is not None and len(prior.fired) >= flap.times and at - prior.fired[-flap.times] <= flap.within


def _keep_time(prior: Alert, timing: Timing) -> timedelta:
    if prior.damped and timing.flap is not None:
        return max(timing.keep_firing_for, timing.flap.within)
    return timing.keep_firing_for


_GUARDS: Mapping[Guard, Callable[[Alert, Evaluation, Timing, datetime], bool]] = MappingProxyType(
    {
        Guard.ALWAYS: lambda *_: True,
        Guard.WAITS: lambda _prior, _now, timing, _at: bool(timing.for_),
        Guard.HELD: lambda prior, _now, timing, at: _waited(prior, at, timing.for_),
        Guard.KEEPS: lambda _prior, _now, timing, _at: bool(timing.keep_firing_for),
        Guard.KEPT: lambda prior, _now, timing, at: _waited(prior, at, _keep_time(prior, timing)),
        Guard.FLAPS: _flaps,
        Guard.KEEPS_MISSING: lambda _prior, _now, timing, _at: timing.missing is MissingPolicy.KEEP,
        Guard.EXPIRED: _expired,
        Guard.HIGHER: lambda prior, now, _timing, _at: now.level is not None and now.level.rank > _rank(prior),
        Guard.LOWER: lambda prior, now, _timing, _at: _lower(prior, now),
        Guard.LOWER_KEPT: _lower_kept,
        Guard.NEW_OCCASION: lambda prior, now, _timing, _at: now.occasion != prior.occasion,
        Guard.REPEATS: lambda prior, now, _timing, _at: now.repeat > prior.repeat and prior.acknowledged_by is None,
    }
)


def under_policy(now: Evaluation, prior: Alert | None, timing: Timing) -> Evaluation:
    """Apply what a rule wants missing or stale facts to do, where the alert does not fire.

    `alert`: they count as met, at the level for it. `ok`: as not met. `keep`: what was ok stays ok, what waits goes on
    waiting. `mark`: the states no_data and stale say so. A firing alert keeps firing under every policy.
    """
    state = prior.state if prior is not None else AlertState.OK
    if now.verdict not in (Verdict.UNKNOWN, Verdict.STALE) or state in FIRING_STATES:
        return now
    match timing.missing:
        case MissingPolicy.ALERT:
            return msgspec.structs.replace(now, verdict=Verdict.MET, level=timing.missing_level)
        case MissingPolicy.OK:
            return msgspec.structs.replace(now, verdict=Verdict.CLEAR)
        case MissingPolicy.KEEP if state is AlertState.OK:
            return msgspec.structs.replace(now, verdict=Verdict.HOLD)
        case _:
            return now


def _due_at(alert: Alert, now: Evaluation, timing: Timing, *, after: datetime) -> datetime | None:
    """Find the next instant at which time alone changes this alert."""
    due = []
    acknowledged_repeat = alert.acknowledged_by is not None and alert.state is AlertState.FIRING and now.repeat > 0
    if now.next_at is not None and not acknowledged_repeat:
        due.append(now.next_at)
    if alert.waiting_since is not None:
        if alert.state is not AlertState.PENDING:
            due.append(alert.waiting_since + _keep_time(alert, timing))
        elif now.verdict is Verdict.MET:
            due.append(alert.waiting_since + timing.for_)
    if timing.max_age is not None and alert.seen_at is not None and alert.state in _AGEING:
        stale_at = alert.seen_at + timing.max_age
        if stale_at > after:
            due.append(stale_at)
    if timing.resolve_after is not None and alert.fired_at is not None and alert.state is AlertState.FIRING:
        due.append(alert.fired_at + timing.resolve_after)
    return min(due) if due else None


def _waiting_since(prior: Alert, to: AlertState, reason: Reason, at: datetime) -> datetime | None:
    waits = to in (AlertState.PENDING, AlertState.CLEARING) or reason is Reason.WAITING_TO_STEP_DOWN
    if not waits:
        return None
    return prior.waiting_since if prior.waiting_since is not None and prior.state is to else at


def next_alert(prior: Alert, now: Evaluation, timing: Timing, *, at: datetime) -> Advance:
    """Apply an evaluation at `at` to an alert.

    `changed` is true when the state moved, the step moved, the occasion is another one, or a repeat is due. While
    firing, the level and occasion told last are kept until a row tells new ones.
    """
    now = under_policy(now, prior, timing)
    row = next(r for r in ROWS_OF[prior.state, now.verdict] if _GUARDS[r.guard](prior, now, timing, at))
    changed = row.to is not prior.state or row.reason in _TOLD_IN_PLACE
    alert = msgspec.structs.replace(
        prior,
        state=row.to,
        waiting_since=_waiting_since(prior, row.to, row.reason, at),
        damped=row.reason is Reason.DAMPED or (prior.damped and row.to is AlertState.CLEARING),
        fired=_fired(prior, row, timing, at),
    )
    if row.to in SETTLED:
        alert = msgspec.structs.replace(
            alert, level=None, occasion="", repeat=0, fired_at=None, acknowledged_by=None, evaluation=None
        )
    elif _tells(now, changed=changed, reason=row.reason):
        starts = row.reason is not Reason.MET_AGAIN and (
            row.to is not prior.state or row.reason is Reason.OCCASION_CHANGED
        )
        alert = _told(alert, now, starts=starts, at=at)
    else:
        alert = msgspec.structs.replace(alert, evaluation=_remembered(alert, now))
    kept = alert.evaluation or now
    return Advance(
        next=msgspec.structs.replace(
            alert, due_at=_due_at(alert, kept if row.to not in SETTLED else now, timing, after=at)
        ),
        changed=changed,
        reason=row.reason,
    )


def _fired(prior: Alert, row: TransitionRow, timing: Timing, at: datetime) -> tuple[datetime, ...]:
    """Remember when it began to fire, as often as flap damping counts; a gap while clearing is no beginning."""
    if timing.flap is None:
        return ()
    begins = row.to is AlertState.FIRING and row.reason is not Reason.KEPT_THROUGH_GAP
    if begins and prior.state is not AlertState.FIRING:
        return (*prior.fired, at)[-timing.flap.times :]
    return prior.fired


def _tells(now: Evaluation, *, changed: bool, reason: Reason) -> bool:
    """Tell whether the level and occasion of this evaluation become those of the alert."""
    if not changed or now.verdict is not Verdict.MET or now.level is None:
        return False
    return reason is not Reason.WAITING_TO_STEP_DOWN


def _remembered(alert: Alert, now: Evaluation) -> Evaluation:
    """Return what to evaluate again when only time passes.

    Unknown facts are remembered as "neither met nor over", so that a timer which runs out in a gap resolves nothing.
    What is over keeps the texts and values of the time when it was met.
    """
    before = alert.evaluation or now
    if now.verdict is Verdict.MET:
        waits = alert.waiting_since is not None or before.verdict is not Verdict.MET
        return now if waits or now.next_at != before.next_at else before
    verdict = now.verdict
    if verdict in GAPS and alert.state is not AlertState.PENDING:
        verdict = Verdict.HOLD
    return msgspec.structs.replace(before, verdict=verdict, next_at=now.next_at)


def _told(alert: Alert, now: Evaluation, *, starts: bool, at: datetime) -> Alert:
    return msgspec.structs.replace(
        alert,
        level=now.level,
        occasion=now.occasion,
        repeat=now.repeat,
        fired_at=at if starts and alert.state is AlertState.FIRING else alert.fired_at,
        acknowledged_by=None,
        evaluation=now,
    )


def rescheduled(alert: Alert, timing: Timing, *, at: datetime) -> Alert:
    """Count the timers of an alert anew after its rule's waits changed; what would be over already is due now."""
    if alert.state in SETTLED or alert.evaluation is None:
        return alert
    due_at = _due_at(alert, alert.evaluation, timing, after=at)
    return msgspec.structs.replace(alert, due_at=max(due_at, at) if due_at is not None else None)


def acknowledge(prior: Alert, timing: Timing, *, by: str | None, at: datetime) -> Alert:
    """Record who has taken a firing alert (`None` takes it back); its repeats stop, everything else goes on."""
    if prior.state is not AlertState.FIRING or prior.acknowledged_by == by:
        return prior
    alert = msgspec.structs.replace(prior, acknowledged_by=by)
    now = alert.evaluation or Evaluation(verdict=Verdict.MET)
    return msgspec.structs.replace(alert, due_at=_due_at(alert, now, timing, after=at))
