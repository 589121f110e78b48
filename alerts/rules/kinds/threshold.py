"""Rule kind `threshold`: a fact beyond a limit (with a severity ladder), or a condition that holds.

An unknown fact gives an unknown verdict: it never fires and never resolves, unless `missing: alert` wants it to fire.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from alerts.lifecycle.evaluation import Alert, Evaluation, Level
from alerts.rules.entities import Assessed, facts_of
from alerts.rules.expressions import Condition, Truth
from alerts.rules.fact_rule import FactRule, fact_card
from alerts.rules.fingerprint import build_condition
from alerts.rules.ladder import Limits, build_limits
from alerts.rules.memory import RuleMemory
from alerts.rules.rule import OF_TRUTH
from alerts.rules.rule_specification import ThresholdSpec


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class ThresholdRule(FactRule):
    """A compiled threshold rule; exactly one of `limits` and `when` is set."""

    limits: Limits | None
    when: Condition | None
    level: Level | None

    def evaluate(
        self, assessed: Assessed | None, *, at: datetime, prior: Alert | None = None, memory: RuleMemory | None = None
    ) -> Evaluation:
        """Say whether the rule is met for an assessed entity."""
        assert assessed is not None
        facts = facts_of(assessed)
        if self.where is not None and (truth := self.where.evaluate(facts)) is not Truth.TRUE:
            return self.outside(assessed, truth, prior=prior)
        if self.limits is None:
            return self._condition(assessed, facts, at=at, prior=prior)
        value = facts.get(self.limits.fact)
        if not isinstance(value, int | float) or isinstance(value, bool):
            return self.unknown(assessed, facts, at=at, names={self.limits.fact: None})
        step = self.limits.step_of(value, prior=prior, facts=facts)
        if step is None:
            return self.not_met(assessed, facts, prior=prior)
        return self.met(
            assessed,
            facts,
            step.level,
            value=value,
            threshold=step.limit,
            thresholds={self.limits.fact: step.limit},
            at=at,
            prior=prior,
        )

    def _condition(
        self, assessed: Assessed, facts: Mapping[str, Any], *, at: datetime, prior: Alert | None
    ) -> Evaluation:
        assert self.when is not None and self.level is not None
        match self.when.evaluate(facts):
            case Truth.UNKNOWN:
                return self.unknown(assessed, facts, at=at, names={"when": self.when.text})
            case Truth.FALSE:
                return self.not_met(assessed, facts, prior=prior)
            case Truth.ERROR:
                return OF_TRUTH[Truth.ERROR]
        return self.met(
            assessed,
            facts,
            self.level,
            value=None,
            threshold=None,
            thresholds={"when": self.when.text},
            at=at,
            prior=prior,
        )


def build_threshold(spec: ThresholdSpec) -> ThresholdRule:
    """Compile a threshold rule. Raise `RuleError` where it is refused."""
    limits = build_limits(spec)
    when = build_condition(spec.when, on=spec.on, field="when")
    read = {limits.fact} if limits is not None else set(when.names if when is not None else ())
    return ThresholdRule(
        **fact_card(spec),
        limits=limits,
        when=when,
        shown=tuple(sorted({*spec.occasion, *read})),
        level=Level(step="when", severity=spec.severity, rank=0) if spec.when and spec.severity else None,
    )
