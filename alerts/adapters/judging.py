"""Judging the alerts of one partition: what rules say of what is known, what becomes of their alerts, and who hears it.

A judge belongs to one set of rules; heap, groups and counts are rebuilt from the state when it is made.
"""

from collections.abc import Callable
from datetime import datetime

import msgspec

from alerts.adapters.announcing import describe
from alerts.adapters.counting import RuleCounts
from alerts.adapters.due import DueInstants
from alerts.adapters.rules_state import alert_key, memory_key
from alerts.adapters.seats import Seat, SeatBook, Seats
from alerts.adapters.settlement import Settlement, as_told
from alerts.lifecycle.evaluation import Alert, Evaluation, Verdict
from alerts.lifecycle.life import FIRING_STATES, next_alert
from alerts.lifecycle.transitions import Reason
from alerts.rules.entities import Assessed, KnownEntity, SourceAssessed, labels_of
from alerts.rules.memory import RuleMemory
from alerts.rules.rule import changes_nothing
from alerts.rules.ruleset import Rule, Rules
from alerts.rules.wording import fingerprint_of
from streams.contracts.alert import AlertChanged
from streams.contracts.assessments import MeasureAssessed, RiskAssessed
from streams.runtime.ports import StateStore

_STALE = Evaluation(verdict=Verdict.STALE)
_FAILED = Evaluation(verdict=Verdict.ERROR)


class Judge:
    """The rules in force over one partition.

    `known` gives the last assessment of an entity by its kind and labels, `say` tells a change.
    """

    def __init__(
        self, *, partition: int, rules: Rules, store: StateStore, counts: RuleCounts,
        known: Callable[[str, dict[str, str]], Assessed | None], say: Callable[[AlertChanged], None],
    ) -> None:  # fmt: skip
        self.rules = rules
        self.due = DueInstants()
        self.seats = SeatBook(rules)
        self._store = store
        self._counts = counts
        self._known = known
        self._say = say
        self.settlement = Settlement(
            partition=partition, rules=rules, store=store, put=self.put, apply=self._apply, send=self.send,
            caught_up=self._caught_up, judge_opened=self._judge_opened,
        )  # fmt: skip
        for _, value in store.items():
            if isinstance(value, Alert) and value.rule in rules.by_id:
                if value.due_at is not None:
                    self.due.schedule(value.fingerprint, value.due_at)
                self.settlement.recall(value)

    def came_due(self, at: datetime, fingerprint: str) -> None:
        """Handle an alert whose instant has come."""
        alert: Alert | None = self._store.get(alert_key(fingerprint))
        if alert is None or alert.due_at is None or alert.rule not in self.rules.by_id:
            return
        if alert.due_at > at:
            self.due.schedule(fingerprint, alert.due_at)
        else:
            at = _not_before(alert, at)
            self.time_passed(alert, at)
            self.settlement.settle(at)

    def _caught_up(self, alert: Alert, at: datetime) -> Alert:
        """Let the time up to an instant pass for one alert, before what happens to it at that instant is judged."""
        while alert.due_at is not None and alert.due_at <= at:
            due = alert.due_at
            moment = _not_before(alert, due)
            self.time_passed(alert, moment)
            if self.settlement.is_open:
                self.settlement.settle(moment)
            after: Alert | None = self._store.get(alert_key(alert.fingerprint))
            if after is None or after.due_at == due:
                return after or alert
            alert = after
        return alert

    def time_passed(self, alert: Alert, at: datetime) -> None:
        """Evaluate an alert at an instant at which nothing but time has moved."""
        rule = self.rules.by_id[alert.rule]
        age = rule.timing.max_age
        if rule.reads_time:
            memory = self._memory(rule, alert.fingerprint)
            assessed = self._named(rule, alert.labels, memory)
            evaluation = self._evaluation(rule, assessed, at=at, prior=alert, memory=memory)
            self._apply(rule, alert, evaluation, at=at, assessed=assessed)
            return
        evaluation = alert.evaluation or Evaluation(verdict=Verdict.CLEAR)
        if age is not None and alert.seen_at is not None and at - alert.seen_at >= age:
            assessed = self._known(rule.on, alert.labels)
            evaluation = rule.stale(assessed, at=at) if assessed is not None else _STALE
        self._apply(rule, alert, evaluation, at=at, assessed=None)

    def put(self, alert: Alert) -> None:
        """Keep an alert; what was known of when it stays as it is holds no more."""
        self._store.put(alert_key(alert.fingerprint), alert)
        self.seats.disturb(alert.fingerprint)

    def meet(self, seats: Seats, assessed: Assessed, *, at: datetime) -> None:
        """Evaluate the rules of an entity that may change something."""
        if not seats.seats:
            return
        since, count = self._counts.stopwatch(), 0
        for seat in seats.seats:  # all timers of the entity first: a composite of its alerts must see them in order
            if seat.rule.shared or (seat.calm is not None and isinstance(assessed, RiskAssessed)):
                continue
            waits: Alert | None = self._store.get(seat.alert_key)
            if waits is not None and waits.due_at is not None and waits.due_at <= at:
                self._caught_up(waits, at)
        for seat in seats.seats:
            rule = seat.rule
            if seat.calm is not None and seat.calm.holds(assessed):  # type: ignore[arg-type]
                continue
            if isinstance(assessed, SourceAssessed):
                self._heard(seat, assessed)
                continue
            count += 1
            prior: Alert | None = self._store.get(seat.alert_key)
            moment = at
            if prior is not None:
                if prior.due_at is not None and prior.due_at <= at:
                    prior = self._caught_up(prior, at)
                moment = _not_before(prior, at)
            memory: RuleMemory | None = None
            if rule.keeps_memory:
                before = self._store.get(seat.memory_key)
                memory = self._observed(rule, before, assessed, at=at)
                if memory is not None and memory is not before:
                    self._store.put(seat.memory_key, memory)
            evaluation = self._evaluation(rule, assessed, at=moment, prior=prior, memory=memory)
            if rule.shared:
                if _may_change(rule, prior, evaluation):
                    self.settlement.open(rule, seat.labels, seat.fingerprint)
                continue
            stays = self._judged(rule, seat.labels, seat.fingerprint, prior, evaluation, at=moment, assessed=assessed)
            seat.note(assessed, evaluation, prior=prior, stays=stays)
        if self.settlement.is_open:
            self.settlement.settle(at)
        self._counts.evaluated(count, since=since)

    def _memory(self, rule: Rule, fingerprint: str) -> RuleMemory | None:
        memory: RuleMemory | None = self._store.get(memory_key(rule.id, fingerprint)) if rule.keeps_memory else None
        return memory

    def _named(self, rule: Rule, labels: dict[str, str], memory: RuleMemory | None) -> Assessed | None:
        known = self._known(rule.on, labels)
        return rule.named(known, memory) if rule.shared else known

    def _heard(self, seat: Seat, assessed: SourceAssessed) -> None:
        """Have what a source says decided for the alert that it shares."""
        labels, name = seat.labels, seat.fingerprint
        if len(labels) < len(known := labels_of(assessed)):
            labels, name = known, fingerprint_of(seat.rule.id, known)
        self.settlement.open(seat.rule, labels, name)

    def _judge_opened(self, rule: Rule, labels: dict[str, str], *, at: datetime) -> None:
        """Judge an alert on all that was said in an instant, by the source with these labels or by their group."""
        group = rule.identity(labels)
        if group is None:
            return  # the rule was changed within the instant and groups by other labels now
        fingerprint = fingerprint_of(rule.id, group)
        heard = self._known("source", labels) if rule.keeps_memory and "source" in rule.reads else None
        if heard is not None:
            memory = self._observed(rule, self._memory(rule, fingerprint), heard, at=at)
            if memory is not None:
                self._store.put(memory_key(rule.id, fingerprint), memory)
        self._judge_shared(rule, group, fingerprint, at=at)

    def _judge_shared(self, rule: Rule, labels: dict[str, str], fingerprint: str, *, at: datetime) -> None:
        prior: Alert | None = self._store.get(alert_key(fingerprint))
        if prior is not None:
            prior = self._caught_up(prior, at)
            at = _not_before(prior, at)
        memory = self._memory(rule, fingerprint)
        assessed = self._named(rule, labels, memory)
        now = self._evaluation(rule, assessed, at=at, prior=prior, memory=memory)
        self._judged(rule, labels, fingerprint, prior, now, at=at, assessed=assessed)

    def _evaluation(
        self, rule: Rule, assessed: Assessed | None, *, at: datetime, prior: Alert | None, memory: RuleMemory | None
    ) -> Evaluation:
        try:
            evaluation = rule.evaluate(assessed, at=at, prior=prior, memory=memory)
        except Exception:  # noqa: BLE001 - whatever a rule stumbles over, no record is refused for it
            evaluation = _FAILED  # figures of a size nobody thought of; a firing alert goes on firing
        if evaluation.verdict is Verdict.ERROR:
            self._counts.errors[rule.id] += 1
        if rule.texts.faults.count:
            self._counts.errors[rule.id] += rule.texts.faults.take()
        return evaluation

    def _observed(
        self, rule: Rule, before: RuleMemory | None, assessed: Assessed, *, at: datetime
    ) -> RuleMemory | None:  # fmt: skip
        try:
            return rule.observe(before, assessed, at=at)
        except Exception:  # noqa: BLE001 - as for an evaluation
            self._counts.errors[rule.id] += 1
            return before

    def _judged(
        self, rule: Rule, labels: dict[str, str], fingerprint: str, prior: Alert | None, now: Evaluation, *,
        at: datetime, assessed: Assessed | None,
    ) -> bool:  # fmt: skip
        """Apply an evaluation to an alert; tell whether it stays as it is, at this instant and any later one."""
        ages = rule.timing.max_age is not None
        if prior is None:
            if now.verdict is Verdict.UNKNOWN and now.level is None:
                return True  # what was never known is not lost: no_data is for facts that were there and went
            quiet = now.verdict is Verdict.CLEAR and now.next_at is None and not ages
            if quiet and (isinstance(assessed, MeasureAssessed) or rule.reads_time):
                return True
            prior = Alert(fingerprint=fingerprint, rule=rule.id, labels=labels)
            if quiet:
                self.put(prior)
                return False
        elif not ages and changes_nothing(prior, now):
            return True  # by far the most assessments
        if ages:
            prior = msgspec.structs.replace(prior, seen_at=at)
            self.put(prior)
        return self._apply(rule, prior, now, at=at, assessed=assessed)

    def _apply(self, rule: Rule, prior: Alert, now: Evaluation, *, at: datetime, assessed: Assessed | None) -> bool:
        """Apply an evaluation; tell whether the alert stays as it is, at this instant and any later one."""
        advance = next_alert(prior, now, rule.timing, at=at)
        alert = advance.next
        if alert != prior:
            alert = msgspec.structs.replace(alert, at=at)
            if (alert.state in FIRING_STATES) != (prior.state in FIRING_STATES):
                alert = self.settlement.limited(rule, prior, alert)
            self.put(alert)
            if alert.due_at is not None:  # also where it stays: it may be the instant that was just taken off the heap
                self.due.schedule(prior.fingerprint, alert.due_at)
            if alert.state is not prior.state:
                self._counts.moved(rule.id, alert.state)
                self.settlement.moved(prior, alert)
        elif not advance.changed:
            return alert.due_at is None and alert.waiting_since is None
        if not advance.changed or alert.held_from is not None:
            return False
        told = prior
        if prior.held_from is not None:  # it was held back: others know another state than the one it left
            told = as_told(prior)
            if told.state is alert.state:
                return False
        self.send(rule, told, alert, now, reason=advance.reason, at=at, assessed=assessed)
        return False

    def reconsider(self, touched: set[str], fresh: set[str], *, at: datetime) -> set[str]:
        """Evaluate rules that are new or changed on what is known of every entity; return whose alerts these are."""
        known = [(key, value.assessed) for key, value in self._store.items() if isinstance(value, KnownEntity)]
        met: set[str] = set()
        shared: dict[str, Seat] = {}
        for _, assessed in sorted(known, key=lambda entry: (entry[1].at, entry[0])):
            for seat in self.seats.of(assessed).seats:
                rule = seat.rule
                if rule.id not in touched:
                    continue
                met.add(seat.fingerprint)
                prior: Alert | None = self._store.get(seat.alert_key)
                memory = self._store.get(seat.memory_key) if rule.keeps_memory else None
                if rule.keeps_memory and rule.id in fresh:
                    memory = self._observed(rule, memory, assessed, at=assessed.at)
                    if memory is not None:
                        self._store.put(seat.memory_key, memory)
                age = rule.timing.resolve_after
                if prior is None and age is not None and at - assessed.at >= age:
                    continue  # news of before the rule that is old news by now
                if rule.shared:
                    shared[seat.fingerprint] = seat
                    continue
                now = self._evaluation(rule, assessed, at=at, prior=prior, memory=memory)
                self._judged(rule, seat.labels, seat.fingerprint, prior, now, at=at, assessed=assessed)
        for fingerprint, seat in sorted(shared.items()):
            self._judge_shared(seat.rule, seat.labels, fingerprint, at=at)
        return met

    def send(
        self, rule: Rule, prior: Alert, alert: Alert, now: Evaluation, *, reason: Reason, at: datetime,
        assessed: Assessed | None,
    ) -> None:  # fmt: skip
        """Say that an alert changed."""
        changed = describe(rule, prior, alert, now, reason=reason, at=at, assessed=assessed)
        if rule.texts.faults.count:
            self._counts.errors[rule.id] += rule.texts.faults.take()
        self._say(changed)


def _not_before(alert: Alert, at: datetime) -> datetime:
    """Return an instant, not before that of the last change of an alert: its log is in order."""
    return at if alert.at is None or alert.at <= at else alert.at


def _may_change(rule: Rule, prior: Alert | None, now: Evaluation) -> bool:
    """Tell whether judging a shared alert by an evaluation can change anything.

    Where the last event of an instant says no, so does all of the instant: what a shared alert is judged on is the same
    for both but for the assessment that is named.
    """
    ages = rule.timing.max_age is not None
    if prior is not None:
        return ages or not changes_nothing(prior, now)
    if now.verdict is Verdict.UNKNOWN and now.level is None:
        return False
    return ages or now.verdict is not Verdict.CLEAR or now.next_at is not None or not rule.reads_time
