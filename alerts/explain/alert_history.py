"""The life of one alert: every change, what was compared with what, and the events that caused it."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import msgspec

from alerts.rules.ruleset import Rules
from streams.contracts.alert import AlertChanged, AlertState, Severity
from streams.contracts.assessments import Fact
from streams.contracts.events import Event

_OPEN = frozenset({AlertState.FIRING, AlertState.CLEARING})


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One change in the life of an alert."""

    at: datetime
    from_state: AlertState = msgspec.field(name="from")
    to_state: AlertState = msgspec.field(name="to")
    severity: Severity | None
    step: str | None
    occasion: str
    summary: str
    values: dict[str, Fact]
    thresholds: dict[str, Fact]
    causes: tuple[str, ...]
    rule_hash: str


class CausingEvent(msgspec.Struct, frozen=True, kw_only=True):
    """An event behind an alert: who said it, when, and where it can be read; `None` where that is not known."""

    id: str
    source: str
    type: str
    subject: str
    occurred_at: datetime
    recorded_at: datetime
    said_by: str | None = None
    address: str | None = None
    row: str | None = None
    synthetic: bool = False


class AlertLife(msgspec.Struct, frozen=True, kw_only=True):
    """An alert so far. `edited`: the rule has been written anew since (`None`: the rule is not in the set any more).

    `fired_since` is when it began to fire, `None` where it does not; `causes` are the events behind the last change,
    `missing_causes` those that the recording does not hold.
    """

    fingerprint: str
    rule: str
    kind: str | None
    edited: bool | None
    labels: dict[str, str]
    state: AlertState
    severity: Severity | None
    fired_since: datetime | None
    summary: str
    description: str
    runbook: str | None
    values: dict[str, Fact]
    thresholds: dict[str, Fact]
    changes: tuple[Change, ...]
    causes: tuple[CausingEvent, ...]
    missing_causes: tuple[str, ...]


class UnknownAlertError(LookupError):
    """No alert, or more than one, has such a fingerprint; the message says which there are."""


def find_changes(log: Iterable[AlertChanged], fingerprint: str) -> list[AlertChanged]:
    """Return the changes of the one alert whose fingerprint begins so. Raise `UnknownAlertError`."""
    found = [change for change in log if change.fingerprint.startswith(fingerprint)]
    names = sorted({change.fingerprint for change in found})
    if len(names) == 1:
        return found
    if not names:
        raise UnknownAlertError(
            f"no alert has the fingerprint {fingerprint!r}: take one from `rules backtest --json` or `alerts list`; "
            "for what never fired use --not ENTITY RULE"
        )
    listed = ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
    raise UnknownAlertError(f"{len(names)} alerts have a fingerprint that begins with {fingerprint!r}: {listed}")


def causing_event(event: Event) -> CausingEvent:
    """Say who said an event."""
    provenance = getattr(event.data, "provenance", None)
    return CausingEvent(
        id=event.id,
        source=event.source,
        type=event.type,
        subject=event.subject,
        occurred_at=event.occurred_at,
        recorded_at=event.recorded_at,
        said_by=getattr(provenance, "source", None),
        address=getattr(provenance, "address", None),
        row=getattr(provenance, "row", None),
        synthetic=getattr(provenance, "synthetic", False),
    )


def life_of(changes: Sequence[AlertChanged], events: Iterable[Event], rules: Rules) -> AlertLife:
    """Explain an alert by its changes, oldest first (at least one), the recorded events, and the rules of today."""
    last = changes[-1]
    told = next((c for c in reversed(changes) if c.to_state in _OPEN), last)
    rule = rules.by_id.get(last.rule)
    wanted = set(last.causes)
    found = [causing_event(event) for event in events if event.id in wanted]
    return AlertLife(
        fingerprint=last.fingerprint,
        rule=last.rule,
        kind=getattr(rule, "kind", None),
        labels=last.labels,
        edited=None if rule is None else rule.hash != last.rule_hash,
        state=last.to_state,
        severity=last.severity,
        fired_since=_fired_since(changes),
        summary=last.summary,
        description=told.description,
        runbook=last.runbook,
        values=last.values,
        thresholds=last.thresholds or told.thresholds,
        changes=tuple(_change(c) for c in changes),
        causes=tuple(sorted(found, key=lambda e: (e.recorded_at, e.source, e.id))),
        missing_causes=tuple(sorted(wanted - {e.id for e in found})),
    )


def _fired_since(changes: Sequence[AlertChanged]) -> datetime | None:
    since: datetime | None = None
    for change in changes:
        if change.to_state is AlertState.OK:
            since = None
        elif change.to_state is AlertState.FIRING and since is None:
            since = change.at
    return since


def _change(change: AlertChanged) -> Change:
    return Change(
        at=change.at,
        from_state=change.from_state,
        to_state=change.to_state,
        severity=change.severity,
        step=change.step,
        occasion=change.occasion,
        summary=change.summary,
        values=change.values,
        thresholds=change.thresholds,
        causes=change.causes,
        rule_hash=change.rule_hash,
    )


def life_row(life: AlertLife) -> dict[str, Any]:
    """Return a life as plain data."""
    document: dict[str, Any] = msgspec.to_builtins(life)
    return document
