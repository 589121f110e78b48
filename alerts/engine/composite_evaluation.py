"""Composite rules: evaluated once for each event or instant that changed a member, in order of event time.

Changes of members are queued with their instant and evaluated when the watermark has passed it: by then every input
has been read up to that instant, so the order in which the inputs were read does not matter. The queue is part of the
state, so a restart evaluates the same.
"""

import heapq
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import NamedTuple

from alerts.engine.composite_members import CompositeGroups, as_member, truth_of
from alerts.engine.rules_state import CHANGES_KEY, MemberChange, MemberChanges, alert_key
from alerts.lifecycle.evaluation import Alert, Evaluation, Verdict
from alerts.rules.kinds.composite import CompositeRule
from alerts.rules.ruleset import Rules
from streams.runtime.stage_ports import StateStore

Step = tuple[int, int]
BY_TIME: Step = (0, 0)
"""The step of what time alone changed: before all events of its instant."""
_Queued = tuple[datetime, Step, int, MemberChange]


class CompositeEvaluation(NamedTuple):
    """What a composite rule says of one of its groups, to be applied to the alert `prior`."""

    rule: CompositeRule
    prior: Alert
    evaluation: Evaluation
    at: datetime
    step: Step


class Composites:
    """The composite rules of one partition: a queue of member changes, and the groups as they were evaluated last.

    Evaluations are given one by one, and each must be applied before the next is asked for: what it changes may be a
    member of a composite above.
    """

    def __init__(self, *, rules: Rules, store: StateStore, alerts: Iterable[Alert]) -> None:
        self._rules = rules
        self._store = store
        self._queue: list[_Queued] = []
        self._count = 0
        self._is_stored = True
        kept: MemberChanges | None = store.get(CHANGES_KEY)
        for change in kept.changes if kept is not None else ():
            self._push(change)
        self._groups = CompositeGroups(rules, store)
        waiting = {change.alert.fingerprint for _, _, _, change in self._queue}
        self._groups.complete(alert for alert in alerts if alert.fingerprint not in waiting)

    def _push(self, change: MemberChange) -> None:
        self._count += 1
        heapq.heappush(self._queue, (change.at, change.step, self._count, change))

    def note(self, prior: Alert, alert: Alert, *, at: datetime, step: Step) -> None:
        """Queue an alert that became true, false or unknown at an instant, where a composite reads it."""
        if truth_of(prior.state) == truth_of(alert.state) or not self._rules.over(alert.rule):
            return
        self._push(MemberChange(at=at, step=step, alert=as_member(alert)))
        self._is_stored = False

    def first_at(self) -> datetime | None:
        """Return the instant of the earliest change that is not evaluated yet, `None` for none."""
        return self._queue[0][0] if self._queue else None

    def evaluate_first(self) -> Iterator[CompositeEvaluation]:
        """Evaluate the changes of the earliest event or instant: composites before those above them."""
        at, step = self._queue[0][:2]
        self._is_stored = False
        yield from self._evaluate({}, at=at, step=step)

    def evaluate_all(self) -> Iterator[CompositeEvaluation]:
        """Evaluate all that is queued, wherever the watermark stands: before the rules change."""
        while self._queue:
            yield from self.evaluate_first()

    def reevaluate(
        self, rules: Iterable[str], alerts: Iterable[Alert], *, at: datetime, step: Step
    ) -> Iterator[CompositeEvaluation]:
        """Evaluate composites of some rules again, whose definition changed."""
        touched = set(rules)
        groups: dict[str, tuple[CompositeRule, dict[str, str]]] = {}
        for alert in alerts:
            rule = self._rules.by_id.get(alert.rule)
            if isinstance(rule, CompositeRule) and rule.id in touched:
                groups[alert.fingerprint] = (rule, alert.labels)
            for composite, labels, group in self._groups.of(alert):
                if composite.id in touched:
                    groups[group] = (composite, labels)
        yield from self._evaluate(groups, at=at, step=step)

    def _evaluate(
        self, groups: dict[str, tuple[CompositeRule, dict[str, str]]], *, at: datetime, step: Step
    ) -> Iterator[CompositeEvaluation]:
        while True:
            while self._queue and self._queue[0][:2] == (at, step):  # also what a composite below just queued
                change = heapq.heappop(self._queue)[3]
                for composite, labels, group in self._groups.apply(change.alert):
                    groups[group] = (composite, labels)
            if not groups:
                return
            group = min(groups, key=lambda name: (self._rules.depths.get(groups[name][0].id, 0), name))
            rule, labels = groups.pop(group)
            prior: Alert | None = self._store.get(alert_key(group))
            evaluation = rule.judge(self._groups.members(group), labels=labels, prior=prior)
            if prior is None:
                if evaluation.verdict is not Verdict.MET:
                    continue
                prior = Alert(fingerprint=group, rule=rule.id, labels=labels)
            yield CompositeEvaluation(rule, prior, evaluation, at, step)

    def flush(self) -> None:
        """Write the queue to the store if it changed."""
        if self._is_stored:
            return
        self._is_stored = True
        if self._queue:
            self._store.put(CHANGES_KEY, MemberChanges(changes=tuple(entry[3] for entry in sorted(self._queue))))
        else:
            self._store.delete(CHANGES_KEY)
