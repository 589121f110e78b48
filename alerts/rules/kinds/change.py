"""Rule kind `change`: how far a fact has moved, over a number of observations or over a time.

`absolute` and `ratio` compare with the observation `over` observations ago, or with the newest one at least `over` old.
`z_score` counts standard deviations (of the sample) from the mean of the `over` observations before, or of those within
the time, at least five. Too few observations, a base of zero, or no deviation at all give an unknown verdict, not zero:
assessed prices repeat for weeks, and a first move after that has no scale.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import isfinite
from statistics import fmean, stdev
from typing import ClassVar, Literal

from alerts.lifecycle.evaluation import Alert, Evaluation
from alerts.rules.durations import parse_duration
from alerts.rules.entities import Assessed, facts_of
from alerts.rules.expressions import Truth
from alerts.rules.fact_rule import FactRule, check_facts, fact_card
from alerts.rules.fingerprint import RuleError
from alerts.rules.ladder import Limits, build_limits
from alerts.rules.memory import MAX_SAMPLES, RuleMemory, Sample, Samples
from alerts.rules.rule_specification import ChangeSpec

MIN_FOR_Z_SCORE = 5
"""Under five observations a standard deviation says nothing."""
TEXT_NAMES = ("change", "base")
_PARTS = 256
"""A window of time is kept as the last observation of each 1/256 of it, so that memory is bounded."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class ChangeRule(FactRule):
    """A compiled change rule; exactly one of `count` and `window` is set."""

    limits: Limits
    measured_as: Literal["absolute", "ratio", "z_score"]
    count: int | None
    window: timedelta | None
    observation: str | None
    keeps_memory: ClassVar[bool] = True

    def observe(self, memory: RuleMemory | None, assessed: Assessed, *, at: datetime) -> RuleMemory | None:
        """Add an observation, or correct the one of the same name; what lies out of reach is forgotten."""
        facts = facts_of(assessed)
        value = facts.get(self.limits.fact)
        if not isinstance(value, int | float) or isinstance(value, bool) or not isfinite(value):
            return memory
        kept = memory.samples if isinstance(memory, Samples) else ()
        name = str(facts.get(self.observation)) if self.observation else ",".join(assessed.causes)
        if kept and name and kept[-1].name == name:
            if kept[-1].value == value:
                return memory
            return Samples(samples=(*kept[:-1], Sample(kept[-1].at, float(value), name)))
        return Samples(samples=self._within_reach((*kept, Sample(at, float(value), name)), at=at))

    def _within_reach(self, samples: tuple[Sample, ...], *, at: datetime) -> tuple[Sample, ...]:
        if self.count is not None:
            return samples[-(self.count + 1) :]
        assert self.window is not None
        part = self.window / _PARTS
        if len(samples) > 2 and (samples[-2].at - _EPOCH) // part == (samples[-3].at - _EPOCH) // part:
            samples = (*samples[:-3], *samples[-2:])
        first = 0  # the newest that is at least `over` old stays: it is what the present one is compared with
        while first + 1 < len(samples) and at - samples[first + 1].at >= self.window:
            first += 1
        return samples[first:][-MAX_SAMPLES:]

    def evaluate(
        self, assessed: Assessed | None, *, at: datetime, prior: Alert | None = None, memory: RuleMemory | None = None
    ) -> Evaluation:
        """Say whether the change up to the last observation is beyond a limit."""
        assert assessed is not None
        facts = facts_of(assessed)
        if self.where is not None and (truth := self.where.evaluate(facts)) is not Truth.TRUE:
            return self.outside(assessed, truth, prior=prior)
        moved = None
        if isinstance(facts.get(self.limits.fact), int | float) and isinstance(memory, Samples):
            moved = self.moved(memory.samples)
        if moved is None:
            return self.unknown(assessed, facts, at=at, names={self.limits.fact: None})
        value, base = moved
        step = self.limits.step_of(value, prior=prior, facts=facts)
        if step is None:
            return self.not_met(assessed, facts, prior=prior)
        return self.met(
            assessed,
            facts,
            step.level,
            value=value,
            threshold=step.limit,
            thresholds={"change": step.limit},
            at=at,
            values={"change": value, "base": base},
            prior=prior,
        )

    def moved(self, samples: tuple[Sample, ...]) -> tuple[float, float] | None:
        """Return the change and what it is measured against, `None` where it cannot be said."""
        if not samples:
            return None
        last = samples[-1].value
        if self.measured_as == "z_score":
            return _z_score(last, self._before(samples))
        base = self._base(samples)
        if base is None or (self.measured_as == "ratio" and base == 0):
            return None
        change = last - base if self.measured_as == "absolute" else (last - base) / abs(base)
        return (change, base) if isfinite(change) else None

    def _base(self, samples: tuple[Sample, ...]) -> float | None:
        if self.count is not None:
            return samples[-1 - self.count].value if len(samples) > self.count else None
        assert self.window is not None
        old = [s for s in samples[:-1] if samples[-1].at - s.at >= self.window]
        return old[-1].value if old else None

    def _before(self, samples: tuple[Sample, ...]) -> list[float]:
        if self.count is not None:
            return [s.value for s in samples[:-1]] if len(samples) > self.count else []
        assert self.window is not None
        return [s.value for s in samples[:-1] if samples[-1].at - s.at <= self.window]


def _z_score(value: float, before: list[float]) -> tuple[float, float] | None:
    if len(before) < MIN_FOR_Z_SCORE:
        return None
    mean, deviation = fmean(before), stdev(before)
    if deviation == 0:
        return None
    score = (value - mean) / deviation
    return (score, mean) if isfinite(score) else None


def build_change(spec: ChangeSpec) -> ChangeRule:
    """Compile a change rule. Raise `RuleError` where it is refused."""
    limits = build_limits(spec)
    assert limits is not None
    count = spec.over if isinstance(spec.over, int) else None
    window = parse_duration(spec.over) if isinstance(spec.over, str) else None
    if window is not None and not window:
        raise RuleError(field="over", detail="is no time: write for instance 30d")
    if count is not None and spec.as_ == "z_score" and count < MIN_FOR_Z_SCORE:
        raise RuleError(field="over", detail=f"must be at least {MIN_FOR_Z_SCORE} for a z_score")
    if spec.observation is not None:
        check_facts((spec.observation,), on=spec.on, field="observation")
    return ChangeRule(
        **fact_card(spec, more=TEXT_NAMES),
        limits=limits,
        measured_as=spec.as_,
        count=count,
        window=window,
        observation=spec.observation,
        shown=tuple(sorted({*spec.occasion, limits.fact})),
    )
