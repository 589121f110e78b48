"""The members of every group of a composite rule, as of its last evaluation."""

from collections.abc import Iterable, Iterator, Mapping

from alerts.engine.rules_state import GroupMembers, group_key
from alerts.lifecycle.advance import FIRING_STATES
from alerts.lifecycle.evaluation import Alert, Evaluation
from alerts.rules.fingerprint import fingerprint_of
from alerts.rules.kinds.composite import CompositeRule
from alerts.rules.ruleset import Rules
from streams.contracts.alert import AlertState
from streams.runtime.stage_ports import StateStore

_FALSE = frozenset({AlertState.OK, AlertState.PENDING})

Group = tuple[CompositeRule, dict[str, str], str]
"""A composite, the labels of one of its groups, and the fingerprint of the alert about it."""


def truth_of(state: AlertState) -> int:
    """Return what a state means to a composite: 1 true, 0 false, -1 unknown."""
    if state in FIRING_STATES:
        return 1
    return 0 if state in _FALSE else -1


def as_member(alert: Alert) -> Alert:
    """Return of an alert what composites read: who it is, its state, and what stands behind it."""
    seen = alert.evaluation
    if seen is not None:
        seen = Evaluation(verdict=seen.verdict, materials=seen.materials, causes=seen.causes, synthetic=seen.synthetic)
    return Alert(
        fingerprint=alert.fingerprint, rule=alert.rule, labels=alert.labels, state=alert.state, evaluation=seen
    )


class CompositeGroups:
    """Members that are true or unknown, by group; kept in the state, since the alerts themselves are ahead of it."""

    def __init__(self, rules: Rules, store: StateStore) -> None:
        self._rules = rules
        self._store = store
        self._groups: dict[str, dict[str, Alert]] = {}
        for _, value in store.items():
            if isinstance(value, GroupMembers) and value.composite in rules.by_id:
                group = fingerprint_of(value.composite, value.labels)
                self._groups[group] = {member.fingerprint: member for member in value.members}

    def of(self, alert: Alert) -> Iterator[Group]:
        """Give the groups that an alert is in."""
        for composite in self._rules.over(alert.rule):
            labels = composite.identity(alert.labels)
            if labels is not None:
                yield composite, labels, fingerprint_of(composite.id, labels)

    def apply(self, member: Alert) -> Iterator[Group]:
        """Take note of how an alert stands; give the groups that this changes."""
        for composite, labels, group in self.of(member):
            members = self._groups.setdefault(group, {})
            if truth_of(member.state) != 0:
                members[member.fingerprint] = member
            else:
                members.pop(member.fingerprint, None)
            self._put(composite, labels, group)
            yield composite, labels, group

    def complete(self, alerts: Iterable[Alert]) -> None:
        """Enter alerts that their groups do not know of, as where a composite is new."""
        for alert in alerts:
            if truth_of(alert.state) != 0:
                missing = [g for _, _, g in self.of(alert) if alert.fingerprint not in self._groups.get(g, {})]
                if missing:
                    list(self.apply(as_member(alert)))

    def members(self, group: str) -> Mapping[str, list[Alert]]:
        """Return the alerts of a group by rule, in order of fingerprint."""
        found: dict[str, list[Alert]] = {}
        for _, member in sorted(self._groups.get(group, {}).items()):
            found.setdefault(member.rule, []).append(member)
        return found

    def _put(self, composite: CompositeRule, labels: dict[str, str], group: str) -> None:
        members = tuple(member for _, member in sorted(self._groups[group].items()))
        if members:
            self._store.put(group_key(group), GroupMembers(composite=composite.id, labels=labels, members=members))
        else:
            del self._groups[group]
            self._store.delete(group_key(group))


def forget_groups(store: StateStore) -> None:
    """Forget all groups; they are read off the alerts again when the next rules are put in force."""
    for key, value in store.items():
        if isinstance(value, GroupMembers):
            store.delete(key)
