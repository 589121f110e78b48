"""Putting another rule set in force: reading it, and what a change of rules does to alerts.

It happens at one place in the log of every partition, where the directive stands, so that a replay and a backtest see
it there too. Nothing is read from outside the state.
"""

from collections.abc import Iterator
from datetime import datetime

import msgspec

from alerts.engine.alert_limiter import OVER_LIMIT_RULE, as_published, over_limit_alert
from alerts.engine.rules_state import alert_key, memory_key
from alerts.engine.stalled_inputs import INPUT_STALLED_RULE
from alerts.lifecycle.advance import rescheduled
from alerts.lifecycle.alert_transitions import Reason
from alerts.lifecycle.evaluation import Alert, Evaluation, Verdict
from alerts.rules.edits import RuleEdit
from alerts.rules.fingerprint import labels_in_words
from alerts.rules.loader import RuleFileError, load_rule_set
from alerts.rules.ruleset import INPUT_STALLED, OVER_LIMIT, Rule, Rules
from streams.contracts.alert import AlertState
from streams.contracts.directive import DirectiveGiven
from streams.contracts.reasons import DecodeError, RejectReason
from streams.runtime.stage_ports import StateStore

_CLOSED = Evaluation(verdict=Verdict.HOLD)
_BUILT_IN: dict[str, Rule] = {OVER_LIMIT: OVER_LIMIT_RULE, INPUT_STALLED: INPUT_STALLED_RULE}
_TEXT_FIELD = "/data/rule_set/text"


def find_rule(rules: Rules, name: str) -> Rule | None:
    """Return a rule of the set, or one that alerts about limits or inputs belong to."""
    return _BUILT_IN.get(name) or rules.by_id.get(name)


def read_rule_set(directive: DirectiveGiven) -> Rules:
    """Read the rules of a directive. Raise `DecodeError` for a set that is refused or is not what its hash says."""
    assert directive.rule_set is not None
    try:
        rules = load_rule_set(directive.rule_set.text)
    except Exception as error:  # a fault of the loader is a set that this version cannot take, not a refused record
        said = str(error) if isinstance(error, RuleFileError) else f"{type(error).__name__}: {error}"
        raise DecodeError(reason=RejectReason.OUT_OF_RANGE, field=_TEXT_FIELD, detail=said[:500]) from error
    if rules.content_hash != directive.rule_set.content_hash:
        detail = f"the rules hash to {rules.content_hash}, the directive says {directive.rule_set.content_hash}"
        raise DecodeError(reason=RejectReason.INCONSISTENT, field="/data/rule_set/content_hash", detail=detail)
    return rules


class ClosedAlert(msgspec.Struct, frozen=True, kw_only=True):
    """An alert that ended with its rule: as it was known to others, as it is now, and why."""

    rule: Rule
    told: Alert
    alert: Alert
    reason: Reason
    last: Evaluation


def close_alerts(store: StateStore, rules: Rules, edits: list[RuleEdit], *, partition: int) -> Iterator[ClosedAlert]:
    """Forget the alerts and memory of rules that are gone or begin anew; give those that others know to be open."""
    reasons = {
        edit.rule: Reason.RULE_REMOVED if edit.what == "removed" else Reason.RULE_CHANGED
        for edit in edits
        if edit.what == "removed" or edit.anew
    }
    limits = {over_limit_alert(rule, partition=partition).fingerprint: reason for rule, reason in reasons.items()}
    found = [value for _, value in store.items() if isinstance(value, Alert)]
    for alert in sorted(found, key=lambda a: (a.rule, a.fingerprint)):
        reason = reasons.get(alert.rule) or limits.get(alert.fingerprint)
        rule = find_rule(rules, alert.rule)
        if reason is None or rule is None:
            continue
        closed = close_alert(store, rule, alert, reason=reason)
        if closed is not None:
            yield closed
    for rule_id in reasons:
        prefix = memory_key(rule_id, "")
        for key, _ in store.items():
            if key.startswith(prefix):
                store.delete(key)


def close_alert(store: StateStore, rule: Rule, alert: Alert, *, reason: Reason) -> ClosedAlert | None:
    """Forget an alert; return how it ended where others know it to be open."""
    store.delete(alert_key(alert.fingerprint))
    told = as_published(alert) if alert.suppressed_from is not None else alert
    if told.state is AlertState.OK:
        return None
    ended = Alert(fingerprint=alert.fingerprint, rule=alert.rule, labels=alert.labels)
    return ClosedAlert(rule=rule, told=told, alert=ended, reason=reason, last=_shown(alert))


def _shown(alert: Alert) -> Evaluation:
    texts = {"summary": labels_in_words(alert.labels)}
    return alert.evaluation or msgspec.structs.replace(_CLOSED, texts=texts)


def reschedule_alerts(store: StateStore, rules: Rules, edits: list[RuleEdit], *, at: datetime) -> None:
    """Count the timers of kept alerts anew, by what their rules say now; what is over already is due at once."""
    changed = {edit.rule for edit in edits if edit.what == "changed" and not edit.anew}
    for key, value in store.items():
        if isinstance(value, Alert) and value.rule in changed:
            alert = rescheduled(value, rules.by_id[value.rule].timing, at=at)
            if alert != value:
                store.put(key, alert)
