"""The alert engine: evaluates the rules in force over one partition and keeps their alerts.

An assessment passes the stages of `AlertEngine.evaluate` and `AlertEngine.apply` in order: match, evaluate, transition,
limit, record, emit. Alerts are emitted at once, in the order of the log, each at the event time of what changed it; its
own timers due by then run first, since the watermark may lag behind. An engine belongs to one set of rules: timers,
composite groups and limits are rebuilt from the store when it is made.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime

import msgspec

from alerts.engine.alert_limiter import (
    OVER_LIMIT_RULE,
    AlertLimiter,
    as_published,
    judge_limit,
    over_limit_alert,
    worst_first,
)
from alerts.engine.change_events import AlertEvents, build_alert_changed
from alerts.engine.composite_evaluation import BY_TIME, CompositeEvaluation, Composites, Step
from alerts.engine.engine_metrics import EngineMetrics
from alerts.engine.evaluation_cache import EvaluationCache
from alerts.engine.last_assessments import LastAssessments
from alerts.engine.rule_evaluator import RuleEvaluator, may_change
from alerts.engine.rule_matcher import MatchedRules, RuleMatch, RuleMatcher
from alerts.engine.rules_state import alert_key
from alerts.engine.stalled_inputs import INPUT_STALLED_RULE, StalledInputs
from alerts.engine.timer_queue import TimerQueue
from alerts.lifecycle.advance import next_alert
from alerts.lifecycle.alert_transitions import Reason
from alerts.lifecycle.evaluation import Alert, Evaluation, Verdict
from alerts.rules.entities import Assessed, KnownEntity, SourceAssessed
from alerts.rules.rule import is_noop
from alerts.rules.ruleset import Rule, Rules
from streams.contracts.alert import AlertState
from streams.contracts.assessments import MeasureAssessed, RiskAssessed
from streams.runtime.stage_ports import StateStore

_HELD = Evaluation(verdict=Verdict.HOLD)


class AlertEngine:
    """The rules in force over one partition. `cached` false evaluates every rule on every assessment."""

    def __init__(
        self,
        *,
        partition: int,
        rules: Rules,
        store: StateStore,
        metrics: EngineMetrics,
        last_assessments: LastAssessments,
        events: AlertEvents,
        cached: bool = True,
    ) -> None:
        self.rules = rules
        self.matcher = RuleMatcher(rules)
        self._cache = EvaluationCache(enabled=cached)
        self._evaluator = RuleEvaluator(store, last_assessments, metrics)
        self._timers = TimerQueue()
        self._store = store
        self._metrics = metrics
        self._last = last_assessments
        self._events = events
        self._partition = partition
        found = [value for _, value in store.items() if isinstance(value, Alert)]
        self._stalled_inputs = StalledInputs(found)
        alerts = [alert for alert in found if alert.rule in rules.by_id]
        for alert in alerts:
            self._schedule(alert)
        self._limiter = AlertLimiter(alerts)
        self._composites = Composites(rules=rules, store=store, alerts=alerts)

    # ---- an assessment

    def evaluate(self, matched: MatchedRules, assessed: Assessed, *, at: datetime, step: Step) -> None:
        """Evaluate the rules that match the entity of an assessment, at its instant."""
        if isinstance(assessed, RiskAssessed) and self._cache.covers(matched, assessed):
            self._last.put(matched.known_key, assessed)
            return
        self._run_timers_of(matched, at)
        self._last.put(matched.known_key, assessed)
        if not matched.matches:
            return
        since, count = self._metrics.stopwatch(), 0
        for match in matched.matches:
            if isinstance(assessed, RiskAssessed) and self._cache.skips(match, assessed):
                continue
            if isinstance(assessed, SourceAssessed):
                self._evaluator.observe(match, assessed, at=at)
                self._evaluate_shared(match, at=at, step=step)
                continue
            count += 1
            self._evaluate_match(match, assessed, at=at, step=step)
        if isinstance(assessed, RiskAssessed):
            self._cache.merge(matched, assessed)
        self.publish_within_limits(at)
        self._metrics.evaluated(count, since=since)

    def _evaluate_match(self, match: RuleMatch, assessed: Assessed, *, at: datetime, step: Step) -> None:
        rule = match.rule
        prior: Alert | None = self._store.get(match.alert_key)
        moment = _not_before(prior, at)
        memory = self._evaluator.observe(match, assessed, at=at) if rule.keeps_memory else None
        evaluation = self._evaluator.evaluate(rule, assessed, at=moment, prior=prior, memory=memory)
        if rule.shared:
            if may_change(rule, prior, evaluation):
                self._evaluate_shared(match, at=at, step=step)
            return
        stays = self._apply_to_match(match, prior, evaluation, at=moment, step=step, assessed=assessed)
        self._cache.remember(match, assessed, evaluation, prior=prior, stays=stays)

    def _evaluate_shared(self, match: RuleMatch, *, at: datetime, step: Step) -> None:
        """Evaluate an alert that several entities share, on all that is known of them."""
        rule = match.rule
        prior: Alert | None = self._store.get(match.alert_key)
        at = _not_before(prior, at)
        memory = self._evaluator.memory(rule, match.fingerprint)
        assessed = self._evaluator.subject_of(rule, match.labels, memory)
        evaluation = self._evaluator.evaluate(rule, assessed, at=at, prior=prior, memory=memory)
        self._apply_to_match(match, prior, evaluation, at=at, step=step, assessed=assessed)

    def _apply_to_match(
        self,
        match: RuleMatch,
        prior: Alert | None,
        evaluation: Evaluation,
        *,
        at: datetime,
        step: Step,
        assessed: Assessed | None,
    ) -> bool:
        """Apply an evaluation where it can change the alert; return whether the alert stays as it is from now on."""
        rule = match.rule
        ages = rule.timing.max_age is not None
        if prior is None:
            if evaluation.verdict is Verdict.UNKNOWN and evaluation.level is None:
                return True  # what was never known is not lost: no_data is for facts that were there and went
            quiet = evaluation.verdict is Verdict.CLEAR and evaluation.next_at is None and not ages
            if quiet and (isinstance(assessed, MeasureAssessed) or rule.reads_time):
                return True
            prior = Alert(fingerprint=match.fingerprint, rule=rule.id, labels=match.labels)
            if quiet:
                self.put(prior)
                return False
        elif not ages and is_noop(prior, evaluation):
            return True  # by far the most assessments
        if ages:
            prior = msgspec.structs.replace(prior, seen_at=at)
            self.put(prior)
        return self.apply(rule, prior, evaluation, at=at, step=step, assessed=assessed)

    # ---- an alert

    def apply(
        self, rule: Rule, prior: Alert, evaluation: Evaluation, *, at: datetime, step: Step, assessed: Assessed | None
    ) -> bool:
        """Apply an evaluation to an alert: transition, limit, record, emit.

        Return whether the alert stays as it is, at this instant and any later one.
        """
        advance = next_alert(prior, evaluation, rule.timing, at=at)
        alert = advance.next
        if alert == prior and not advance.changed:
            return alert.due_at is None and alert.waiting_since is None
        if alert != prior:
            alert = msgspec.structs.replace(alert, at=at, nth=prior.nth + 1 if prior.at == at else 0)
            alert = self._limiter.limited(rule, prior, alert)
            self._record(rule, prior, alert, at=at, step=step)
        self._emit(
            rule, prior, alert, evaluation, changed=advance.changed, reason=advance.reason, at=at, assessed=assessed
        )
        return False

    def _record(self, rule: Rule, prior: Alert, alert: Alert, *, at: datetime, step: Step) -> None:
        self.put(alert)
        self._schedule(alert)  # also where it stays: it may be the instant that was just taken off the queue
        if alert.state is not prior.state:
            self._metrics.moved(rule.id, alert.state)
            self._composites.note(prior, alert, at=at, step=step)

    def _emit(
        self,
        rule: Rule,
        prior: Alert,
        alert: Alert,
        evaluation: Evaluation,
        *,
        changed: bool,
        reason: Reason,
        at: datetime,
        assessed: Assessed | None,
    ) -> None:
        """Emit a change as others see it: a suppressed alert keeps the state that was published last."""
        if alert.suppressed_from is not None:
            if prior.suppressed_from is None and prior.state is not AlertState.OK:
                shown = msgspec.structs.replace(alert, state=AlertState.OK)  # else others would wait for it for ever
                self.emit(rule, prior, shown, evaluation, reason=Reason.OVER_LIMIT, at=at)
            return
        if not changed:
            return
        published = as_published(prior) if prior.suppressed_from is not None else prior
        if prior.suppressed_from is not None and published.state is alert.state:
            return
        self.emit(rule, published, alert, evaluation, reason=reason, at=at, assessed=assessed)

    def emit(
        self,
        rule: Rule,
        prior: Alert,
        alert: Alert,
        evaluation: Evaluation,
        *,
        reason: Reason,
        at: datetime,
        assessed: Assessed | None = None,
    ) -> None:
        """Emit the change of an alert from what others know of it."""
        self._events.emit(build_alert_changed(rule, prior, alert, evaluation, reason=reason, at=at, assessed=assessed))
        if rule.texts.faults.count:
            self._metrics.errors[rule.id] += rule.texts.faults.take()

    def put(self, alert: Alert) -> None:
        """Store an alert and drop its cached verdict."""
        self._store.put(alert_key(alert.fingerprint), alert)
        self._cache.invalidate(alert.fingerprint)

    def _schedule(self, alert: Alert) -> None:
        if alert.due_at is not None:
            self._timers.schedule(alert.fingerprint, alert.due_at)

    def acknowledged(self, prior: Alert, alert: Alert, *, at: datetime) -> None:
        """Record an acknowledgement, or its withdrawal: a repeat that fell due meanwhile is emitted now, once."""
        self.put(alert)
        self._schedule(alert)
        if alert.acknowledged_by is None and self.rules.by_id[prior.rule].reads_time:
            self._on_timer(alert, at)

    # ---- time

    def run_until(self, to: datetime) -> None:
        """Let time pass up to an instant: timers and composites in order of their instants, timers first."""
        while self.run_next(to):
            pass

    def run_next(self, to: datetime) -> bool:
        """Run the timer or evaluate the composites that come next, if by an instant; return whether there was any."""
        due_at, changed_at = self._timers.first_at(), self._composites.first_at()
        if due_at is not None and due_at <= to and (changed_at is None or due_at <= changed_at):
            self._run_timer(*self._timers.pop())
            return True
        if changed_at is not None and changed_at <= to:
            self._apply_composites(self._composites.evaluate_first())
            return True
        return False

    def _run_timer(self, at: datetime, fingerprint: str) -> None:
        alert: Alert | None = self._store.get(alert_key(fingerprint))
        if alert is None or alert.due_at is None or alert.rule not in self.rules.by_id:
            return
        if alert.due_at > at:
            self._schedule(alert)
        else:
            self._on_timer(alert, _not_before(alert, at))

    def _run_timers_of(self, matched: MatchedRules, at: datetime) -> None:
        """Run the timers of an entity's alerts that are due by an instant, before what is assessed at it is known."""
        due_at = self._timers.first_at()
        if due_at is None or due_at > at:
            return
        for match in matched.matches:
            alert: Alert | None = self._store.get(match.alert_key)
            if alert is not None and alert.due_at is not None:
                self.run_timers_of_alert(alert, at)

    def run_timers_of_alert(self, alert: Alert, at: datetime) -> Alert:
        """Run the timers of an alert that are due by an instant; return it as it then stands."""
        while alert.due_at is not None and alert.due_at <= at:
            due_at = alert.due_at
            self._on_timer(alert, _not_before(alert, due_at))
            after: Alert | None = self._store.get(alert_key(alert.fingerprint))
            if after is None or after.due_at == due_at:
                return after or alert
            alert = after
        return alert

    def _on_timer(self, alert: Alert, at: datetime) -> None:
        """Evaluate an alert at an instant at which nothing but time has moved."""
        rule = self.rules.by_id[alert.rule]
        evaluation, assessed = self._evaluator.evaluate_by_time(rule, alert, at=at)
        self.apply(rule, alert, evaluation, at=at, step=BY_TIME, assessed=assessed)
        self.publish_within_limits(at)

    # ---- composites, limits, stalled inputs

    def _apply_composites(self, evaluations: Iterable[CompositeEvaluation]) -> None:
        for each in evaluations:
            moment = _not_before(each.prior, each.at)
            self.apply(each.rule, each.prior, each.evaluation, at=moment, step=each.step, assessed=None)
            self.publish_within_limits(moment)

    def evaluate_queued_composites(self) -> None:
        """Evaluate the composites whose members changed, wherever the watermark stands: before the rules change."""
        self._apply_composites(self._composites.evaluate_all())
        self._composites.flush()

    def flush(self) -> None:
        """Write what is kept for later to the store; called when a record ends."""
        self._composites.flush()

    def publish_within_limits(self, at: datetime) -> None:
        """Publish suppressed alerts for which there is room now, and say how many are left, of rules that changed."""
        while self._limiter.changed:
            name = min(self._limiter.changed)
            self._limiter.changed.discard(name)
            rule = self.rules.by_id.get(name)
            if rule is not None:  # the alerts about limits and inputs have none
                self._publish_within_limit(rule, at=at)

    def _publish_within_limit(self, rule: Rule, *, at: datetime) -> None:
        stored = (self._store.get(alert_key(fingerprint)) for fingerprint in self._limiter.held(rule.id))
        held = worst_first(alert for alert in stored if alert is not None)
        room = max(self._limiter.room(rule), 0)
        for alert in held[:room]:
            published = msgspec.structs.replace(alert, suppressed_from=None)
            self.put(published)
            self._limiter.note(published)
            self.emit(
                rule,
                as_published(alert),
                published,
                alert.evaluation or _HELD,
                reason=Reason.WITHIN_LIMIT,
                at=_not_before(alert, at),
            )
        blank = over_limit_alert(rule.id, partition=self._partition)
        prior: Alert | None = self._store.get(alert_key(blank.fingerprint))
        if held[room:] or prior is not None:
            evaluation = judge_limit(rule, firing_count=self._limiter.count(rule.id), held=held[room:])
            moment = _not_before(prior, at)
            self.apply(OVER_LIMIT_RULE, prior or blank, evaluation, at=moment, step=BY_TIME, assessed=None)

    def evaluate_inputs(self, stalled: Sequence[str], *, at: datetime) -> None:
        """Alert about inputs that time goes on without, and about their return."""
        for blank, evaluation in self._stalled_inputs.changes(stalled):
            prior: Alert = self._store.get(alert_key(blank.fingerprint)) or blank
            moment = _not_before(prior, at)
            self.apply(INPUT_STALLED_RULE, prior, evaluation, at=moment, step=BY_TIME, assessed=None)

    # ---- another rule set

    def reevaluate(self, touched: set[str], fresh: set[str], *, at: datetime, step: Step) -> set[str]:
        """Evaluate new and changed rules on the last assessment of every entity; return the alerts they match."""
        known = [(key, value.assessed) for key, value in self._store.items() if isinstance(value, KnownEntity)]
        matched: set[str] = set()
        shared: dict[str, RuleMatch] = {}
        for _, assessed in sorted(known, key=lambda entry: (entry[1].at, entry[0])):
            for match in self.matcher.of(assessed).matches:
                rule = match.rule
                if rule.id not in touched:
                    continue
                matched.add(match.fingerprint)
                prior: Alert | None = self._store.get(match.alert_key)
                memory = self._evaluator.memory(rule, match.fingerprint)
                if rule.keeps_memory and rule.id in fresh:
                    memory = self._evaluator.observe(match, assessed, at=assessed.at)
                age = rule.timing.resolve_after
                if prior is None and age is not None and at - assessed.at >= age:
                    continue  # news of before the rule that is old news by now
                if rule.shared:
                    shared[match.fingerprint] = match
                    continue
                evaluation = self._evaluator.evaluate(rule, assessed, at=at, prior=prior, memory=memory)
                self._apply_to_match(match, prior, evaluation, at=_not_before(prior, at), step=step, assessed=assessed)
        for _, match in sorted(shared.items()):
            self._evaluate_shared(match, at=at, step=step)
        return matched

    def reevaluate_above(self, rules: set[str], alerts: Iterable[Alert], *, at: datetime, step: Step) -> None:
        """Evaluate composites and limits of rules whose definition, or whose members, changed."""
        self._limiter.reconsider(rules)
        self._apply_composites(self._composites.reevaluate(rules, alerts, at=at, step=step))
        self.publish_within_limits(at)


def _not_before(alert: Alert | None, at: datetime) -> datetime:
    """Return an instant, not before that of the last change of an alert: its changes are emitted in order of time."""
    return at if alert is None or alert.at is None or alert.at <= at else alert.at
