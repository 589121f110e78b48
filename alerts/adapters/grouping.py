"""Which alerts stand in which group of a composite rule; rebuilt from the alerts, never stored."""

from collections.abc import Callable, Iterator, Mapping

from alerts.lifecycle.evaluation import Alert
from alerts.lifecycle.life import FIRING_STATES
from alerts.rules.composite import CompositeRule
from alerts.rules.ruleset import Rules
from alerts.rules.wording import fingerprint_of
from streams.contracts.alert import AlertState

_FALSE = frozenset({AlertState.OK, AlertState.PENDING})


def truth_class(state: AlertState) -> int:
    """Return what a state means to a composite: 1 true, 0 false, -1 unknown."""
    if state in FIRING_STATES:
        return 1
    return 0 if state in _FALSE else -1


class GroupBook:
    """Alerts that are true or unknown, by composite and group."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._members: dict[str, dict[str, set[str]]] = {}

    def note(self, alert: Alert) -> Iterator[tuple[CompositeRule, dict[str, str], str]]:
        """Take note of where an alert stands; give the groups it is in: composite, labels, fingerprint of its alert."""
        counts = truth_class(alert.state) != 0
        for composite in self._rules.over(alert.rule):
            labels = composite.identity(alert.labels)
            if labels is None:
                continue
            group = fingerprint_of(composite.id, labels)
            if counts:
                self._members.setdefault(group, {}).setdefault(alert.rule, set()).add(alert.fingerprint)
            else:
                self._forget(group, alert)
            yield composite, labels, group

    def _forget(self, group: str, alert: Alert) -> None:
        by_rule = self._members.get(group)
        members = by_rule.get(alert.rule) if by_rule is not None else None
        if by_rule is None or members is None:
            return
        members.discard(alert.fingerprint)
        if not members:
            del by_rule[alert.rule]
        if not by_rule:
            del self._members[group]

    def fingerprints(self, group: str) -> list[str]:
        """Return the alerts of a group that are true or unknown."""
        return sorted(f for members in self._members.get(group, {}).values() for f in members)

    def members(self, group: str, *, get: Callable[[str], Alert | None]) -> Mapping[str, list[Alert]]:
        """Return the alerts of a group by rule, in order of fingerprint."""
        found = self._members.get(group, {})
        return {
            rule: [alert for f in sorted(fingerprints) if (alert := get(f)) is not None]
            for rule, fingerprints in found.items()
        }
