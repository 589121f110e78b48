"""What is decided after an assessment or a due instant, because several alerts take part: alerts that several entities
share, then composites, then limits. Nothing stays open from one to the next.
"""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Protocol

import msgspec

from alerts.adapters.grouping import GroupBook, truth_class
from alerts.adapters.limits import OVER_LIMIT_RULE, LimitBook, judge_limit, over_limit_alert, worst_first
from alerts.adapters.rules_state import alert_key
from alerts.lifecycle.evaluation import Alert, Evaluation, Verdict
from alerts.lifecycle.life import FIRING_STATES
from alerts.lifecycle.transitions import Reason
from alerts.rules.composite import CompositeRule
from alerts.rules.entities import Assessed
from alerts.rules.ruleset import Rule, Rules
from streams.runtime.ports import StateStore

_HELD = Evaluation(verdict=Verdict.HOLD)


class Apply(Protocol):
    """Applies an evaluation to an alert, stores it and says what changed."""

    def __call__(self, rule: Rule, prior: Alert, now: Evaluation, *, at: datetime, assessed: Assessed | None) -> bool:
        """Apply; tell whether the alert stays as it is."""


class Send(Protocol):
    """Says that an alert changed."""

    def __call__(
        self, rule: Rule, prior: Alert, alert: Alert, now: Evaluation, *, reason: Reason, at: datetime,
        assessed: Assessed | None,
    ) -> None:  # fmt: skip
        """Send."""


class JudgeOpened(Protocol):
    """Evaluates the rule of an alert that several entities share, and applies what it finds."""

    def __call__(self, rule: Rule, labels: dict[str, str], *, at: datetime) -> None:
        """Judge the alert that the entity, or group of entities, with these labels shares."""


class Settlement:
    """The groups and limits of one partition, and which of them an assessment or a due instant has opened."""

    def __init__(
        self, *, partition: int, rules: Rules, store: StateStore, put: Callable[[Alert], None], apply: Apply,
        send: Send, caught_up: Callable[[Alert, datetime], Alert], judge_opened: JudgeOpened,
    ) -> None:  # fmt: skip
        self._partition = partition
        self._rules = rules
        self._store = store
        self._put = put
        self._apply = apply
        self._send = send
        self._caught_up = caught_up
        self._judge_opened = judge_opened
        self._groups_of = GroupBook(rules)
        self._limits_of = LimitBook()
        self._over_limits: dict[str, Alert] = {}
        self._groups: dict[str, tuple[Rule, dict[str, str]]] = {}
        self._limits: set[str] = set()

    def open(self, rule: Rule, labels: dict[str, str], name: str) -> None:
        """Have an alert that several entities share decided after the assessment in hand.

        `name` is the fingerprint of rule and labels: those of the entity that was heard of, or of its group.
        """
        self._groups[name] = (rule, labels)

    @property
    def is_open(self) -> bool:
        """Tell whether there is anything to settle."""
        return bool(self._groups or self._limits)

    def recall(self, alert: Alert) -> None:
        """Take note of an alert as it stands in the state."""
        for _ in self._groups_of.note(alert):
            pass
        self._limits_of.note(alert, firing=alert.state in FIRING_STATES)

    def moved(self, prior: Alert, alert: Alert) -> None:
        """Open the groups of an alert that became true, false or unknown."""
        if truth_class(prior.state) == truth_class(alert.state):
            return
        for composite, labels, group in self._groups_of.note(alert):
            self._groups[group] = (composite, labels)

    def limited(self, rule: Rule, prior: Alert, alert: Alert) -> Alert:
        """Return an alert whose `held_from` says whether its rule's limit holds it back: first come, first told."""
        firing, fired = alert.state in FIRING_STATES, prior.state in FIRING_STATES
        if firing and not fired and self._limits_of.room(rule) <= 0:
            alert = msgspec.structs.replace(alert, held_from=prior.state)
            self._limits.add(rule.id)
        elif fired and not firing:
            alert = msgspec.structs.replace(alert, held_from=None)
            if self._limits_of.has_held(rule.id):
                self._limits.add(rule.id)
        self._limits_of.note(alert, firing=firing)
        return alert

    def reopen(self, rules: Iterable[str], alerts: Iterable[Alert]) -> None:
        """Decide composites and limits of some rules again, whose definition changed."""
        touched = set(rules)
        for alert in alerts:
            rule = self._rules.by_id.get(alert.rule)
            if isinstance(rule, CompositeRule) and rule.id in touched:
                self._groups[alert.fingerprint] = (rule, alert.labels)
            for composite, labels, group in self._groups_of.note(alert):
                if composite.id in touched:
                    self._groups[group] = (composite, labels)
        self._limits |= {name for name in touched if name in self._rules.by_id and self._limits_of.count(name)}

    def settle(self, at: datetime) -> None:
        """Decide all that an assessment or a due instant opened: shared alerts, composites bottom up, limits."""
        while self._groups:
            depth = min(self._depth(rule.id) for rule, _ in self._groups.values())
            for group in sorted(g for g, (rule, _) in self._groups.items() if self._depth(rule.id) == depth):
                if group not in self._groups:
                    continue  # a member that was caught up has settled it
                rule, labels = self._groups.pop(group)
                if isinstance(rule, CompositeRule):
                    self._settle_group(rule, labels, group, at=at)
                else:
                    self._judge_opened(rule, labels, at=at)
        for name in sorted(self._limits, key=lambda name: (self._depth(name), name)):
            self._settle_limit(self._rules.by_id[name], at=at)
        self._limits.clear()

    def _depth(self, rule: str) -> int:
        return self._rules.depths.get(rule, 0)

    def _get(self, fingerprint: str) -> Alert | None:
        alert: Alert | None = self._store.get(alert_key(fingerprint))
        return alert

    def _settle_group(self, rule: CompositeRule, labels: dict[str, str], group: str, *, at: datetime) -> None:
        for member in self._groups_of.fingerprints(group):
            waits = self._get(member)
            if waits is not None and waits.due_at is not None and waits.due_at <= at:
                self._caught_up(waits, at)
        prior = self._get(group)
        if prior is not None:
            prior = self._caught_up(prior, at)
            at = at if prior.at is None or prior.at <= at else prior.at
        now = rule.judge(self._groups_of.members(group, get=self._get), labels=labels, prior=prior)
        if prior is None:
            if now.verdict is not Verdict.MET:
                return
            prior = Alert(fingerprint=group, rule=rule.id, labels=labels)
        self._apply(rule, prior, now, at=at, assessed=None)

    def _settle_limit(self, rule: Rule, *, at: datetime) -> None:
        held = worst_first(a for f in self._limits_of.held(rule.id) if (a := self._get(f)) is not None)
        room = max(self._limits_of.room(rule), 0)
        for alert in held[:room]:
            told = as_told(alert)
            alert = msgspec.structs.replace(alert, held_from=None)  # noqa: PLW2901
            self._put(alert)
            self._limits_of.note(alert, firing=True)
            self._send(rule, told, alert, alert.evaluation or _HELD, reason=Reason.WITHIN_LIMIT, at=at, assessed=None)
        held = held[room:]
        blank = self._over_limits.get(rule.id)
        if blank is None:
            blank = self._over_limits[rule.id] = over_limit_alert(rule.id, partition=self._partition)
        prior = self._get(blank.fingerprint)
        if held or prior is not None:
            now = judge_limit(rule, firing_count=self._limits_of.count(rule.id), held=held)
            self._apply(OVER_LIMIT_RULE, prior or blank, now, at=at, assessed=None)


def as_told(alert: Alert) -> Alert:
    """Return an alert that is held back as others know it."""
    assert alert.held_from is not None
    return msgspec.structs.replace(alert, state=alert.held_from, held_from=None)
