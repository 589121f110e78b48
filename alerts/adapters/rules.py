"""The rules core: assessments of one partition in, alert changes out, ticks and directives forwarded.

Time is cadence-invariant, as in assess: when `now` moves to X, every deadline and timer due at d <= X is handled
first, in order of (d, fingerprint), and what it sends carries d. What depends on several alerts of one instant
(composites, limits) is settled when that instant is over, so that the order within it does not matter.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import msgspec

from alerts.adapters.announcing import SOURCE, describe, encode_change, untold
from alerts.adapters.counting import RuleCounts
from alerts.adapters.due import DueInstants
from alerts.adapters.in_force import (
    Closed,
    close_alert,
    close_alerts,
    read_rule_set,
    retime_alerts,
    rules_in_force,
    store_rule_set,
)
from alerts.adapters.rules_state import (
    CLOCK_KEY,
    STATE_TYPES,
    RulesClock,
    alert_key,
    decode_state,
    encode_state,
    known_key,
    memory_key,
)
from alerts.adapters.seats import Seat, SeatBook, Seats
from alerts.adapters.settlement import Settlement, as_told
from alerts.lifecycle.evaluation import Alert, Evaluation, Verdict
from alerts.lifecycle.life import FIRING_STATES, acknowledge, next_alert
from alerts.lifecycle.transitions import Reason
from alerts.rules.edits import edits_between
from alerts.rules.entities import Assessed, KnownEntity, heard_from, known_entity
from alerts.rules.memory import RuleMemory
from alerts.rules.rule import changes_nothing
from alerts.rules.ruleset import OVER_LIMIT, Rule, Rules
from streams.contracts.alert import AlertChanged
from streams.contracts.assessments import ExposureAssessed, MeasureAssessed, RiskAssessed
from streams.contracts.codec import decode_event
from streams.contracts.directive import DirectiveGiven
from streams.contracts.events import Event, Tick
from streams.contracts.indicators import IndicatorAssessed
from streams.contracts.reasons import DecodeError, RejectReason
from streams.runtime.ports import Admitted, DeadLetter, Outcome, StateStore

__all__ = ["CLOCK_KEY", "SOURCE", "STATE_TYPES", "RulesCore", "decode_state", "encode_state"]

_STALE = Evaluation(verdict=Verdict.STALE)
_FAILED = Evaluation(verdict=Verdict.ERROR)


class RulesCore:
    """Evaluate the rules for one partition. Heap, groups and counts are rebuilt from the state here."""

    def __init__(
        self, *, partition: int, rules: Rules, store: StateStore, counts: RuleCounts | None = None
    ) -> None:  # fmt: skip
        self.partition = partition
        self.counts = counts or RuleCounts()
        self._store = store
        self._outputs: list[bytes] = []
        clock: RulesClock | None = store.get(CLOCK_KEY)
        self._now = clock.now if clock else None
        self._initial = rules
        self._seen: dict[bytes, Assessed | tuple[str, RiskAssessed]] = {}
        self._put_in_force(rules_in_force(store.get, rules))

    def _put_in_force(self, rules: Rules) -> None:
        self._rules = rules
        self._due = DueInstants()
        self._seats = SeatBook(rules)
        self._settlement = Settlement(
            partition=self.partition, rules=rules, store=self._store, put=self._put, apply=self._apply, send=self._send,
            say=self._say,
        )  # fmt: skip
        self._hears_sources = bool(rules.on("source"))
        for _, value in self._store.items():
            if isinstance(value, Alert) and value.rule in rules.by_id:
                if value.due_at is not None:
                    self._due.schedule(value.fingerprint, value.due_at)
                self._settlement.recall(value)

    def process(self, admitted: Admitted) -> Outcome:
        """Take one record of `assessments`; deterministic in the state and the record."""
        self._outputs = []
        dead: list[DeadLetter] = []
        before = self._now
        for index, raw in enumerate(admitted.items):
            try:
                event = decode_event(raw)
                if isinstance(event.data, RiskAssessed):
                    self._risk_assessed(event.data)
                else:
                    self._take(event, raw)
            except DecodeError as error:
                dead.append(
                    DeadLetter(
                        value=bytes(raw), reason=error.reason.value, field=error.field, detail=error.detail, index=index
                    )
                )
        self._keep_seen()
        if self._now is not None and self._now != before:
            self._store.put(CLOCK_KEY, RulesClock(now=self._now))
        self._settlement.keep()
        return Outcome(outputs=self._outputs, dead_letters=dead)

    def _take(self, event: Event, raw: Any) -> None:
        data = event.data
        match data:
            case MeasureAssessed() | ExposureAssessed():
                self._assessed(data, self._advance(data.at))
            case IndicatorAssessed():
                self._advance(data.at)
            case Tick():
                self._advance(event.occurred_at)
                self._outputs.append(bytes(raw))
            case DirectiveGiven():
                self._advance(event.recorded_at)
                match data.kind:
                    case "acknowledgement":
                        self._acknowledge(data)
                    case "rule_set":
                        self._change_rules(data)
                self._outputs.append(bytes(raw))
            case _:
                raise DecodeError(
                    reason=RejectReason.WRONG_TOPIC, field="/type", detail=f"{event.type} is no assessment"
                )

    def _advance(self, to: datetime) -> datetime:
        """Move `now` to an instant, handling first what is due; time never goes back. Return `now`."""
        if self._now is not None and to <= self._now:
            return self._now
        while True:
            due_at = self._due.first_at()
            settle_at = self._settlement.at
            if settle_at is not None and settle_at < to and (due_at is None or settle_at < due_at):
                self._settlement.settle()
            elif due_at is not None and due_at <= to:
                self._came_due(*self._due.pop())
            else:
                break
        self._now = to
        return to

    def _came_due(self, at: datetime, fingerprint: str) -> None:
        alert: Alert | None = self._store.get(alert_key(fingerprint))
        if alert is None or alert.due_at is None or alert.rule not in self._rules.by_id:
            return
        if alert.due_at > at:
            self._due.schedule(fingerprint, alert.due_at)
        else:
            self._time_passed(alert, at)

    def _time_passed(self, alert: Alert, at: datetime) -> None:
        rule = self._rules.by_id[alert.rule]
        age = rule.timing.max_age
        if rule.reads_time:
            assessed = self._known(rule, alert.labels)
            memory = self._store.get(memory_key(rule.id, alert.fingerprint)) if rule.keeps_memory else None
            evaluation = self._evaluation(rule, assessed, at=at, prior=alert, memory=memory)
            self._apply(rule, alert, evaluation, at=at, assessed=assessed)
            return
        evaluation = alert.evaluation or Evaluation(verdict=Verdict.CLEAR)
        if age is not None and alert.seen_at is not None and at - alert.seen_at >= age:
            assessed = self._known(rule, alert.labels)
            evaluation = rule.stale(assessed, at=at) if assessed is not None else _STALE
        self._apply(rule, alert, evaluation, at=at, assessed=None)

    def _put(self, alert: Alert) -> None:
        """Keep an alert; what was known of when it stays as it is holds no more."""
        self._store.put(alert_key(alert.fingerprint), alert)
        self._seats.disturb(alert.fingerprint)

    def _keep_seen(self) -> None:
        """Put the last assessments of entities into the state, once a record or when one is needed."""
        for key, seen in self._seen.items():
            assessed = heard_from(*seen) if isinstance(seen, tuple) else seen
            self._store.put(key, known_entity(assessed))
        self._seen.clear()

    def _known(self, rule: Rule, labels: dict[str, str]) -> Assessed | None:
        self._keep_seen()
        known: KnownEntity | None = self._store.get(known_key(rule.on, labels))
        return known.assessed if known is not None else None

    def _risk_assessed(self, assessed: RiskAssessed) -> None:
        """Take an assessment of a material: by far the most of what comes."""
        at = self._advance(assessed.at)
        seats = self._seats.of_risk(assessed)
        self._seen[seats.known_key] = assessed
        if seats.calm is None or not seats.calm.holds(assessed):
            self._meet(seats, assessed, at=at)
            self._seats.join(seats, assessed)
        if self._hears_sources:
            for source in assessed.sources:
                heard = self._seats.of_source(seats, source, assessed)
                if heard.seats:
                    self._assessed(heard_from(source, assessed), at)
                else:
                    self._seen[heard.known_key] = (source, assessed)

    def _assessed(self, assessed: Assessed, at: datetime) -> None:
        seats = self._seats.of(assessed)
        self._seen[seats.known_key] = assessed
        self._meet(seats, assessed, at=at)

    def _meet(self, seats: Seats, assessed: Assessed, *, at: datetime) -> None:
        """Evaluate the rules of an entity that may change something."""
        if not seats.seats:
            return
        since, count = self.counts.stopwatch(), 0
        for seat in seats.seats:
            rule = seat.rule
            if seat.calm is not None and seat.calm.holds(assessed):  # type: ignore[arg-type]
                continue
            count += 1
            prior: Alert | None = self._store.get(seat.alert_key)
            memory: RuleMemory | None = None
            if rule.keeps_memory:
                before = self._store.get(seat.memory_key)
                memory = rule.observe(before, assessed, at=at)
                if memory is not None and memory is not before:
                    self._store.put(seat.memory_key, memory)
            evaluation = self._evaluation(rule, assessed, at=at, prior=prior, memory=memory)
            stays = self._judged(seat, prior, evaluation, at=at, assessed=assessed)
            seat.note(assessed, evaluation, prior=prior, stays=stays)
        self.counts.evaluated(count, since=since)

    def _evaluation(
        self, rule: Rule, assessed: Assessed | None, *, at: datetime, prior: Alert | None, memory: RuleMemory | None
    ) -> Evaluation:
        try:
            evaluation = rule.evaluate(assessed, at=at, prior=prior, memory=memory)
        except (ArithmeticError, ValueError, OverflowError):
            evaluation = _FAILED  # figures of a size nobody thought of; a firing alert goes on firing
        if evaluation.verdict is Verdict.ERROR:
            self.counts.errors[rule.id] += 1
        return evaluation

    def _judged(self, seat: Seat, prior: Alert | None, now: Evaluation, *, at: datetime, assessed: Assessed) -> bool:
        """Apply an evaluation to an alert; tell whether it stays as it is, at this instant and any later one."""
        rule = seat.rule
        ages = rule.timing.max_age is not None
        if prior is None:
            if now.verdict is Verdict.UNKNOWN and now.level is None:
                return True  # what was never known is not lost: no_data is for facts that were there and went
            quiet = now.verdict is Verdict.CLEAR and now.next_at is None and not ages
            if quiet and (isinstance(assessed, MeasureAssessed) or rule.reads_time):
                return True
            prior = Alert(fingerprint=seat.fingerprint, rule=rule.id, labels=seat.labels)
            if quiet:
                self._put(prior)
                return False
        elif not ages and changes_nothing(prior, now):
            return True  # by far the most assessments
        if ages:
            prior = msgspec.structs.replace(prior, seen_at=at)
            self._put(prior)
        return self._apply(rule, prior, now, at=at, assessed=assessed)

    def _apply(self, rule: Rule, prior: Alert, now: Evaluation, *, at: datetime, assessed: Assessed | None) -> bool:
        """Apply an evaluation; tell whether the alert stays as it is, at this instant and any later one."""
        advance = next_alert(prior, now, rule.timing, at=at)
        alert = advance.next
        if alert != prior:
            fires = alert.state in FIRING_STATES
            begins = fires and prior.state not in FIRING_STATES and rule.id != OVER_LIMIT
            if begins or (fires and prior.untold and advance.changed):
                said = untold(rule, prior, alert, now, reason=advance.reason, at=at, assessed=assessed)
                alert = msgspec.structs.replace(alert, untold=said)
            if fires != (prior.state in FIRING_STATES) or alert.level != prior.level:
                alert = self._settlement.limited(rule, prior, alert, at=at)
            self._put(alert)
            if alert.due_at is not None and alert.due_at != prior.due_at:
                self._due.schedule(prior.fingerprint, alert.due_at)
            if alert.state is not prior.state:
                self.counts.moved(rule.id, alert.state)
                self._settlement.moved(prior, alert, at=at)
        elif not advance.changed:
            return alert.due_at is None and alert.waiting_since is None
        if not advance.changed or alert.held_from is not None:
            return False
        told = prior
        if prior.held_from is not None:  # it was held back: others know another state than the one it left
            told = as_told(prior)
            if told.state is alert.state:
                return False
        self._send(rule, told, alert, now, reason=advance.reason, at=at, assessed=assessed)
        return False

    def _acknowledge(self, directive: DirectiveGiven) -> None:
        fingerprint = directive.acknowledgement.fingerprint if directive.acknowledgement else directive.target
        prior: Alert | None = self._store.get(alert_key(fingerprint))
        rule = self._rules.by_id.get(prior.rule) if prior is not None else None
        if prior is None or rule is None or self._now is None:
            return
        by = None if directive.withdrawn or directive.acknowledgement is None else directive.acknowledgement.by
        alert = acknowledge(prior, rule.timing, by=by, at=self._now)
        if alert == prior:
            return
        self._put(alert)
        if alert.due_at is not None:
            self._due.schedule(fingerprint, alert.due_at)
        if by is None and rule.reads_time:
            self._time_passed(alert, self._now)  # a repeat that fell due meanwhile is told now, once

    def _change_rules(self, directive: DirectiveGiven) -> None:
        """Put another rule set in force, here and now; alerts of rules that are gone or begin anew are closed."""
        assert self._now is not None
        rules = self._initial if directive.withdrawn else read_rule_set(directive)
        edits = list(edits_between(self._rules, rules))
        self._settlement.keep()
        self._keep_seen()
        self._closed(close_alerts(self._store, self._rules, edits, partition=self.partition))
        store_rule_set(self._store, directive, at=self._now)
        retime_alerts(self._store, rules, edits, at=self._now)
        self._put_in_force(rules)
        touched = {edit.rule for edit in edits if edit.what != "removed"}
        fresh = {edit.rule for edit in edits if edit.what == "added" or edit.anew}
        met = self._reconsider(touched, fresh, at=self._now)
        changed = {name for name in touched if rules.by_id[name].reads}
        self._closed(
            close_alert(self._store, rules.by_id[alert.rule], alert, reason=Reason.RULE_CHANGED)
            for alert in self._alerts()
            if alert.rule in changed and alert.fingerprint not in met
        )
        self._settlement.keep()
        self._put_in_force(rules)
        above = {composite.id for name in touched for composite in rules.over(name)}
        self._settlement.reopen(touched | above, self._alerts(), at=self._now)

    def _alerts(self) -> list[Alert]:
        return [value for _, value in sorted(self._store.items()) if isinstance(value, Alert)]

    def _closed(self, closed: Iterable[Closed | None]) -> None:
        assert self._now is not None
        for end in closed:
            if end is not None:
                self.counts.moved(end.rule.id, end.alert.state)
                self._send(end.rule, end.told, end.alert, end.last, reason=end.reason, at=self._now, assessed=None)

    def _reconsider(self, touched: set[str], fresh: set[str], *, at: datetime) -> set[str]:
        """Evaluate rules that are new or changed on what is known of every entity; return whose alerts these are."""
        known = [(key, value.assessed) for key, value in self._store.items() if isinstance(value, KnownEntity)]
        met: set[str] = set()
        for _, assessed in sorted(known, key=lambda entry: (entry[1].at, entry[0])):
            for seat in self._seats.of(assessed).seats:
                rule = seat.rule
                if rule.id not in touched:
                    continue
                met.add(seat.fingerprint)
                prior: Alert | None = self._store.get(seat.alert_key)
                memory = self._store.get(seat.memory_key) if rule.keeps_memory else None
                if rule.keeps_memory and rule.id in fresh:
                    memory = rule.observe(memory, assessed, at=assessed.at)
                    if memory is not None:
                        self._store.put(seat.memory_key, memory)
                age = rule.timing.resolve_after
                if prior is None and age is not None and at - assessed.at >= age:
                    continue  # news of before the rule that is old news by now
                now = self._evaluation(rule, assessed, at=at, prior=prior, memory=memory)
                self._judged(seat, prior, now, at=at, assessed=assessed)
        return met

    def _send(
        self, rule: Rule, prior: Alert, alert: Alert, now: Evaluation, *, reason: Reason, at: datetime,
        assessed: Assessed | None,
    ) -> None:  # fmt: skip
        changed = describe(rule, prior, alert, now, reason=reason, at=at, assessed=assessed)
        self._say(changed)

    def _say(self, changed: AlertChanged) -> None:
        self._outputs.append(encode_change(changed))
