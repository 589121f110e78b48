"""Backtest: recorded events through the same assess and rules cores that run live, in event time."""

from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta

import msgspec

from alerts.backtest.pipeline import PurePipeline, Watcher
from alerts.delivery.ledger import alert_row
from alerts.rules.ruleset import Rules
from streams.contracts.alert import AlertChanged
from streams.contracts.events import Event, family_of

_BATCH = 500


def in_order(event: Event) -> tuple[datetime, int, str, str, str]:
    """Order of admission, the same as that of a replay: policy and directives of an instant before its figures."""
    first = {"policy": 0, "directive": 1}.get(family_of(event.type), 2)
    return event.recorded_at, first, event.type, event.source, event.id


def _ordered(changes: Iterable[AlertChanged]) -> Iterator[AlertChanged]:
    """Put the changes of one instant in order of rule and fingerprint; `changes` never go back in time."""
    instant: list[AlertChanged] = []
    for change in changes:
        if instant and change.at != instant[0].at:
            yield from sorted(instant, key=lambda c: (c.rule, c.fingerprint))
            instant = []
        instant.append(change)
    yield from sorted(instant, key=lambda c: (c.rule, c.fingerprint))


Progress = Callable[[int, int], None]
"""Told how many events are done, and of how many."""


def _run(
    events: list[Event], *, until: datetime, road: PurePipeline, tick: timedelta | None, progress: Progress
) -> Iterator[AlertChanged]:
    next_tick = events[0].recorded_at if events else until
    batch: list[Event] = []
    for number, event in enumerate(events, 1):
        while tick is not None and next_tick < event.recorded_at:
            if batch:
                yield from road.take(batch)
                batch = []
            yield from road.tick(next_tick)
            next_tick += tick
        batch.append(event)
        if len(batch) == _BATCH:
            yield from road.take(batch)
            batch = []
            progress(number, len(events))
    if batch:
        yield from road.take(batch)
    progress(len(events), len(events))
    while tick is not None and next_tick < until:
        yield from road.tick(next_tick)
        next_tick += tick
    yield from road.tick(until)


def backtest(
    events: Iterable[Event],
    *,
    until: datetime,
    rules: Rules,
    tick: timedelta | None = None,
    progress: Progress = lambda _done, _all: None,
    watch: Watcher | None = None,
) -> Iterator[AlertChanged]:
    """Give the alert log of recorded events up to and including `until`, in order of (at, rule, fingerprint).

    `tick` puts ticks between the events; time is cadence-invariant, so none but the last changes the log. `watch` is
    shown what assess says. Raises `PipelineError` for an event that the road would refuse.
    """
    known = sorted((e for e in events if e.recorded_at <= until), key=in_order)
    yield from _ordered(_run(known, until=until, road=PurePipeline(rules, watch=watch), tick=tick, progress=progress))


def as_json_line(change: AlertChanged) -> bytes:
    """Return one JSON line of `rules backtest --json`; `at` is RFC 3339 in UTC."""
    row = alert_row(change)
    row["at"] = change.at.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return msgspec.json.encode(row)


def open_alerts(changes: Iterable[AlertChanged]) -> list[AlertChanged]:
    """Return the last change of every alert that is pending, firing or clearing, in order of (at, rule)."""
    last = {change.fingerprint: change for change in changes}
    still = [c for c in last.values() if c.to_state.value in ("pending", "firing", "clearing")]
    return sorted(still, key=lambda c: (c.at, c.rule, c.fingerprint))
