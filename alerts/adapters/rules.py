"""The rules core: assessments of one partition in, alert changes out, ticks and directives forwarded.

Time is cadence-invariant, as in assess: when `now` moves to X, every deadline and timer due at d <= X is handled
first, in order of (d, fingerprint), and what it sends carries d. Ids are made of the alert, its occasion, step, repeat,
event time and causes: never of offsets or the wall clock, so any partitioning gives the same ids.
"""

import hashlib
import heapq
from datetime import datetime
from typing import Any

from alerts.adapters.rules_state import STATE_TYPES, KnownMeasure, RulesClock, decode_state, encode_state
from alerts.lifecycle.evaluation import Alert, Evaluation, Verdict
from alerts.lifecycle.life import acknowledge, next_alert
from alerts.lifecycle.transitions import Reason
from alerts.rules.deadline import DeadlineRule
from alerts.rules.ruleset import Rule, Rules
from alerts.rules.wording import Assessed, fingerprint_of, labels_of, text_values
from streams.contracts.alert import AlertChanged, AlertState
from streams.contracts.assessments import ExposureAssessed, MeasureAssessed, RiskAssessed
from streams.contracts.codec import decode_event, encode_event
from streams.contracts.directive import DirectiveGiven
from streams.contracts.events import Event, Tick
from streams.contracts.reasons import DecodeError, RejectReason
from streams.runtime.ports import Admitted, DeadLetter, Outcome, StateStore

__all__ = ["STATE_TYPES", "RulesCore", "decode_state", "encode_state"]

SOURCE = "monazite/rules"
CLOCK_KEY = b"clock"
ALERT_PREFIX = b"alert/"
MEASURE_PREFIX = b"measure/"
_FIRING = frozenset({AlertState.FIRING, AlertState.CLEARING})


class RulesCore:
    """Evaluate the rules for one partition. The heap of due instants is rebuilt from the state here."""

    def __init__(self, *, partition: int, rules: Rules, store: StateStore) -> None:
        self.partition = partition
        self._rules = rules
        self._store = store
        self._outputs: list[bytes] = []
        self._due: list[tuple[datetime, str]] = []
        self._fingerprints: dict[tuple[Any, ...], str] = {}
        clock: RulesClock | None = store.get(CLOCK_KEY)
        self._now = clock.now if clock else None
        for _, value in store.items():
            if isinstance(value, Alert) and value.due_at is not None and value.rule in rules.by_id:
                heapq.heappush(self._due, (value.due_at, value.fingerprint))

    def process(self, admitted: Admitted) -> Outcome:
        """Take one record of `assessments`; deterministic in the state and the record."""
        self._outputs = []
        dead: list[DeadLetter] = []
        before = self._now
        for index, raw in enumerate(admitted.items):
            try:
                self._take(decode_event(raw), raw)
            except DecodeError as error:
                dead.append(
                    DeadLetter(
                        value=bytes(raw), reason=error.reason.value, field=error.field, detail=error.detail, index=index
                    )
                )
        if self._now is not None and self._now != before:
            self._store.put(CLOCK_KEY, RulesClock(now=self._now))
        return Outcome(outputs=self._outputs, dead_letters=dead)

    def _take(self, event: Event, raw: Any) -> None:
        data = event.data
        match data:
            case RiskAssessed():
                self._assessed(data.aspect, data, self._advance(data.at))
            case MeasureAssessed():
                at = self._advance(data.at)
                self._store.put(MEASURE_PREFIX + data.measure.encode(), KnownMeasure(assessed=data))
                self._assessed("measure", data, at)
            case Tick():
                self._advance(event.occurred_at)
                self._outputs.append(bytes(raw))
            case DirectiveGiven():
                self._advance(event.recorded_at)
                if data.kind == "acknowledgement":
                    self._acknowledge(data)
                self._outputs.append(bytes(raw))
            case ExposureAssessed():
                self._advance(data.at)
            case _:
                raise DecodeError(
                    reason=RejectReason.WRONG_TOPIC, field="/type", detail=f"{event.type} is no assessment"
                )

    def _advance(self, to: datetime) -> datetime:
        """Move `now` to an instant, handling first what is due; time never goes back. Return `now`."""
        if self._now is not None and to <= self._now:
            return self._now
        while self._due and self._due[0][0] <= to:
            at, fingerprint = heapq.heappop(self._due)
            alert: Alert | None = self._store.get(ALERT_PREFIX + fingerprint.encode())
            if alert is not None and alert.due_at == at:
                self._time_passed(alert, at)
        self._now = to
        return to

    def _time_passed(self, alert: Alert, at: datetime) -> None:
        rule = self._rules.by_id[alert.rule]
        if isinstance(rule, DeadlineRule):
            known: KnownMeasure = self._store.get(MEASURE_PREFIX + alert.labels["measure"].encode())
            self._apply(rule, alert, rule.evaluate(known.assessed, at=at, firing=True), at=at, assessed=known.assessed)
            return
        evaluation = alert.evaluation or Evaluation(verdict=Verdict.CLEAR)
        self._apply(rule, alert, evaluation, at=at, assessed=None)

    def _fingerprint(self, rule: Rule, assessed: Assessed) -> str:
        key: tuple[Any, ...]
        if isinstance(assessed, MeasureAssessed):
            key = (rule.id, assessed.measure)
        else:
            key = (rule.id, assessed.material, assessed.home, *assessed.labels.items())
        found = self._fingerprints.get(key)
        if found is None:
            found = self._fingerprints[key] = fingerprint_of(rule.id, labels_of(assessed))
        return found

    def _assessed(self, entity: str, assessed: Assessed, at: datetime) -> None:
        for rule in self._rules.on(entity):
            fingerprint = self._fingerprint(rule, assessed)
            prior: Alert | None = self._store.get(ALERT_PREFIX + fingerprint.encode())
            firing = prior is not None and prior.state in _FIRING
            evaluation = rule.evaluate(assessed, at=at, firing=firing)
            if prior is None:
                if evaluation.verdict is Verdict.UNKNOWN:
                    continue  # what was never known is not lost: no_data is for facts that were there and went
                if evaluation.verdict is Verdict.CLEAR and entity == "measure" and evaluation.next_at is None:
                    continue
                prior = Alert(fingerprint=fingerprint, rule=rule.id, labels=labels_of(assessed))
                if evaluation.verdict is Verdict.CLEAR and evaluation.next_at is None:
                    self._store.put(ALERT_PREFIX + fingerprint.encode(), prior)
            elif (
                evaluation.verdict is Verdict.CLEAR
                and prior.state is AlertState.OK
                and prior.due_at == evaluation.next_at
            ):
                continue  # by far the most assessments: nothing to say, nothing to change
            self._apply(rule, prior, evaluation, at=at, assessed=assessed)

    def _apply(self, rule: Rule, prior: Alert, now: Evaluation, *, at: datetime, assessed: Assessed | None) -> None:
        advance = next_alert(prior, now, rule.timing, at=at)
        if advance.next != prior:
            self._store.put(ALERT_PREFIX + prior.fingerprint.encode(), advance.next)
            if advance.next.due_at is not None and advance.next.due_at != prior.due_at:
                heapq.heappush(self._due, (advance.next.due_at, prior.fingerprint))
        if advance.changed:
            self._send(rule, prior, advance.next, now, reason=advance.reason, at=at, assessed=assessed)

    def _acknowledge(self, directive: DirectiveGiven) -> None:
        fingerprint = directive.acknowledgement.fingerprint if directive.acknowledgement else directive.target
        key = ALERT_PREFIX + fingerprint.encode()
        prior: Alert | None = self._store.get(key)
        rule = self._rules.by_id.get(prior.rule) if prior is not None else None
        if prior is None or rule is None:
            return
        by = None if directive.withdrawn or directive.acknowledgement is None else directive.acknowledgement.by
        alert = acknowledge(prior, rule.timing, by=by)
        if alert == prior:
            return
        self._store.put(key, alert)
        if by is None and isinstance(rule, DeadlineRule) and self._now is not None:
            self._time_passed(alert, self._now)  # a repeat that fell due meanwhile is told now, once
        elif alert.due_at is not None:
            heapq.heappush(self._due, (alert.due_at, fingerprint))

    def _send(
        self, rule: Rule, prior: Alert, alert: Alert, now: Evaluation, *, reason: Reason, at: datetime,
        assessed: Assessed | None,
    ) -> None:  # fmt: skip
        changed = describe(rule, prior, alert, now, reason=reason, at=at, assessed=assessed)
        event = Event(
            id=changed.alert, source=SOURCE, subject=changed.fingerprint, occurred_at=at, recorded_at=at, data=changed
        )
        self._outputs.append(encode_event(event))


def describe(
    rule: Rule, prior: Alert, alert: Alert, now: Evaluation, *, reason: Reason, at: datetime, assessed: Assessed | None
) -> AlertChanged:
    """Say in full what changed: texts, values and causes of this evaluation, or of the last one that had them."""
    shown = now if now.texts else prior.evaluation or now
    summary, description = shown.texts.get("summary", ""), shown.texts.get("description", "")
    level = alert.level if alert.state in _FIRING else None
    if alert.state in (AlertState.OK, AlertState.NO_DATA):
        summary = _over(rule, prior.state, alert.state, reason, summary, assessed)
    causes = now.causes or (assessed.causes if assessed is not None else ()) or shown.causes
    occasion = now.occasion or prior.occasion
    if now.repeat:
        occasion = f"{occasion}, repeat {now.repeat}"
    identity = "\0".join([occasion, alert.state.value, level.step if level else "", at.isoformat(), *causes])
    return AlertChanged(
        alert=f"{alert.fingerprint}-{hashlib.sha256(identity.encode()).hexdigest()[:16]}",
        fingerprint=alert.fingerprint, rule=rule.id, rule_hash=rule.hash, labels={**rule.labels, **alert.labels}, at=at,
        from_state=prior.state, to_state=alert.state, severity=level.severity if level else None, occasion=occasion,
        summary=summary, description=description, step=level.step if level else None,
        materials=shown.materials or prior_materials(assessed), thresholds=shown.thresholds,
        values=now.values or shown.values,
        causes=causes, runbook=rule.texts.runbook, synthetic=shown.synthetic,
    )  # fmt: skip


def prior_materials(assessed: Assessed | None) -> tuple[str, ...]:
    """Return the materials of an assessment, none where there is none."""
    if assessed is None:
        return ()
    return assessed.materials if isinstance(assessed, MeasureAssessed) else (assessed.material,)


def _over(  # the five things that decide the words
    rule: Rule, before: AlertState, state: AlertState, reason: Reason, last: str, assessed: Assessed | None
) -> str:
    if state is AlertState.NO_DATA:
        return f"No data: the facts that rule {rule.id} needs are unknown. Nothing is resolved by that."
    if before is AlertState.NO_DATA:
        return f"Data are back: rule {rule.id} does not hold."
    if before is AlertState.PENDING:
        return f"Did not last: {last}"
    if reason is Reason.NEWS_AGED:
        return f"Closed as old news: {last}"
    if rule.texts.resolved is not None and assessed is not None:
        return f"Resolved: {rule.texts.resolved.render(text_values(assessed, {}))}"
    return f"Resolved: {last}" if last else f"Resolved: rule {rule.id} no longer holds."
