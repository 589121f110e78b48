"""What is decided once an instant is over, because several events or alerts of it take part: alerts that several
entities share, then composites, then limits.

What is open is in the state, so that a restart between an instant and the next settles the same.
"""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Protocol

import msgspec

from alerts.adapters.grouping import GroupBook, truth_class
from alerts.adapters.limits import OVER_LIMIT_RULE, LimitBook, judge_limit, kept_and_held, over_limit_alert
from alerts.adapters.rules_state import SETTLING_KEY, Settling, alert_key
from alerts.lifecycle.evaluation import Alert, Evaluation, Verdict
from alerts.lifecycle.life import FIRING_STATES
from alerts.lifecycle.transitions import Reason
from alerts.rules.composite import CompositeRule
from alerts.rules.entities import Assessed
from alerts.rules.ruleset import Rule, Rules
from alerts.rules.wording import fingerprint_of
from streams.contracts.alert import AlertChanged, AlertState
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
    """The groups and limits of one partition, and which of them are open. `at` is their instant, `None` for none."""

    def __init__(
        self, *, partition: int, rules: Rules, store: StateStore, put: Callable[[Alert], None], apply: Apply,
        send: Send, say: Callable[[AlertChanged], None], judge_opened: JudgeOpened,
    ) -> None:  # fmt: skip
        self._partition = partition
        self._rules = rules
        self._store = store
        self._put = put
        self._apply = apply
        self._send = send
        self._say = say
        self._judge_opened = judge_opened
        self._groups_of = GroupBook(rules)
        self._limits_of = LimitBook()
        self._over_limits: dict[str, Alert] = {}
        self._kept: Settling | None = store.get(SETTLING_KEY)
        self.at = self._kept.at if self._kept is not None else None
        self._groups: dict[str, tuple[Rule, dict[str, str]]] = {}
        self._limits: set[str] = set(self._kept.limits if self._kept is not None else ()) & set(rules.by_id)
        for name, labels in self._kept.groups if self._kept is not None else ():
            rule = rules.by_id.get(name)
            if rule is not None and (rule.shared or isinstance(rule, CompositeRule)):
                self._groups[fingerprint_of(name, labels)] = (rule, labels)

    def open(self, rule: Rule, labels: dict[str, str], name: str, *, at: datetime) -> None:
        """Have an alert that several entities share decided when the instant is over.

        `name` is the fingerprint of rule and labels: those of the entity that was heard of, or of its group.
        """
        self._groups[name] = (rule, labels)
        self.at = at

    def recall(self, alert: Alert) -> None:
        """Take note of an alert as it stands in the state."""
        for _ in self._groups_of.note(alert):
            pass
        self._limits_of.note(alert, firing=alert.state in FIRING_STATES)

    def moved(self, prior: Alert, alert: Alert, *, at: datetime) -> None:
        """Open the groups of an alert that became true, false or unknown."""
        if truth_class(prior.state) == truth_class(alert.state):
            return
        for composite, labels, group in self._groups_of.note(alert):
            self._groups[group] = (composite, labels)
            self.at = at

    def limited(self, rule: Rule, prior: Alert, alert: Alert, *, at: datetime) -> Alert:
        """Return an alert whose `untold` says whether it began to fire as its rule's limit leaves it for now.

        One that began is held until its instant is over, when the limit decides once on all that fire.
        """
        firing, fired = alert.state in FIRING_STATES, prior.state in FIRING_STATES
        opens = fired and self._limits_of.has_held(rule.id)
        if firing and not fired and alert.untold:
            alert, opens = msgspec.structs.replace(alert, held_from=prior.state), True
        elif fired and not firing:
            alert = msgspec.structs.replace(alert, held_from=None, untold=())
        self._limits_of.note(alert, firing=firing)
        if opens:
            self._limits.add(rule.id)
            self.at = at
        return alert

    def reopen(self, rules: Iterable[str], alerts: Iterable[Alert], *, at: datetime) -> None:
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
        if self._groups or self._limits:
            self.at = at

    def settle(self) -> None:
        """Decide all that is open: shared alerts, composites before those above them, limits."""
        assert self.at is not None
        at = self.at
        while self._groups:
            depth = min(self._depth(rule.id) for rule, _ in self._groups.values())
            for group in sorted(g for g, (rule, _) in self._groups.items() if self._depth(rule.id) == depth):
                rule, labels = self._groups.pop(group)
                if isinstance(rule, CompositeRule):
                    self._settle_group(rule, labels, group, at=at)
                else:
                    self._judge_opened(rule, labels, at=at)
        for name in sorted(self._limits, key=lambda name: (self._depth(name), name)):
            self._settle_limit(self._rules.by_id[name], at=at)
        self._limits.clear()
        self.at = None

    def keep(self) -> None:
        """Put what is open into the state, where that has changed."""
        value = None
        if self.at is not None:
            groups = tuple((rule.id, labels) for _, (rule, labels) in sorted(self._groups.items()))
            value = Settling(at=self.at, groups=groups, limits=tuple(sorted(self._limits)))
        if value == self._kept:
            return
        if value is None:
            self._store.delete(SETTLING_KEY)
        else:
            self._store.put(SETTLING_KEY, value)
        self._kept = value

    def _depth(self, rule: str) -> int:
        return self._rules.depths.get(rule, 0)

    def _get(self, fingerprint: str) -> Alert | None:
        alert: Alert | None = self._store.get(alert_key(fingerprint))
        return alert

    def _settle_group(self, rule: CompositeRule, labels: dict[str, str], group: str, *, at: datetime) -> None:
        prior = self._get(group)
        now = rule.judge(self._groups_of.members(group, get=self._get), labels=labels, prior=prior)
        if prior is None:
            if now.verdict is not Verdict.MET:
                return
            prior = Alert(fingerprint=group, rule=rule.id, labels=labels)
        self._apply(rule, prior, now, at=at, assessed=None)

    def _settle_limit(self, rule: Rule, *, at: datetime) -> None:
        firing = [a for f in self._limits_of.to_decide(rule) if (a := self._get(f)) is not None]
        kept, held = kept_and_held(firing, limit=rule.limit)
        for alert in held:
            if alert.held_from is not AlertState.OK or alert.untold:
                self._hold_back(rule, alert, at=at)
        for alert in kept:
            if alert.untold:
                self._note(msgspec.structs.replace(alert, held_from=None, untold=()))
                for change in alert.untold:
                    self._say(change)
            elif alert.held_from is not None:
                told = as_told(alert)
                alert = self._note(msgspec.structs.replace(alert, held_from=None))  # noqa: PLW2901
                self._send(rule, told, alert, alert.evaluation or _HELD, reason=Reason.WITHIN_LIMIT, at=at,
                           assessed=None)  # fmt: skip
        blank = self._over_limits.get(rule.id)
        if blank is None:
            blank = self._over_limits[rule.id] = over_limit_alert(rule.id, partition=self._partition)
        prior = self._get(blank.fingerprint)
        if held or prior is not None:
            now = judge_limit(rule, firing_count=self._limits_of.count(rule.id), held=held)
            self._apply(OVER_LIMIT_RULE, prior or blank, now, at=at, assessed=None)

    def _hold_back(self, rule: Rule, alert: Alert, *, at: datetime) -> None:
        """Say that an alert is held back, to those who know it to be anything but ok: firing, pending, without data."""
        told = as_told(alert) if alert.held_from is not None else alert
        self._note(msgspec.structs.replace(alert, held_from=AlertState.OK, untold=()))
        if told.state is AlertState.OK:
            return
        shown = msgspec.structs.replace(alert, state=AlertState.OK)
        self._send(rule, told, shown, alert.evaluation or _HELD, reason=Reason.OVER_LIMIT, at=at, assessed=None)

    def _note(self, alert: Alert) -> Alert:
        self._put(alert)
        self._limits_of.note(alert, firing=True)
        return alert


def as_told(alert: Alert) -> Alert:
    """Return an alert that is held back as others know it."""
    assert alert.held_from is not None
    return msgspec.structs.replace(alert, state=alert.held_from, held_from=None, untold=())
