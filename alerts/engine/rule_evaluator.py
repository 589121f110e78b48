"""Evaluates one rule on what is known: its memory, the last assessments, the instant. A rule that fails is an error."""

from datetime import datetime

from alerts.engine.engine_metrics import EngineMetrics
from alerts.engine.last_assessments import LastAssessments
from alerts.engine.rule_matcher import RuleMatch
from alerts.engine.rules_state import memory_key
from alerts.lifecycle.evaluation import Alert, Evaluation, Verdict
from alerts.rules.entities import Assessed
from alerts.rules.memory import RuleMemory
from alerts.rules.rule import is_noop
from alerts.rules.ruleset import Rule
from streams.runtime.stage_ports import StateStore

_CLEAR = Evaluation(verdict=Verdict.CLEAR)
_STALE = Evaluation(verdict=Verdict.STALE)
_FAILED = Evaluation(verdict=Verdict.ERROR)


class RuleEvaluator:
    """Evaluates rules; what a rule stumbles over is counted and never refuses a record."""

    def __init__(self, store: StateStore, last_assessments: LastAssessments, metrics: EngineMetrics) -> None:
        self._store = store
        self._last = last_assessments
        self._metrics = metrics

    def evaluate(
        self, rule: Rule, assessed: Assessed | None, *, at: datetime, prior: Alert | None, memory: RuleMemory | None
    ) -> Evaluation:
        """Return what a rule says of an assessment at an instant; a firing alert goes on firing where it fails."""
        try:
            evaluation = rule.evaluate(assessed, at=at, prior=prior, memory=memory)
        except Exception:  # noqa: BLE001 - figures of a size nobody thought of must not refuse a record
            evaluation = _FAILED
        if evaluation.verdict is Verdict.ERROR:
            self._metrics.errors[rule.id] += 1
        if rule.texts.faults.count:
            self._metrics.errors[rule.id] += rule.texts.faults.take()
        return evaluation

    def evaluate_by_time(self, rule: Rule, alert: Alert, *, at: datetime) -> tuple[Evaluation, Assessed | None]:
        """Return what a rule says of an alert when nothing but time has moved, and the assessment it says it of."""
        if rule.reads_time:
            memory = self.memory(rule, alert.fingerprint)
            assessed = self.subject_of(rule, alert.labels, memory)
            return self.evaluate(rule, assessed, at=at, prior=alert, memory=memory), assessed
        age = rule.timing.max_age
        if age is not None and alert.seen_at is not None and at - alert.seen_at >= age:
            known = self._last.of(rule.on, alert.labels)
            return (rule.stale(known, at=at) if known is not None else _STALE), None
        return alert.evaluation or _CLEAR, None

    def observe(self, match: RuleMatch, assessed: Assessed, *, at: datetime) -> RuleMemory | None:
        """Enter an assessment into the memory of a rule; return it, `None` for a rule without."""
        rule = match.rule
        if not rule.keeps_memory:
            return None
        before: RuleMemory | None = self._store.get(match.memory_key)
        try:
            memory = rule.observe(before, assessed, at=at)
        except Exception:  # noqa: BLE001 - as for an evaluation
            self._metrics.errors[rule.id] += 1
            return before
        if memory is not None and memory is not before:
            self._store.put(match.memory_key, memory)
        return memory

    def memory(self, rule: Rule, fingerprint: str) -> RuleMemory | None:
        """Return what a rule remembers for an alert."""
        memory: RuleMemory | None = self._store.get(memory_key(rule.id, fingerprint)) if rule.keeps_memory else None
        return memory

    def subject_of(self, rule: Rule, labels: dict[str, str], memory: RuleMemory | None) -> Assessed | None:
        """Return the assessment that an alert is about: the last of its entity, or the one its group names."""
        known = self._last.of(rule.on, labels)
        return rule.named(known, memory) if rule.shared else known


def may_change(rule: Rule, prior: Alert | None, evaluation: Evaluation) -> bool:
    """Tell whether evaluating a shared alert on all that is known can change anything, given one assessment's verdict.

    What it is evaluated on in the end differs by the assessment that is named, which cannot change that.
    """
    ages = rule.timing.max_age is not None
    if prior is not None:
        return ages or not is_noop(prior, evaluation)
    if evaluation.verdict is Verdict.UNKNOWN and evaluation.level is None:
        return False
    return ages or evaluation.verdict is not Verdict.CLEAR or evaluation.next_at is not None or not rule.reads_time
