"""What the kinds over facts of one entity share: where, hysteresis, occasions, and the words of a result."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from alerts.lifecycle.evaluation import Alert, Evaluation, Flap, Level, MissingPolicy, Timing, Verdict
from alerts.rules.durations import parse_duration
from alerts.rules.entities import Assessed, facts_of, is_synthetic, materials_of
from alerts.rules.expressions import Condition, Truth
from alerts.rules.facts import CATALOGUE
from alerts.rules.fingerprint import RuleError, as_fact, build_condition, build_texts, content_hash, text_values
from alerts.rules.rule import CLEAR, HOLD, OF_TRUTH, OUTSIDE, STALE, CompiledRule, common_fields, fires, is_unchanged
from alerts.rules.rule_specification import (
    AbsenceSpec,
    ChangeSpec,
    CompositeSpec,
    SequenceSpec,
    ThresholdSpec,
)
from streams.contracts.assessments import Fact, MeasureAssessed
from streams.contracts.dates import days_left

_Timed = ThresholdSpec | ChangeSpec | AbsenceSpec | CompositeSpec | SequenceSpec


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class FactRule(CompiledRule):
    """A rule over the facts of one entity. `shown` names the facts whose values an alert carries."""

    resolve_when: Condition | None
    occasion: tuple[str, ...]
    shown: tuple[str, ...]

    def outside(self, assessed: Assessed, truth: Truth, *, prior: Alert | None) -> Evaluation:
        """Say what holds for an entity that `where` leaves out, or of which it is not known."""
        return self.over(assessed) if truth is Truth.FALSE and fires(prior) else OUTSIDE[truth]

    def not_met(self, assessed: Assessed, facts: Mapping[str, Any], *, prior: Alert | None) -> Evaluation:
        """Say what holds where the condition does not: over, or with `resolve_when` perhaps neither."""
        if not fires(prior):
            return CLEAR
        if self.resolve_when is None:
            return self.over(assessed)
        truth = self.resolve_when.evaluate(facts)
        if truth is Truth.TRUE:
            return self.over(assessed)
        return HOLD if truth is Truth.FALSE else OF_TRUTH[truth]

    def over(self, assessed: Assessed) -> Evaluation:
        """Say that it is over, with the values that say so."""
        values = self.values_of(facts_of(assessed))
        return Evaluation(verdict=Verdict.CLEAR, values=values, causes=assessed.causes)

    def values_of(self, facts: Mapping[str, Any]) -> dict[str, Fact]:
        """Return the values an alert carries."""
        return {name: as_fact(facts.get(name)) for name in self.shown}

    def occasion_of(self, facts: Mapping[str, Any]) -> str:
        """Name what it is about."""
        return ", ".join(f"{name} {facts.get(name)}" for name in self.occasion)

    def met(
        self,
        assessed: Assessed,
        facts: Mapping[str, Any],
        level: Level,
        *,
        value: Fact,
        threshold: Fact,
        thresholds: dict[str, Fact],
        at: datetime,
        values: Mapping[str, Fact] | None = None,
        verdict: Verdict = Verdict.MET,
        prior: Alert | None = None,
    ) -> Evaluation:
        """Say that it is met at a level, in full: values, thresholds, causes and words.

        Where `prior` fires at that level for that occasion already nothing is told, so no words are made.
        """
        occasion = self.occasion_of(facts)
        if prior is not None and is_unchanged(prior, level, occasion):
            return Evaluation(verdict=verdict, level=level, occasion=occasion)
        extra: dict[str, Any] = {
            **(values or {}),
            "value": value,
            "threshold": threshold,
            "step": level.step,
            "severity": level.severity,
        }
        if isinstance(assessed, MeasureAssessed):
            left = assessed.legal_end and days_left(assessed.legal_end, at=at, zone=assessed.zone)
            extra |= {"days_left": left, "deadline": facts["legal_end"]}
        return Evaluation(
            verdict=verdict,
            level=level,
            occasion=occasion,
            values={**self.values_of(facts), **(values or {})},
            thresholds=thresholds,
            materials=materials_of(assessed),
            causes=assessed.causes,
            texts=self.texts.render(text_values(assessed, extra)),
            synthetic=is_synthetic(assessed),
        )

    def unknown(
        self, assessed: Assessed, facts: Mapping[str, Any], *, at: datetime, names: Mapping[str, Fact]
    ) -> Evaluation:
        """Say that facts are missing."""
        return self._gap(assessed, facts, OF_TRUTH[Truth.UNKNOWN], at=at, names=names)

    def stale(self, assessed: Assessed, *, at: datetime) -> Evaluation:
        """Say that the facts of an entity are older than the rule's `max_age`."""
        return self._gap(assessed, facts_of(assessed), STALE, at=at, names={})

    def _gap(
        self,
        assessed: Assessed,
        facts: Mapping[str, Any],
        plain: Evaluation,
        *,
        at: datetime,
        names: Mapping[str, Fact],
    ) -> Evaluation:
        """Say it in full where the policy `alert` makes an alert of it."""
        level = self.timing.missing_level
        if level is None:
            return plain
        return self.met(
            assessed, facts, level, value=None, threshold=None, thresholds=dict(names), at=at, verdict=plain.verdict
        )


def build_timing(spec: _Timed) -> Timing:
    """Compile how the alerts of a rule wait. Raise `RuleError` where it makes no sense."""
    facts = spec if isinstance(spec, ThresholdSpec | ChangeSpec) else None
    flap = None
    if spec.flap is not None:
        flap = Flap(times=spec.flap.times, within=parse_duration(spec.flap.within))
        if not flap.within:
            raise RuleError(field="flap.within", detail="is no time: write for instance 1h")
    policy = MissingPolicy(facts.missing) if facts else MissingPolicy.MARK
    level = None
    if policy is MissingPolicy.ALERT and facts:
        level = Level(step="missing", severity=facts.missing_severity, rank=-1)
    max_age = parse_duration(facts.max_age) if facts and facts.max_age else None
    if max_age is not None and not max_age:
        raise RuleError(field="max_age", detail="is no time: write for instance 7d")
    resolve_after = parse_duration(spec.resolve_after) if spec.resolve_after else None
    if resolve_after is not None and not resolve_after:
        raise RuleError(field="resolve_after", detail="is no time: write for instance 14d")
    return Timing(
        for_=parse_duration(spec.for_),
        keep_firing_for=parse_duration(spec.keep_firing_for),
        resolve_after=resolve_after,
        max_age=max_age,
        flap=flap,
        missing=policy,
        missing_level=level,
    )


def check_facts(names: tuple[str, ...], *, on: str, field: str) -> tuple[str, ...]:
    """Check that an entity kind has facts of these names, and return them. Raise `RuleError` otherwise."""
    for name in names:
        if name not in CATALOGUE[on]:
            raise RuleError(field=field, detail=f"names {name!r}, which is no fact of {on}")
    return names


def fact_card(spec: ThresholdSpec | ChangeSpec, *, more: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return the fields that kinds over facts take from the specification; texts may name `more`. Raise `RuleError`."""
    return common_fields(
        spec,
        hash=content_hash(spec),
        on=spec.on,
        where=build_condition(spec.where, on=spec.on, field="where"),
        resolve_when=build_condition(spec.resolve_when, on=spec.on, field="resolve_when"),
        occasion=check_facts(spec.occasion, on=spec.on, field="occasion"),
        texts=build_texts(spec.annotations, on=spec.on, more=more),
        timing=build_timing(spec),
    )
