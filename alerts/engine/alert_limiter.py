"""The limit of a rule: the first alerts up to the limit are published, the others are suppressed until there is room.

The worst suppressed alert is published first, and one alert (`alerts-over-limit`) says how many are suppressed.

Counted by partition, since a partition sees only its own alerts: the one promise about any number of partitions that
does not hold once a rule is over its limit. Held alerts live on in the state; nothing is dropped.
"""

from collections import defaultdict
from collections.abc import Iterable

import msgspec

from alerts.lifecycle.advance import FIRING_STATES
from alerts.lifecycle.evaluation import Alert, Evaluation, Level, Verdict
from alerts.rules.built_in import built_in_rule
from alerts.rules.fingerprint import fingerprint_of
from alerts.rules.kinds.threshold import ThresholdRule
from alerts.rules.rule_specification import AnnotationSpec
from alerts.rules.ruleset import OVER_LIMIT, Rule
from streams.contracts.alert import AlertState
from streams.contracts.assessments import Fact

SEVERITY_RANK = {"info": 0, "warning": 1, "critical": 2}


def severity_rank(alert: Alert) -> int:
    """Return how bad an alert is, higher is worse."""
    return SEVERITY_RANK[alert.level.severity] if alert.level is not None else -1


def _order(alert: Alert) -> tuple[int, float, str]:
    """Order of keeping: the worst first, of equals the one that fired first."""
    return (-severity_rank(alert), alert.fired_at.timestamp() if alert.fired_at is not None else 0.0, alert.fingerprint)


class AlertLimiter:
    """Which firing alerts of each rule are told and which held back, by partition; rebuilt from the alerts."""

    def __init__(self, alerts: Iterable[Alert]) -> None:
        self._told: dict[str, set[str]] = defaultdict(set)
        self._held: dict[str, set[str]] = defaultdict(set)
        self.changed: set[str] = set()
        for alert in alerts:
            self.note(alert)
        self.changed |= {rule for rule, held in self._held.items() if held}  # a rule file may give more room by now

    def note(self, alert: Alert) -> None:
        """Take note of where an alert stands."""
        told, held = self._told[alert.rule], self._held[alert.rule]
        told.discard(alert.fingerprint)
        held.discard(alert.fingerprint)
        if alert.state in FIRING_STATES:
            (told if alert.suppressed_from is None else held).add(alert.fingerprint)

    def limited(self, rule: Rule, prior: Alert, alert: Alert) -> Alert:
        """Return an alert that changed, suppressed where it begins to fire and its rule is at its limit.

        A rule for which something is to be decided again stands in `changed` afterwards: there is room, or what is
        said of the limit is no longer as severe as the worst suppressed alert.
        """
        firing, fired = alert.state in FIRING_STATES, prior.state in FIRING_STATES
        if firing and not fired and self.room(rule) <= 0:
            alert = msgspec.structs.replace(alert, suppressed_from=AlertState.OK)
            self.changed.add(rule.id)
        elif fired and not firing:
            alert = msgspec.structs.replace(alert, suppressed_from=None)
            if self._held[rule.id]:
                self.changed.add(rule.id)
        elif alert.suppressed_from is not None and severity_rank(alert) != severity_rank(prior):
            self.changed.add(rule.id)
        if firing is not fired:
            self.note(alert)
        return alert

    def reconsider(self, rules: Iterable[str]) -> None:
        """Decide the limits of some rules again, whose definition changed."""
        self.changed |= {rule for rule in rules if self.count(rule)}

    def count(self, rule: str) -> int:
        """Return how many alerts of a rule fire."""
        return len(self._told[rule]) + len(self._held[rule])

    def room(self, rule: Rule) -> int:
        """Return how many more alerts of a rule may be told."""
        return rule.limit - len(self._told[rule.id])

    def held(self, rule: str) -> list[str]:
        """Return the alerts of a rule that are held back."""
        return sorted(self._held[rule])


def as_published(alert: Alert) -> Alert:
    """Return an alert that is held back as others know it."""
    assert alert.suppressed_from is not None
    return msgspec.structs.replace(alert, state=alert.suppressed_from, suppressed_from=None)


def worst_first(alerts: Iterable[Alert]) -> list[Alert]:
    """Return held alerts in the order in which they are told when there is room."""
    return sorted(alerts, key=_order)


def over_limit_rule() -> ThresholdRule:
    """Return the rule that the alert about a limit belongs to; it is in no set and reads no assessments."""
    texts = AnnotationSpec(
        summary="Rule {rule}: {firing} alerts, limit {limit}; {held} are held back, the first are told.",
        description="Held alerts live on and are told when there is room. Narrow the rule, or raise its limit.",
        runbook="deploy/runbooks/alerts-over-limit.md",
    )
    return built_in_rule(OVER_LIMIT, on="rule", annotations=texts, names=("rule", "firing", "limit", "held"))


OVER_LIMIT_RULE = over_limit_rule()


def over_limit_alert(rule: str, *, partition: int) -> Alert:
    """Return the alert about a rule's limit as it is before anything was said."""
    labels = {"rule": rule, "partition": str(partition)}
    return Alert(fingerprint=fingerprint_of(OVER_LIMIT, labels), rule=OVER_LIMIT, labels=labels)


def judge_limit(rule: Rule, *, firing_count: int, held: list[Alert]) -> Evaluation:
    """Say whether a rule is over its limit; told anew when twice as many are held."""
    if not held:
        return Evaluation(verdict=Verdict.CLEAR, values={"firing": float(firing_count), "held": 0.0})
    worst = max(held, key=severity_rank)
    assert worst.level is not None
    values: dict[str, Fact] = {"firing": float(firing_count), "held": float(len(held)), "limit": float(rule.limit)}
    named = {"rule": rule.id, "firing": firing_count, "held": len(held), "limit": rule.limit}
    return Evaluation(
        verdict=Verdict.MET,
        level=Level(step="over limit", severity=worst.level.severity, rank=severity_rank(worst)),
        occasion=f"held at least {1 << (len(held).bit_length() - 1)}",
        values=values,
        thresholds={"firing": float(rule.limit)},
        texts=OVER_LIMIT_RULE.texts.render(named),
    )
