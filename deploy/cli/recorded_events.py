"""What happened, for the commands that read it: the shipped history, a file somebody recorded, or the signals log."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import TYPE_CHECKING

from deploy.cli.output import EXIT_USAGE, fail
from streams.contracts.alert import AlertChanged
from streams.contracts.codec import decode_event
from streams.contracts.directive import DirectiveGiven
from streams.contracts.events import Event
from streams.contracts.reasons import DecodeError

if TYPE_CHECKING:
    from alerts.backtest.pipeline import Watcher
    from alerts.backtest.signals_backtest import SignalLog
    from alerts.rules.ruleset import Rules


@dataclass(frozen=True, kw_only=True, slots=True)
class LiveRoad:
    """Where the signals log of a running road is."""

    bootstrap: str
    prefix: str
    partitions: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Recording:
    """Recorded events up to `until`; with `signals` the log itself, whose order counts."""

    events: Sequence[Event]
    until: datetime
    signals: "SignalLog | None" = None

    @property
    def since(self) -> datetime | None:
        """When the first event was recorded."""
        return min((event.recorded_at for event in self.events), default=None)

    def alert_log(
        self,
        rules: "Rules",
        *,
        progress: Callable[[int, int], None] = lambda _done, _all: None,
        watch: "Watcher | None" = None,
        applied: bool = True,
    ) -> list[AlertChanged]:
        """Return what rules say about it, in order of (at, rule, fingerprint). Raise `PipelineError`.

        Sets of rules that were applied on the way take the place of `rules`, unless `applied` is false.
        """
        from alerts.backtest.run_backtest import backtest
        from alerts.backtest.signals_backtest import backtest_signals

        def keep(event: Event) -> bool:
            return applied or not (isinstance(event.data, DirectiveGiven) and event.data.kind == "rule_set")

        if self.signals is not None:
            return backtest_signals(self.signals, until=self.until, rules=rules, watch=watch, keep=keep)
        return list(backtest(filter(keep, self.events), until=self.until, rules=rules, progress=progress, watch=watch))

    def rules_at_end(self, initial: "Rules") -> "tuple[Rules, Event | None]":
        """Return the rules in force at `until` and the event that put them there; `None`: `initial`, none was applied.

        A set that the road refuses changes nothing, here as there.
        """
        from alerts.backtest.run_backtest import in_order
        from alerts.engine.rule_set_change import read_rule_set

        rules, given = initial, None
        for event in sorted(self.events, key=in_order):
            if not isinstance(event.data, DirectiveGiven) or event.data.kind != "rule_set":
                continue
            if event.data.withdrawn:
                rules, given = initial, None
                continue
            try:
                rules, given = read_rule_set(event.data), event
            except DecodeError:
                continue
        return rules, given


def load_events(origin: str) -> Sequence[Event]:
    """Load the shipped history (`history`) or a file of structured CloudEvents, one a line.

    A line that is no event ends the command: what a person computes on must be whole.
    """
    if origin == "history":
        from streams.reference import load_history

        events: Sequence[Event] = load_history()
        return events
    path = Path(origin)
    if not path.is_file():
        fail(f"--from {origin}: there is no such file", code=EXIT_USAGE, hint="use history, live, or a path")
    events = []
    with path.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                events.append(decode_event(line))
            except DecodeError as error:
                fail(f"{path}:{number}: {error}", hint="mend the line; `produce file` checks a whole file")
    return events


def load_recording(origin: str, *, until: date | None, live: Callable[[], LiveRoad]) -> Recording:
    """Load what `--from` names, to the end of the day `until`.

    Without a day the end is today, and for `live` the instant that the whole log has reached.
    """
    from streams.runtime.clock import utc_now

    end = datetime.combine(until, time(23, 59, 59), UTC) if until is not None else None
    if origin != "live":
        end = end or datetime.combine(utc_now().date(), time(23, 59, 59), UTC)
        return Recording(events=[e for e in load_events(origin) if e.recorded_at <= end], until=end)
    from kafka.errors import KafkaError

    from alerts.backtest.signals_backtest import end_of, events_of, without_idling
    from deploy.cli.pipeline_logs import read_signals

    road = live()
    try:
        log = read_signals(road.bootstrap, prefix=road.prefix, partitions=road.partitions)
    except KafkaError as error:
        fail(f"the broker at {road.bootstrap} does not answer: {error}", hint="start one with `monazite stack up`")
    log = {partition: without_idling(records) for partition, records in log.items()}
    if not any(log.values()):
        fail(f"the signals log of {road.prefix} is empty", hint="is this the right --prefix, and does intake run?")
    end = end or end_of(log) or utc_now()
    return Recording(events=[e for e in events_of(log) if e.recorded_at <= end], until=end, signals=log)
