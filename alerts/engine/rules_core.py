"""The rules core: assessments of one partition in, alert changes out, ticks and directives forwarded.

It decodes, moves time and hands each assessment to the alert engine. Time is cadence-invariant, as in assess: when the
watermark moves to X, every timer due at d <= X runs first, in order of (d, fingerprint), and what it emits carries d.
Composites are evaluated as the watermark passes the changes of their members. A replay has no watermark: there the
events are the time.
"""

from collections.abc import Iterable
from datetime import datetime
from itertools import repeat
from typing import Any

from alerts.engine.alert_engine import AlertEngine
from alerts.engine.change_events import SOURCE, AlertEvents
from alerts.engine.composite_evaluation import BY_TIME, Step
from alerts.engine.composite_members import forget_groups
from alerts.engine.engine_metrics import EngineMetrics
from alerts.engine.last_assessments import LastAssessments
from alerts.engine.rule_matcher import MatchedRules
from alerts.engine.rule_set_change import ClosedAlert, close_alert, close_alerts, read_rule_set, reschedule_alerts
from alerts.engine.rule_set_in_force import keep_refusal, rule_set_in_force, store_rule_set
from alerts.engine.rules_state import CLOCK_KEY, STATE_TYPES, RulesClock, alert_key, decode_state, encode_state
from alerts.engine.stalled_inputs import HOME_PARTITION
from alerts.lifecycle.advance import acknowledge
from alerts.lifecycle.alert_transitions import Reason
from alerts.lifecycle.evaluation import Alert
from alerts.rules.edits import edits_between
from alerts.rules.entities import Assessed, assessment_of_source
from alerts.rules.ruleset import Rules
from streams.contracts.assessments import ExposureAssessed, MeasureAssessed, RiskAssessed
from streams.contracts.codec import decode_event, read_envelope, risk_assessed_in
from streams.contracts.directive import DirectiveGiven
from streams.contracts.events import Event, Tick
from streams.contracts.indicators import IndicatorAssessed
from streams.contracts.reasons import DecodeError, RejectReason
from streams.runtime.event_items import refused_item
from streams.runtime.stage_ports import Admitted, DeadLetter, Outcome, StateStore, Steps, outcome_of

_EVENTS_IN_STEP = 16
"""Events between two moments at which other work of the process may run; rules take some 10 microseconds for one."""
_STEPS_IN_PART = 1_000_000
"""More than events in a record: steps of a later part of a record come after those of an earlier one."""

__all__ = ["CLOCK_KEY", "SOURCE", "STATE_TYPES", "RulesCore", "decode_state", "encode_state"]


class RulesCore:
    """Evaluate the rules for one partition. What the engine derives from the state is rebuilt here.

    `cached` false evaluates every rule on every assessment; the outcome is the same.
    """

    def __init__(
        self,
        *,
        partition: int,
        rules: Rules,
        store: StateStore,
        counts: EngineMetrics | None = None,
        cached: bool = True,
    ) -> None:
        self.partition = partition
        self.counts = counts or EngineMetrics()
        self._store = store
        self._cached = cached
        self._events = AlertEvents()
        self._last = LastAssessments(store)
        clock: RulesClock | None = store.get(CLOCK_KEY)
        self._now = clock.now if clock else None
        self._initial = rules
        self._watermark: datetime | None = None
        self._step: Step = BY_TIME
        self._put_in_force(rule_set_in_force(store.get, rules).rules)

    def _put_in_force(self, rules: Rules) -> None:
        self._engine = AlertEngine(
            partition=self.partition,
            rules=rules,
            store=self._store,
            metrics=self.counts,
            last_assessments=self._last,
            events=self._events,
            cached=self._cached,
        )
        self._hears_sources = bool(rules.on("source"))

    def process(self, admitted: Admitted) -> Outcome:
        """Take one record of `assessments`; deterministic in the state and the record."""
        return outcome_of(self.steps(admitted))

    def steps(self, admitted: Admitted) -> Steps:
        """Take one record event by event, then what fell due timer by timer: that of an hour may be due at once."""
        self._events.take()
        self._watermark = admitted.now
        dead: list[DeadLetter] = []
        before, items = self._now, admitted.items
        position, index = admitted.position + 1, 0
        first = admitted.part * _STEPS_IN_PART + 1
        for number, count in enumerate(admitted.item_counts or repeat(1, len(items)), first):
            self._step = (position, number)
            for index in range(index, index + count):  # noqa: B020 - it goes on where the last event ended
                raw = items[index]
                try:
                    envelope = read_envelope(raw)
                    assessed = risk_assessed_in(envelope)
                    if assessed is not None:
                        self._risk_assessed(assessed)
                    else:
                        self._take(decode_event(raw, envelope=envelope), raw)
                except DecodeError as error:
                    dead.append(refused_item(raw, error, index=index))
            index += 1
            if self._watermark is None and self._now is not None:
                self._engine.run_until(self._now)
            if number % _EVENTS_IN_STEP == 0:
                yield
        if admitted.now is not None and not admitted.more:
            while self._engine.run_next(admitted.now):
                yield
            self._now = admitted.now if self._now is None else max(self._now, admitted.now)
            if self.partition == HOME_PARTITION:
                self._engine.evaluate_inputs(admitted.stalled, at=admitted.now)
        self._engine.flush()
        self._last.flush()
        if self._now is not None and self._now != before:
            self._store.put(CLOCK_KEY, RulesClock(now=self._now))
        return Outcome(outputs=self._events.take(), dead_letters=dead)

    def _take(self, event: Event, raw: Any) -> None:
        data = event.data
        match data:
            case RiskAssessed():
                self._risk_assessed(data)
            case MeasureAssessed() | ExposureAssessed():
                self._assessed(data, self._advance(data.at))
            case IndicatorAssessed():
                self._advance(data.at)
            case Tick():
                self._advance(event.occurred_at)
                self._events.forward(raw)
            case DirectiveGiven():
                at = self._advance(event.recorded_at)
                match data.kind:
                    case "acknowledgement":
                        self._acknowledge(data, at=at)
                    case "rule_set":
                        self._change_rules(data, at=at)
                self._events.forward(raw)
            case _:
                raise DecodeError(
                    reason=RejectReason.WRONG_TOPIC, field="/type", detail=f"{event.type} is no assessment"
                )

    def _advance(self, to: datetime) -> datetime:
        """Let time pass before what happens at an instant, as far as the inputs have come. Return the instant of it."""
        watermark = self._watermark
        if watermark is None:  # a replay: the log itself is the time
            return self._pass_time(to)
        reached = min(watermark, to)
        if self._now is None or reached > self._now:
            self._pass_time(reached)
        return to

    def _pass_time(self, to: datetime) -> datetime:
        """Move `now` to an instant, handling what is due; time never goes back. Return `now`."""
        if self._now is not None and to <= self._now:
            return self._now
        self._engine.run_until(to)
        self._now = to
        return to

    def _risk_assessed(self, assessed: RiskAssessed) -> None:
        """Take an assessment of a material: by far the most of what comes."""
        at = self._advance(assessed.at)
        engine = self._engine
        matched = engine.matcher.of_risk(assessed)
        engine.evaluate(matched, assessed, at=at, step=self._step)
        if self._hears_sources:
            for source in assessed.sources:
                self._source_assessed(engine.matcher.of_source(matched, source, assessed), source, assessed, at=at)

    def _source_assessed(self, matched: MatchedRules, source: str, assessed: RiskAssessed, *, at: datetime) -> None:
        """Take the assessment of a source; a late one does not make it be heard of earlier."""
        newest_at = self._last.newest_at(matched.known_key)
        if newest_at is not None and newest_at > assessed.at:
            return
        if matched.matches:
            self._engine.evaluate(matched, assessment_of_source(source, assessed), at=at, step=self._step)
        else:
            self._last.put(matched.known_key, (source, assessed))

    def _assessed(self, assessed: Assessed, at: datetime) -> None:
        self._engine.evaluate(self._engine.matcher.of(assessed), assessed, at=at, step=self._step)

    def _acknowledge(self, directive: DirectiveGiven, *, at: datetime) -> None:
        fingerprint = directive.acknowledgement.fingerprint if directive.acknowledgement else directive.target
        prior: Alert | None = self._store.get(alert_key(fingerprint))
        rule = self._engine.rules.by_id.get(prior.rule) if prior is not None else None
        if prior is None or rule is None:
            return
        prior = self._engine.run_timers_of_alert(prior, at)
        by = None if directive.withdrawn or directive.acknowledgement is None else directive.acknowledgement.by
        alert = acknowledge(prior, rule.timing, by=by, at=at)
        if alert == prior:
            return
        self._engine.acknowledged(prior, alert, at=at)

    def _change_rules(self, directive: DirectiveGiven, *, at: datetime) -> None:
        """Put another rule set in force, here and now; alerts of rules that are gone or begin anew are closed."""
        try:
            rules = self._initial if directive.withdrawn else read_rule_set(directive)
        except DecodeError as error:
            keep_refusal(self._store, directive, reason=error.detail, at=at)
            raise
        self._engine.evaluate_queued_composites()
        edits = list(edits_between(self._engine.rules, rules))
        self._last.flush()
        self._closed(close_alerts(self._store, self._engine.rules, edits, partition=self.partition), at=at)
        store_rule_set(self._store, directive, at=at)
        reschedule_alerts(self._store, rules, edits, at=at)
        self._put_in_force(rules)
        touched = {edit.rule for edit in edits if edit.what != "removed"}
        fresh = {edit.rule for edit in edits if edit.what == "added" or edit.anew}
        matched = self._engine.reevaluate(touched, fresh, at=at, step=self._step)
        self._engine.evaluate_queued_composites()
        changed = {name for name in touched if rules.by_id[name].reads}
        ended = (
            close_alert(self._store, rules.by_id[alert.rule], alert, reason=Reason.RULE_CHANGED)
            for alert in self._alerts()
            if alert.rule in changed and alert.fingerprint not in matched
        )
        self._closed(ended, at=at)
        forget_groups(self._store)
        self._put_in_force(rules)
        above = {composite.id for name in touched for composite in rules.over(name)}
        self._engine.reevaluate_above(touched | above, self._alerts(), at=at, step=self._step)

    def _alerts(self) -> list[Alert]:
        return [value for _, value in sorted(self._store.items()) if isinstance(value, Alert)]

    def _closed(self, closed: Iterable[ClosedAlert | None], *, at: datetime) -> None:
        for end in closed:
            if end is not None:
                self.counts.moved(end.rule.id, end.alert.state)
                self._engine.emit(end.rule, end.told, end.alert, end.last, reason=end.reason, at=at)
