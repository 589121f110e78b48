"""The rules core: assessments of one partition in, alert changes out, ticks and directives forwarded.

An alert is told at once, in the order of the log. Time is cadence-invariant, as in assess: when the watermark moves to
X, every deadline and timer due at d <= X is handled first, in order of (d, fingerprint), and what it sends carries d.
Composites are decided as the watermark passes what happened to their members. A replay has no watermark: there the
events are the time.
"""

from collections.abc import Iterable
from datetime import datetime
from itertools import repeat
from typing import Any

import msgspec

from alerts.engine.alert_engine import AlertEngine
from alerts.engine.change_events import SOURCE, encode_change
from alerts.engine.composite_evaluation import BY_TIME, Step
from alerts.engine.composite_members import forget_groups
from alerts.engine.engine_metrics import EngineMetrics
from alerts.engine.rule_matcher import MatchedRules
from alerts.engine.rule_set_change import (
    ClosedAlert,
    close_alert,
    close_alerts,
    read_rule_set,
    reschedule_alerts,
)
from alerts.engine.rule_set_in_force import keep_refusal, rule_set_in_force, store_rule_set
from alerts.engine.rules_state import (
    CLOCK_KEY,
    STATE_TYPES,
    RulesClock,
    alert_key,
    decode_state,
    encode_state,
    known_key,
)
from alerts.engine.stalled_inputs import HOME_PARTITION
from alerts.lifecycle.advance import acknowledge
from alerts.lifecycle.alert_transitions import Reason
from alerts.lifecycle.evaluation import Alert
from alerts.rules.edits import edits_between
from alerts.rules.entities import Assessed, KnownEntity, heard_from, known_entity
from alerts.rules.ruleset import Rules
from streams.contracts.alert import AlertChanged
from streams.contracts.assessments import ExposureAssessed, MeasureAssessed, RiskAssessed
from streams.contracts.codec import decode_event, read_envelope, risk_assessed_in
from streams.contracts.directive import DirectiveGiven
from streams.contracts.events import Event, Tick
from streams.contracts.indicators import IndicatorAssessed
from streams.contracts.reasons import DecodeError, RejectReason
from streams.runtime.stage_ports import Admitted, DeadLetter, Outcome, StateStore, Steps, outcome_of

_EVENTS_IN_STEP = 16
"""Events between two moments at which other work of the process may run; rules take some 10 microseconds for one."""
_STEPS_IN_PART = 1_000_000
"""More than events in a record: steps of a later part of a record come after those of an earlier one."""

__all__ = ["CLOCK_KEY", "SOURCE", "STATE_TYPES", "RulesCore", "decode_state", "encode_state"]


class RulesCore:
    """Evaluate the rules for one partition. Heap, groups and counts are rebuilt from the state here."""

    def __init__(
        self, *, partition: int, rules: Rules, store: StateStore, counts: EngineMetrics | None = None
    ) -> None:  # fmt: skip
        self.partition = partition
        self.counts = counts or EngineMetrics()
        self._store = store
        self._outputs: list[bytes] = []
        clock: RulesClock | None = store.get(CLOCK_KEY)
        self._now = clock.now if clock else None
        self._initial = rules
        self._watermark: datetime | None = None
        self._step: Step = BY_TIME
        self._seen: dict[bytes, Assessed | tuple[str, RiskAssessed]] = {}
        self._put_in_force(rule_set_in_force(store.get, rules).rules)

    def _put_in_force(self, rules: Rules) -> None:
        self._engine = self._engine_with(rules)
        self._hears_sources = bool(rules.on("source"))

    def _engine_with(self, rules: Rules) -> AlertEngine:
        return AlertEngine(
            partition=self.partition, rules=rules, store=self._store, counts=self.counts, known=self._known,
            say=self._say,
        )  # fmt: skip

    def process(self, admitted: Admitted) -> Outcome:
        """Take one record of `assessments`; deterministic in the state and the record."""
        return outcome_of(self.steps(admitted))

    def steps(self, admitted: Admitted) -> Steps:
        """Take one record event by event, then what fell due timer by timer: that of an hour may be due at once."""
        self._outputs = []
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
                    dead.append(_refused(raw, error, index=index))
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
                self._engine.judge_inputs(admitted.stalled, at=admitted.now)
        self._engine.composites.keep()
        self._keep_seen()
        if self._now is not None and self._now != before:
            self._store.put(CLOCK_KEY, RulesClock(now=self._now))
        return Outcome(outputs=self._outputs, dead_letters=dead)

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
                self._outputs.append(bytes(raw))
            case DirectiveGiven():
                at = self._advance(event.recorded_at)
                match data.kind:
                    case "acknowledgement":
                        self._acknowledge(data, at=at)
                    case "rule_set":
                        self._change_rules(data, at=at)
                self._outputs.append(bytes(raw))
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

    def _keep_seen(self) -> None:
        """Put the last assessments of entities into the state, once a record or when one is needed."""
        for key, seen in self._seen.items():
            assessed = heard_from(*seen) if isinstance(seen, tuple) else seen
            self._store.put(key, known_entity(assessed))
        self._seen.clear()

    def _known(self, kind: str, labels: dict[str, str]) -> Assessed | None:
        key = known_key(kind, labels)
        if (seen := self._seen.get(key)) is not None:
            return heard_from(*seen) if isinstance(seen, tuple) else seen
        known: KnownEntity | None = self._store.get(key)
        return known.assessed if known is not None else None

    def _risk_assessed(self, assessed: RiskAssessed) -> None:
        """Take an assessment of a material: by far the most of what comes."""
        at = self._advance(assessed.at)
        matched = self._engine.matcher.of_risk(assessed)
        if matched.cached is None or not matched.cached.contains(assessed):
            self._meet(matched, assessed, at=at)
            self._engine.matcher.merge_verdicts(matched, assessed)
        else:
            self._seen[matched.known_key] = assessed
        if self._hears_sources:
            for source in assessed.sources:
                self._heard(self._engine.matcher.of_source(matched, source, assessed), source, assessed, at=at)

    def _heard(self, heard: MatchedRules, source: str, assessed: RiskAssessed, *, at: datetime) -> None:
        """Note that a source was heard of; what is late does not make it be heard of earlier."""
        key = heard.known_key
        seen = self._seen.get(key)
        if seen is None and (known := self._store.get(key)) is not None:
            seen = known.assessed
        before: Any = seen[1] if isinstance(seen, tuple) else seen
        if before is not None and before.at > assessed.at:
            return
        if heard.matches:
            self._meet(heard, heard_from(source, assessed), at=at)
        else:
            self._seen[key] = (source, assessed)

    def _assessed(self, assessed: Assessed, at: datetime) -> None:
        self._meet(self._engine.matcher.of(assessed), assessed, at=at)

    def _meet(self, matched: MatchedRules, assessed: Assessed, *, at: datetime) -> None:
        """Run the timers of an entity up to an instant, then judge what it is assessed to be at that instant."""
        self._engine.catch_up(matched, at=at)
        self._seen[matched.known_key] = assessed
        self._engine.meet(matched, assessed, at=at, step=self._step)

    def _acknowledge(self, directive: DirectiveGiven, *, at: datetime) -> None:
        fingerprint = directive.acknowledgement.fingerprint if directive.acknowledgement else directive.target
        prior: Alert | None = self._store.get(alert_key(fingerprint))
        rule = self._engine.rules.by_id.get(prior.rule) if prior is not None else None
        if prior is None or rule is None:
            return
        prior = self._engine.catch_up_alert(prior, at)
        by = None if directive.withdrawn or directive.acknowledgement is None else directive.acknowledgement.by
        alert = acknowledge(prior, rule.timing, by=by, at=at)
        if alert == prior:
            return
        self._engine.put(alert)
        if alert.due_at is not None:
            self._engine.due.schedule(fingerprint, alert.due_at)
        if by is None and rule.reads_time:
            self._engine.time_passed(alert, at)  # a repeat that fell due meanwhile is told now, once

    def _change_rules(self, directive: DirectiveGiven, *, at: datetime) -> None:
        """Put another rule set in force, here and now; alerts of rules that are gone or begin anew are closed."""
        try:
            rules = self._initial if directive.withdrawn else read_rule_set(directive)
        except DecodeError as error:
            keep_refusal(self._store, directive, reason=error.detail, at=at)
            raise
        self._engine.composites.decide_all()
        self._engine.composites.keep()
        edits = list(edits_between(self._engine.rules, rules))
        self._keep_seen()
        self._closed(close_alerts(self._store, self._engine.rules, edits, partition=self.partition), at=at)
        store_rule_set(self._store, directive, at=at)
        reschedule_alerts(self._store, rules, edits, at=at)
        self._put_in_force(rules)
        touched = {edit.rule for edit in edits if edit.what != "removed"}
        fresh = {edit.rule for edit in edits if edit.what == "added" or edit.anew}
        met = self._engine.reconsider(touched, fresh, at=at, step=self._step)
        self._engine.composites.decide_all()
        self._engine.composites.keep()
        changed = {name for name in touched if rules.by_id[name].reads}
        ended = (
            close_alert(self._store, rules.by_id[alert.rule], alert, reason=Reason.RULE_CHANGED)
            for alert in self._alerts()
            if alert.rule in changed and alert.fingerprint not in met
        )
        self._closed(ended, at=at)
        forget_groups(self._store)
        self._put_in_force(rules)
        above = {composite.id for name in touched for composite in rules.over(name)}
        self._engine.limits.reconsider(touched | above)
        self._engine.composites.reconsider(touched | above, self._alerts(), at=at, step=self._step)
        self._engine.decide_limits(at)

    def _alerts(self) -> list[Alert]:
        return [value for _, value in sorted(self._store.items()) if isinstance(value, Alert)]

    def _closed(self, closed: Iterable[ClosedAlert | None], *, at: datetime) -> None:
        for end in closed:
            if end is not None:
                self.counts.moved(end.rule.id, end.alert.state)
                self._engine.send(end.rule, end.told, end.alert, end.last, reason=end.reason, at=at, assessed=None)

    def _say(self, changed: AlertChanged) -> None:
        self._outputs.append(encode_change(changed))


def _refused(raw: msgspec.Raw, error: DecodeError, *, index: int) -> DeadLetter:
    return DeadLetter(value=bytes(raw), reason=error.reason.value, field=error.field, detail=error.detail, index=index)
