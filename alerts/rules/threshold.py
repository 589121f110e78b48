"""Rule kind `threshold`: a fact beyond a limit (with a severity ladder), or a condition that holds.

An unknown fact gives an unknown verdict: it never fires and never resolves.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any

from alerts.lifecycle.evaluation import Evaluation, Level, Timing, Verdict
from alerts.rules.durations import parse_duration
from alerts.rules.expressions import Condition, Truth
from alerts.rules.facts import CATALOGUE
from alerts.rules.specification import LimitSpec, ThresholdSpec
from alerts.rules.wording import (
    Assessed,
    RuleError,
    Texts,
    as_fact,
    build_condition,
    build_texts,
    content_hash,
    facts_of,
    matches,
    materials_of,
    text_values,
)
from streams.contracts.assessments import Fact, MeasureAssessed
from streams.contracts.dates import days_left

_CLEAR = Evaluation(verdict=Verdict.CLEAR)
_HOLD = Evaluation(verdict=Verdict.HOLD)
_UNKNOWN = Evaluation(verdict=Verdict.UNKNOWN)


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """A fact and its limits, mildest first; `sign` is 1 for above and -1 for below."""

    fact: str
    sign: int
    steps: tuple[tuple[float, Level], ...]

    def level_of(self, value: float) -> tuple[float, Level] | None:
        """Return the worst step that a value is strictly beyond, `None` where it is beyond none."""
        found = None
        for limit, level in self.steps:
            if (value - limit) * self.sign > 0:
                found = (limit, level)
        return found


@dataclass(frozen=True, kw_only=True, slots=True)
class ThresholdRule:
    """A compiled threshold rule; exactly one of `limits` and `when` is set."""

    id: str
    hash: str
    on: str
    where: Condition | None
    limits: Limits | None
    when: Condition | None
    level: Level | None
    resolve_when: Condition | None
    occasion: tuple[str, ...]
    labels: dict[str, str]
    texts: Texts
    timing: Timing

    def evaluate(self, assessed: Assessed, *, at: datetime, firing: bool) -> Evaluation:
        """Say whether the rule is met for an assessed entity; `firing` makes `resolve_when` count."""
        if self.where is not None:
            match matches(self.where, assessed):
                case Truth.FALSE:
                    return self._over(assessed) if firing else _CLEAR
                case Truth.UNKNOWN:
                    return _UNKNOWN
        threshold: Fact = None
        value: Any = None
        level: Level | None
        if self.limits is not None:
            assert not isinstance(assessed, MeasureAssessed)
            value = assessed.facts.get(self.limits.fact)
            if not isinstance(value, int | float) or isinstance(value, bool):
                return _UNKNOWN
            beyond = self.limits.level_of(value)
            if beyond is None:
                return self._not_met(assessed, firing=firing)
            threshold, level = beyond
        else:
            assert self.when is not None
            truth = self.when.evaluate(facts_of(assessed))
            if truth is Truth.UNKNOWN:
                return _UNKNOWN
            if truth is Truth.FALSE:
                return self._not_met(assessed, firing=firing)
            level = self.level
        assert level is not None
        return self._met(assessed, level, value=value, threshold=threshold, at=at)

    def _not_met(self, assessed: Assessed, *, firing: bool) -> Evaluation:
        if not firing:
            return _CLEAR
        if self.resolve_when is None:
            return self._over(assessed)
        match self.resolve_when.evaluate(facts_of(assessed)):
            case Truth.TRUE:
                return self._over(assessed)
            case Truth.FALSE:
                return _HOLD
            case Truth.UNKNOWN:
                return _UNKNOWN

    def _over(self, assessed: Assessed) -> Evaluation:
        return Evaluation(verdict=Verdict.CLEAR, values=self._values(facts_of(assessed)), causes=assessed.causes)

    def _values(self, facts: Mapping[str, Any]) -> dict[str, Fact]:
        names = set(self.occasion) | ({self.limits.fact} if self.limits else set(self.when.names if self.when else ()))
        return {name: as_fact(facts.get(name)) for name in sorted(names)}

    def _met(self, assessed: Assessed, level: Level, *, value: Fact, threshold: Fact, at: datetime) -> Evaluation:
        facts = facts_of(assessed)
        extra: dict[str, Any] = {"value": value, "threshold": threshold, "step": level.step, "severity": level.severity}
        if isinstance(assessed, MeasureAssessed):
            left = assessed.legal_end and days_left(assessed.legal_end, at=at, zone=assessed.zone)
            extra |= {"days_left": left, "deadline": facts["legal_end"]}
        thresholds: dict[str, Fact] = {self.limits.fact: threshold} if self.limits else {}
        if self.when is not None:
            thresholds["when"] = self.when.text
        occasion = ", ".join(f"{name} {facts.get(name)}" for name in self.occasion)
        return Evaluation(
            verdict=Verdict.MET, level=level, occasion=occasion,
            values=self._values(facts),
            thresholds=thresholds, materials=materials_of(assessed), causes=assessed.causes,
            texts=self.texts.render(text_values(assessed, extra)),
            synthetic=not isinstance(assessed, MeasureAssessed) and assessed.synthetic,
        )  # fmt: skip


def _limits(spec: ThresholdSpec) -> Limits | None:
    if spec.fact is None:
        return None
    known = CATALOGUE[spec.on]
    if spec.on == "measure":
        raise RuleError(field="fact", detail="has no numbers on a measure: use `when`, or a rule of kind deadline")
    if spec.fact not in known or known[spec.fact].type != "number":
        numbers = ", ".join(sorted(name for name, fact in known.items() if fact.type == "number"))
        raise RuleError(field="fact", detail=f"is {spec.fact!r}, no number of {spec.on}; numbers are: {numbers}")
    field, given, sign = ("above", spec.above, 1) if spec.above is not None else ("below", spec.below, -1)
    if isinstance(given, tuple):
        steps = given
    else:
        assert given is not None and spec.severity is not None
        steps = (LimitSpec(value=given, severity=spec.severity),)
    if any((b.value - a.value) * sign <= 0 for a, b in pairwise(steps)):
        raise RuleError(field=field, detail="must go from the mildest limit to the worst")
    return Limits(
        fact=spec.fact,
        sign=sign,
        steps=tuple(
            (s.value, Level(step=f"{field} {s.value:g}", severity=s.severity, rank=rank))
            for rank, s in enumerate(steps)
        ),
    )


def build_threshold(spec: ThresholdSpec) -> ThresholdRule:
    """Compile a threshold rule. Raise `RuleError` where it is refused."""
    for name in spec.occasion:
        if name not in CATALOGUE[spec.on]:
            raise RuleError(field="occasion", detail=f"names {name!r}, which is no fact of {spec.on}")
    return ThresholdRule(
        id=spec.id, hash=content_hash(spec), on=spec.on,
        where=build_condition(spec.where, on=spec.on, field="where"),
        limits=_limits(spec),
        when=build_condition(spec.when, on=spec.on, field="when"),
        level=Level(step="when", severity=spec.severity, rank=0) if spec.when and spec.severity else None,
        resolve_when=build_condition(spec.resolve_when, on=spec.on, field="resolve_when"),
        occasion=spec.occasion, labels=dict(spec.labels), texts=build_texts(spec.annotations, on=spec.on),
        timing=Timing(
            for_=parse_duration(spec.for_), keep_firing_for=parse_duration(spec.keep_firing_for),
            resolve_after=parse_duration(spec.resolve_after) if spec.resolve_after else None,
        ),
    )  # fmt: skip
