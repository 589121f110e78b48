"""Judging the alerts of one partition: what rules say of what is known, and what becomes of their alerts.

An alert is told at once, in the order of the log. Each is judged at the instant of what happened to it, after its own
timers due by then: the watermark may lag behind. A judge belongs to one set of rules; heap, groups and counts are
rebuilt from the state when it is made.
"""

from collections.abc import Callable, Sequence
from datetime import datetime

import msgspec

from alerts.engine.alert_limiter import (
    OVER_LIMIT_RULE,
    AlertLimiter,
    as_published,
    judge_limit,
    over_limit_alert,
    severity_rank,
    worst_first,
)
from alerts.engine.change_events import build_alert_changed
from alerts.engine.composite_evaluation import BY_TIME, Composites, Step
from alerts.engine.engine_metrics import EngineMetrics
from alerts.engine.rule_matcher import MatchedRules, RuleMatch, RuleMatcher
from alerts.engine.rules_state import alert_key, memory_key
from alerts.engine.stalled_inputs import INPUT_STALLED_RULE, StalledInputs
from alerts.engine.timer_queue import TimerQueue
from alerts.lifecycle.advance import FIRING_STATES, next_alert
from alerts.lifecycle.alert_transitions import Reason
from alerts.lifecycle.evaluation import Alert, Evaluation, Verdict
from alerts.rules.entities import Assessed, KnownEntity, SourceAssessed
from alerts.rules.memory import RuleMemory
from alerts.rules.rule import changes_nothing
from alerts.rules.ruleset import Rule, Rules
from streams.contracts.alert import AlertChanged, AlertState
from streams.contracts.assessments import MeasureAssessed
from streams.runtime.stage_ports import StateStore

_STALE = Evaluation(verdict=Verdict.STALE)
_FAILED = Evaluation(verdict=Verdict.ERROR)
_HELD = Evaluation(verdict=Verdict.HOLD)


class AlertEngine:
    """The rules in force over one partition.

    `known` gives the last assessment of an entity by its kind and labels, `say` tells a change.
    """

    def __init__(
        self, *, partition: int, rules: Rules, store: StateStore, counts: EngineMetrics,
        known: Callable[[str, dict[str, str]], Assessed | None], say: Callable[[AlertChanged], None],
    ) -> None:  # fmt: skip
        self.rules = rules
        self.due = TimerQueue()
        self.matcher = RuleMatcher(rules)
        self._store = store
        self._counts = counts
        self._known = known
        self._say = say
        self._partition = partition
        found = [value for _, value in store.items() if isinstance(value, Alert)]
        self._stalled_inputs = StalledInputs(found)
        alerts = [alert for alert in found if alert.rule in rules.by_id]
        for alert in alerts:
            if alert.due_at is not None:
                self.due.schedule(alert.fingerprint, alert.due_at)
        self.limits = AlertLimiter(alerts)
        self.composites = Composites(rules=rules, store=store, alerts=alerts, apply=self._apply_to_composite)

    def run_until(self, to: datetime) -> None:
        """Let time pass up to an instant: timers and composites in order of their instants, timers first."""
        while self.run_next(to):
            pass

    def run_next(self, to: datetime) -> bool:
        """Run the timer or decide the composites that come next, if by an instant; tell whether there was anything."""
        due_at, changed_at = self.due.first_at(), self.composites.first_at()
        if due_at is not None and due_at <= to and (changed_at is None or due_at <= changed_at):
            self._came_due(*self.due.pop())
            return True
        if changed_at is not None and changed_at <= to:
            self.composites.decide_first()
            return True
        return False

    def _came_due(self, at: datetime, fingerprint: str) -> None:
        alert: Alert | None = self._store.get(alert_key(fingerprint))
        if alert is None or alert.due_at is None or alert.rule not in self.rules.by_id:
            return
        if alert.due_at > at:
            self.due.schedule(fingerprint, alert.due_at)
        else:
            self.time_passed(alert, _not_before(alert, at))

    def catch_up(self, matched: MatchedRules, *, at: datetime) -> None:
        """Run the timers of an entity's alerts that are due by an instant, before what happens at it is known."""
        due_at = self.due.first_at()
        if due_at is None or due_at > at:
            return
        for match in matched.matches:
            if match.cached is None:
                alert: Alert | None = self._store.get(match.alert_key)
                if alert is not None:
                    self.catch_up_alert(alert, at)

    def catch_up_alert(self, alert: Alert, at: datetime) -> Alert:
        """Run the timers of an alert that are due by an instant; return it as it then stands."""
        while alert.due_at is not None and alert.due_at <= at:
            due_at = alert.due_at
            self.time_passed(alert, _not_before(alert, due_at))
            after: Alert | None = self._store.get(alert_key(alert.fingerprint))
            if after is None or after.due_at == due_at:
                return after or alert
            alert = after
        return alert

    def time_passed(self, alert: Alert, at: datetime) -> None:
        """Evaluate an alert at an instant at which nothing but time has moved."""
        rule = self.rules.by_id[alert.rule]
        age = rule.timing.max_age
        assessed: Assessed | None = None
        if rule.reads_time:
            memory = self._memory(rule, alert.fingerprint)
            assessed = self._named(rule, alert.labels, memory)
            evaluation = self._evaluation(rule, assessed, at=at, prior=alert, memory=memory)
        else:
            evaluation = alert.evaluation or Evaluation(verdict=Verdict.CLEAR)
            if age is not None and alert.seen_at is not None and at - alert.seen_at >= age:
                known = self._known(rule.on, alert.labels)
                evaluation = rule.stale(known, at=at) if known is not None else _STALE
        self._apply(rule, alert, evaluation, at=at, step=BY_TIME, assessed=assessed)
        self.decide_limits(at)

    def put(self, alert: Alert) -> None:
        """Keep an alert; what was known of when it stays as it is holds no more."""
        self._store.put(alert_key(alert.fingerprint), alert)
        self.matcher.invalidate(alert.fingerprint)

    def meet(self, matched: MatchedRules, assessed: Assessed, *, at: datetime, step: Step) -> None:
        """Evaluate the rules of an entity that may change something. `catch_up` goes before."""
        if not matched.matches:
            return
        since, count = self._counts.stopwatch(), 0
        for match in matched.matches:
            rule = match.rule
            if match.cached is not None and match.cached.contains(assessed):  # type: ignore[arg-type]
                continue
            if isinstance(assessed, SourceAssessed):
                self._judge_source(match, assessed, at=at, step=step)
                continue
            count += 1
            prior: Alert | None = self._store.get(match.alert_key)
            moment = _not_before(prior, at)
            memory: RuleMemory | None = None
            if rule.keeps_memory:
                before = self._store.get(match.memory_key)
                memory = self._observed(rule, before, assessed, at=at)
                if memory is not None and memory is not before:
                    self._store.put(match.memory_key, memory)
            evaluation = self._evaluation(rule, assessed, at=moment, prior=prior, memory=memory)
            if rule.shared:
                if _may_change(rule, prior, evaluation):
                    self._judge_shared(rule, match.labels, match.fingerprint, at=at, step=step)
                continue
            stays = self._judged(
                rule, match.labels, match.fingerprint, prior, evaluation, at=moment, step=step, assessed=assessed
            )
            match.note(assessed, evaluation, prior=prior, stays=stays)
        self.decide_limits(at)
        self._counts.evaluated(count, since=since)

    def _memory(self, rule: Rule, fingerprint: str) -> RuleMemory | None:
        memory: RuleMemory | None = self._store.get(memory_key(rule.id, fingerprint)) if rule.keeps_memory else None
        return memory

    def _named(self, rule: Rule, labels: dict[str, str], memory: RuleMemory | None) -> Assessed | None:
        known = self._known(rule.on, labels)
        return rule.named(known, memory) if rule.shared else known

    def _judge_source(self, match: RuleMatch, assessed: SourceAssessed, *, at: datetime, step: Step) -> None:
        """AlertEngine what a source says by a rule over sources; several series may speak for its alert."""
        rule = match.rule
        if rule.keeps_memory:
            memory = self._observed(rule, self._memory(rule, match.fingerprint), assessed, at=at)
            if memory is not None:
                self._store.put(match.memory_key, memory)
        self._judge_shared(rule, match.labels, match.fingerprint, at=at, step=step)

    def _judge_shared(
        self, rule: Rule, labels: dict[str, str], fingerprint: str, *, at: datetime, step: Step
    ) -> None:  # fmt: skip
        """AlertEngine an alert that several entities share, on all that is known of them."""
        prior: Alert | None = self._store.get(alert_key(fingerprint))
        at = _not_before(prior, at)
        memory = self._memory(rule, fingerprint)
        assessed = self._named(rule, labels, memory)
        now = self._evaluation(rule, assessed, at=at, prior=prior, memory=memory)
        self._judged(rule, labels, fingerprint, prior, now, at=at, step=step, assessed=assessed)

    def _evaluation(
        self, rule: Rule, assessed: Assessed | None, *, at: datetime, prior: Alert | None, memory: RuleMemory | None
    ) -> Evaluation:
        try:
            evaluation = rule.evaluate(assessed, at=at, prior=prior, memory=memory)
        except Exception:  # noqa: BLE001 - whatever a rule stumbles over, no record is refused for it
            evaluation = _FAILED  # figures of a size nobody thought of; a firing alert goes on firing
        if evaluation.verdict is Verdict.ERROR:
            self._counts.errors[rule.id] += 1
        if rule.texts.faults.count:
            self._counts.errors[rule.id] += rule.texts.faults.take()
        return evaluation

    def _observed(
        self, rule: Rule, before: RuleMemory | None, assessed: Assessed, *, at: datetime
    ) -> RuleMemory | None:  # fmt: skip
        try:
            return rule.observe(before, assessed, at=at)
        except Exception:  # noqa: BLE001 - as for an evaluation
            self._counts.errors[rule.id] += 1
            return before

    def _judged(
        self, rule: Rule, labels: dict[str, str], fingerprint: str, prior: Alert | None, now: Evaluation, *,
        at: datetime, step: Step, assessed: Assessed | None,
    ) -> bool:  # fmt: skip
        """Apply an evaluation to an alert; tell whether it stays as it is, at this instant and any later one."""
        ages = rule.timing.max_age is not None
        if prior is None:
            if now.verdict is Verdict.UNKNOWN and now.level is None:
                return True  # what was never known is not lost: no_data is for facts that were there and went
            quiet = now.verdict is Verdict.CLEAR and now.next_at is None and not ages
            if quiet and (isinstance(assessed, MeasureAssessed) or rule.reads_time):
                return True
            prior = Alert(fingerprint=fingerprint, rule=rule.id, labels=labels)
            if quiet:
                self.put(prior)
                return False
        elif not ages and changes_nothing(prior, now):
            return True  # by far the most assessments
        if ages:
            prior = msgspec.structs.replace(prior, seen_at=at)
            self.put(prior)
        return self._apply(rule, prior, now, at=at, step=step, assessed=assessed)

    def _apply_to_composite(
        self, rule: Rule, prior: Alert, now: Evaluation, *, at: datetime, step: Step, assessed: Assessed | None
    ) -> bool:
        stays = self._apply(rule, prior, now, at=at, step=step, assessed=assessed)
        self.decide_limits(at)
        return stays

    def _apply(
        self, rule: Rule, prior: Alert, now: Evaluation, *, at: datetime, step: Step, assessed: Assessed | None
    ) -> bool:
        """Apply an evaluation; tell whether the alert stays as it is, at this instant and any later one."""
        advance = next_alert(prior, now, rule.timing, at=at)
        alert = advance.next
        if alert != prior:
            alert = msgspec.structs.replace(alert, at=at, nth=prior.nth + 1 if prior.at == at else 0)
            if (alert.state in FIRING_STATES) != (prior.state in FIRING_STATES):
                alert = self.limits.applied(rule, prior, alert)
            elif alert.suppressed_from is not None and severity_rank(alert) != severity_rank(prior):
                self.limits.changed.add(rule.id)  # what is said of a limit is as severe as the worst it holds back
            self.put(alert)
            if alert.due_at is not None:  # also where it stays: it may be the instant that was just taken off the heap
                self.due.schedule(prior.fingerprint, alert.due_at)
            if alert.state is not prior.state:
                self._counts.moved(rule.id, alert.state)
                self.composites.note(prior, alert, at=at, step=step)
        elif not advance.changed:
            return alert.due_at is None and alert.waiting_since is None
        if alert.suppressed_from is not None and prior.suppressed_from is None and prior.state is not AlertState.OK:
            shown = msgspec.structs.replace(alert, state=AlertState.OK)  # else others would wait for it for ever
            self.send(rule, prior, shown, now, reason=Reason.OVER_LIMIT, at=at, assessed=None)
        if not advance.changed or alert.suppressed_from is not None:
            return False
        told = prior
        if prior.suppressed_from is not None:  # it was held back: others know another state than the one it left
            told = as_published(prior)
            if told.state is alert.state:
                return False
        self.send(rule, told, alert, now, reason=advance.reason, at=at, assessed=assessed)
        return False

    def judge_inputs(self, stalled: Sequence[str], *, at: datetime) -> None:
        """Tell of inputs that time goes on without, and of their return."""
        for blank, now in self._stalled_inputs.changes(stalled):
            prior: Alert = self._store.get(alert_key(blank.fingerprint)) or blank
            self._apply(INPUT_STALLED_RULE, prior, now, at=_not_before(prior, at), step=BY_TIME, assessed=None)

    def decide_limits(self, at: datetime) -> None:
        """Tell held alerts for which there is room now, and say how many are held, of rules where that changed."""
        while self.limits.changed:
            name = min(self.limits.changed)
            self.limits.changed.discard(name)
            rule = self.rules.by_id.get(name)
            if rule is not None:  # what is told of limits and inputs has none
                self._decide_limit(rule, at=at)

    def _decide_limit(self, rule: Rule, *, at: datetime) -> None:
        waiting = (self._store.get(alert_key(fingerprint)) for fingerprint in self.limits.held(rule.id))
        held = worst_first(alert for alert in waiting if alert is not None)
        room = max(self.limits.room(rule), 0)
        for alert in held[:room]:
            told = msgspec.structs.replace(alert, suppressed_from=None)
            self.put(told)
            self.limits.note(told)
            moment = _not_before(alert, at)
            self.send(
                rule, as_published(alert), told, alert.evaluation or _HELD, reason=Reason.WITHIN_LIMIT, at=moment,
                assessed=None,
            )  # fmt: skip
        blank = over_limit_alert(rule.id, partition=self._partition)
        prior: Alert | None = self._store.get(alert_key(blank.fingerprint))
        if held[room:] or prior is not None:
            now = judge_limit(rule, firing_count=self.limits.count(rule.id), held=held[room:])
            moment = _not_before(prior, at)
            self._apply(OVER_LIMIT_RULE, prior or blank, now, at=moment, step=BY_TIME, assessed=None)

    def reconsider(self, touched: set[str], fresh: set[str], *, at: datetime, step: Step) -> set[str]:
        """Evaluate rules that are new or changed on what is known of every entity; return whose alerts these are."""
        known = [(key, value.assessed) for key, value in self._store.items() if isinstance(value, KnownEntity)]
        met: set[str] = set()
        shared: dict[str, RuleMatch] = {}
        for _, assessed in sorted(known, key=lambda entry: (entry[1].at, entry[0])):
            for match in self.matcher.of(assessed).matches:
                rule = match.rule
                if rule.id not in touched:
                    continue
                met.add(match.fingerprint)
                prior: Alert | None = self._store.get(match.alert_key)
                memory = self._store.get(match.memory_key) if rule.keeps_memory else None
                if rule.keeps_memory and rule.id in fresh:
                    memory = self._observed(rule, memory, assessed, at=assessed.at)
                    if memory is not None:
                        self._store.put(match.memory_key, memory)
                age = rule.timing.resolve_after
                if prior is None and age is not None and at - assessed.at >= age:
                    continue  # news of before the rule that is old news by now
                if rule.shared:
                    shared[match.fingerprint] = match
                    continue
                now = self._evaluation(rule, assessed, at=at, prior=prior, memory=memory)
                moment = _not_before(prior, at)
                self._judged(rule, match.labels, match.fingerprint, prior, now, at=moment, step=step, assessed=assessed)
        for fingerprint, match in sorted(shared.items()):
            self._judge_shared(match.rule, match.labels, fingerprint, at=at, step=step)
        return met

    def send(
        self, rule: Rule, prior: Alert, alert: Alert, now: Evaluation, *, reason: Reason, at: datetime,
        assessed: Assessed | None,
    ) -> None:  # fmt: skip
        """Say that an alert changed."""
        changed = build_alert_changed(rule, prior, alert, now, reason=reason, at=at, assessed=assessed)
        if rule.texts.faults.count:
            self._counts.errors[rule.id] += rule.texts.faults.take()
        self._say(changed)


def _not_before(alert: Alert | None, at: datetime) -> datetime:
    """Return an instant, not before that of the last change of an alert: what is told of it is in order."""
    return at if alert is None or alert.at is None or alert.at <= at else alert.at


def _may_change(rule: Rule, prior: Alert | None, now: Evaluation) -> bool:
    """Tell whether judging a shared alert by an evaluation can change anything.

    What it is judged on in the end differs by the assessment that is named, which cannot change that.
    """
    ages = rule.timing.max_age is not None
    if prior is not None:
        return ages or not changes_nothing(prior, now)
    if now.verdict is Verdict.UNKNOWN and now.level is None:
        return False
    return ages or now.verdict is not Verdict.CLEAR or now.next_at is not None or not rule.reads_time
