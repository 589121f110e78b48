"""Run one test: the cores that run live, over states in memory, on the test's own clock."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from alerts.backtest.pipeline import PipelineError, PurePipeline
from alerts.backtest.run_backtest import in_order
from alerts.delivery.ledger import read_request
from alerts.notify.directive_requests import build_acknowledgement, directive_event
from alerts.rules.ruleset import Rules
from alerts.ruletest.case_inputs import Arrivals, InputError, arrivals
from alerts.ruletest.case_instants import InstantError, nth_instant, parse_instant, parse_start
from alerts.ruletest.compare import Failure, compare_alerts, compare_changes, compare_notices
from alerts.ruletest.observed import Notice
from alerts.ruletest.ruletest_specification import AcknowledgementSpec, RuleTestSpec
from streams.contracts.alert import AlertChanged, AlertState

MAX_TICKS = 200_000


@dataclass(frozen=True, kw_only=True, slots=True)
class TestRun:
    """What a test saw: failures, the whole alert log, and which rules fired."""

    __test__ = False
    failures: tuple[Failure, ...] = ()
    changes: tuple[AlertChanged, ...] = ()
    fired: frozenset[str] = field(default=frozenset())

    @property
    def passed(self) -> bool:
        """Tell whether everything was as expected."""
        return not self.failures


class _Clock:
    """Drives a road through the instants of a test and remembers what it says."""

    def __init__(self, rules: Rules) -> None:
        self.road = PurePipeline(rules, notify=True)
        self.changes: list[AlertChanged] = []
        self._open: dict[str, AlertChanged] = {}

    def _note(self, changes: Sequence[AlertChanged]) -> None:
        self.changes += changes
        for change in changes:
            self._open[change.fingerprint] = change

    def open_alerts(self) -> list[AlertChanged]:
        """Return the alerts that are not ok, in order of rule and labels."""
        still = [c for c in self._open.values() if c.to_state is not AlertState.OK]
        return sorted(still, key=lambda c: (c.rule, sorted(c.labels.items())))

    def tick(self, at: datetime) -> None:
        """Let time come to an instant."""
        self._note(self.road.tick(at))

    def arrive(self, what: Arrivals, at: datetime) -> None:
        """Let everything of an instant arrive: events in order of admission, assessments, acknowledgements."""
        if what.events:
            self._note(self.road.take(sorted(what.events, key=in_order)))
        if what.assessments:
            self._note(self.road.judge(what.assessments))
        for n, taken in enumerate(what.acknowledgements):
            self._acknowledge(taken, at, where=f"acknowledgements ({n + 1} at this instant)")

    def _acknowledge(self, taken: AcknowledgementSpec, at: datetime, *, where: str) -> None:
        found = [c for c in self.open_alerts() if c.rule == taken.rule and taken.labels.items() <= c.labels.items()]
        if len(found) != 1:
            raise InputError(where, f"finds {len(found)} open alerts of rule {taken.rule}: name labels of exactly one")
        directive = build_acknowledgement(found[0].fingerprint, by=taken.by)
        if taken.withdrawn:
            directive = type(directive)(kind=directive.kind, target=directive.target, by=taken.by, withdrawn=True)
        self._note(self.road.take([directive_event(directive, at=at)]))


def _ticks(start: datetime, *, interval: str, until: datetime) -> list[datetime]:
    made: list[datetime] = []
    for n in range(MAX_TICKS):
        at = nth_instant(start, step=interval, n=n)
        if at > until:
            return made
        made.append(at)
    raise InputError("interval", f"makes more than {MAX_TICKS} ticks until the end: use a longer one")


def run_test(test: RuleTestSpec, rules: Rules, *, start: datetime, interval: str, ticks: bool = True) -> TestRun:
    """Run a test that starts at `start`; `ticks=False` lets only the checks tick, which must change nothing.

    Raise `InputError` where the test itself cannot be.
    """
    try:
        return _run(test, rules, start=start, interval=interval, ticks=ticks)
    except (InstantError, PipelineError) as error:
        raise InputError("", str(error)) from error


def start_of(test: RuleTestSpec, *, default: str | int) -> datetime:
    """Return the instant at which a test starts. Raise `InputError`."""
    try:
        return parse_start(test.start if test.start is not None else default)
    except InstantError as error:
        raise InputError("start", str(error)) from error


def _run(test: RuleTestSpec, rules: Rules, *, start: datetime, interval: str, ticks: bool) -> TestRun:
    coming = arrivals(test, start=start, interval=interval)
    checks: dict[datetime, list[int]] = {}
    for n, check in enumerate(test.alerts):
        checks.setdefault(parse_instant(check.at, start=start), []).append(n)
    named = [parse_instant(change.at, start=start) for change in test.changes or ()]
    named += [parse_instant(notice.at, start=start) for notice in test.notifications or ()]
    ends = [parse_instant(test.until, start=start)] if test.until is not None else []
    until = max([start, *coming, *checks, *named, *ends])
    beats = set(_ticks(start, interval=interval, until=until)) if ticks else set()
    clock = _Clock(rules)
    failures: dict[int, list[Failure]] = {}
    for at in sorted({start, until, *coming, *checks, *beats}):
        if at in coming:
            clock.arrive(coming[at], at)
        if ticks or at in checks or at == until:
            clock.tick(at)
        for n in checks.get(at, ()):
            failures[n] = compare_alerts(test.alerts[n], clock.open_alerts(), about=test.about, start=start, at=at)
    told = [f for n in sorted(failures) for f in failures[n]]
    about = [c for c in clock.changes if not test.about or c.rule in test.about]
    if test.changes is not None:
        told += compare_changes(test.changes, about, start=start)
    if test.notifications is not None:
        told += compare_notices(test.notifications, _notices(clock.road, test), start=start)
    fired = frozenset(c.rule for c in clock.changes if c.to_state is AlertState.FIRING)
    return TestRun(failures=tuple(told), changes=tuple(clock.changes), fired=fired)


def _notices(road: PurePipeline, test: RuleTestSpec) -> list[Notice]:
    asked = {each.id for each in test.subscriptions}
    found = []
    for entry in road.deliveries:
        request = read_request(entry)
        if entry.state == "requested" and entry.subscription in asked and request is not None:
            notice = Notice.of(entry, request.body["data"])
            if not test.about or notice.rule in test.about:
                found.append(notice)
    return found
