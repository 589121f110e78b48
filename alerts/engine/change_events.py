"""The alert changes on the log: texts, values and causes of the evaluation, or of the last one that had them.

Ids are made of the alert, its occasion, step, repeat, event time and causes, and of how many changes of that instant
came before: never of offsets or the wall clock, so any partitioning gives the same ids.
"""

import hashlib
from collections.abc import Mapping
from datetime import datetime

from alerts.lifecycle.advance import FIRING_STATES
from alerts.lifecycle.alert_transitions import Reason
from alerts.lifecycle.evaluation import Alert, Evaluation
from alerts.rules.entities import Assessed, materials_of
from alerts.rules.fingerprint import text_values
from alerts.rules.ruleset import Rule
from streams.contracts.alert import AlertChanged, AlertState
from streams.contracts.assessments import Fact
from streams.contracts.codec import encode_payload

SOURCE = "monazite/rules"
_CLOSED = {
    Reason.RULE_REMOVED: "Closed: the rule {rule} was removed. Nothing is known to be over.",
    Reason.RULE_CHANGED: "Closed: the rule {rule} was changed, so that its alerts begin anew. Nothing is known to be "
    "over.",
    Reason.OVER_LIMIT: "Held back, not over: rule {rule} has more alerts than its limit, and worse ones are kept. "
    "{last}",
}
_GAPS = {
    AlertState.NO_DATA: "No data: the facts that rule {rule} needs are unknown. Nothing is resolved by that.",
    AlertState.STALE: "Stale: the facts that rule {rule} needs are older than it allows. Nothing is resolved by that.",
    AlertState.ERROR: "Error: evaluating rule {rule} failed on facts that are known. Nothing is resolved by that.",
}


def build_alert_changed(
    rule: Rule, prior: Alert, alert: Alert, now: Evaluation, *, reason: Reason, at: datetime, assessed: Assessed | None
) -> AlertChanged:
    """Say in full what changed."""
    shown = now if now.texts else prior.evaluation or now
    summary, description = shown.texts.get("summary", ""), shown.texts.get("description", "")
    level = alert.level if alert.state in FIRING_STATES else None
    if alert.state is AlertState.OK or alert.state in _GAPS:
        summary = _over(rule, prior.state, alert.state, reason, summary, assessed, now.values)
    causes = now.causes or (assessed.causes if assessed is not None else ()) or shown.causes
    occasion = now.occasion or prior.occasion
    if now.repeat:
        occasion = f"{occasion}, repeat {now.repeat}"
    identity = "\0".join([occasion, alert.state.value, level.step if level else "", at.isoformat(), *sorted(causes)])
    if alert.nth:
        identity = f"{alert.nth}\0{identity}"
    if reason in (Reason.RULE_REMOVED, Reason.RULE_CHANGED, Reason.OVER_LIMIT, Reason.WITHIN_LIMIT):
        identity = f"{reason.value}\0{identity}"
    return AlertChanged(
        alert=f"{alert.fingerprint}-{hashlib.sha256(identity.encode()).hexdigest()[:16]}",
        fingerprint=alert.fingerprint,
        rule=rule.id,
        rule_hash=rule.hash,
        labels={**rule.labels, **alert.labels},
        at=at,
        from_state=prior.state,
        to_state=alert.state,
        severity=level.severity if level else None,
        occasion=occasion,
        summary=summary,
        description=description,
        step=level.step if level else None,
        materials=shown.materials or (materials_of(assessed) if assessed is not None else ()),
        thresholds=shown.thresholds,
        values=now.values or shown.values,
        causes=causes,
        runbook=rule.texts.runbook,
        synthetic=shown.synthetic,
        reason=reason.value,
    )


class AlertEvents:
    """The output of the engine for one record: alert changes, and events that are passed on as they came."""

    def __init__(self) -> None:
        self.outputs: list[bytes] = []

    def emit(self, changed: AlertChanged) -> None:
        """Add the change of an alert."""
        self.outputs.append(encode_payload(changed, event_id=changed.alert, source=SOURCE, at=changed.at))

    def forward(self, raw: bytes) -> None:
        """Add an event as it came."""
        self.outputs.append(bytes(raw))

    def take(self) -> list[bytes]:
        """Return the outputs and begin anew."""
        outputs, self.outputs = self.outputs, []
        return outputs


def _over(  # the things that decide the words
    rule: Rule,
    before: AlertState,
    state: AlertState,
    reason: Reason,
    last: str,
    assessed: Assessed | None,
    values: Mapping[str, Fact],
) -> str:
    if state in _GAPS:
        return _GAPS[state].format(rule=rule.id)
    if reason in _CLOSED:
        return _CLOSED[reason].format(rule=rule.id, last=last).strip()
    if before in _GAPS:
        return f"Data are back: rule {rule.id} does not hold."
    if before is AlertState.PENDING:
        return f"Did not last: {last}"
    if reason is Reason.NEWS_AGED:
        return f"Closed as old news: {last}"
    if rule.texts.resolved is not None and assessed is not None:
        return f"Resolved: {rule.texts.resolved.render(text_values(assessed, values))}"
    return f"Resolved: {last}" if last else f"Resolved: rule {rule.id} no longer holds."
