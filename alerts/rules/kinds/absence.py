"""Rule kind `absence`: an entity, or a source, was not heard of for longer than its rhythm allows.

Only event time counts: silence is measured from the instant of the last assessment to the partition's `now`, which is
the largest recorded instant or tick in the log. While neither events nor ticks come, `now` stands still and nothing
fires. What was never heard of cannot be absent.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median
from typing import ClassVar

from alerts.lifecycle.evaluation import Alert, Evaluation, Level, Verdict
from alerts.rules.durations import parse_duration
from alerts.rules.entities import Assessed, SourceAssessed, is_synthetic, materials_of
from alerts.rules.expressions import Truth
from alerts.rules.fact_rule import build_timing
from alerts.rules.fingerprint import RuleError, build_condition, build_texts, content_hash, matches, text_values
from alerts.rules.memory import LastSeen, RuleMemory
from alerts.rules.rule import CLEAR, OF_TRUTH, CompiledRule, common_fields, fires
from alerts.rules.rule_specification import AbsenceSpec, LearnSpec, SilenceSpec
from streams.contracts.assessments import Fact

MIN_GAPS = 3
"""Gaps needed before a rhythm counts as learned."""
TEXT_NAMES = ("last_heard_at", "silent_days", "allowed_days")


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class AbsenceRule(CompiledRule):
    """A compiled absence rule: the ladder of silences, mildest first, and the rhythms that stretch it."""

    ladder: tuple[tuple[timedelta, Level], ...]
    rhythms: Mapping[str, timedelta]
    learn: LearnSpec | None
    keeps_memory: ClassVar[bool] = True
    reads_time: ClassVar[bool] = True

    def observe(self, memory: RuleMemory | None, assessed: Assessed, *, at: datetime) -> RuleMemory | None:
        """Note that the entity was heard of, and how long it was silent before."""
        if not isinstance(memory, LastSeen):
            return LastSeen(at=at)
        if memory.at == at:
            return memory
        gaps = memory.gaps_seconds
        if self.learn is not None:
            gaps = (*gaps, (at - memory.at).total_seconds())[-self.learn.gaps :]
        return LastSeen(at=at, gaps_seconds=gaps)

    def allowed(self, assessed: Assessed, memory: LastSeen) -> tuple[timedelta, ...]:
        """Return how long it may be silent, for each step of the ladder."""
        first = self.ladder[0][0]
        rhythm = first
        if isinstance(assessed, SourceAssessed):
            rhythm = self.rhythms.get(assessed.source, first)
        if self.learn is not None and len(memory.gaps_seconds) >= MIN_GAPS:
            rhythm = max(rhythm, timedelta(seconds=round(self.learn.times * median(memory.gaps_seconds))))
        return tuple(rhythm * (after / first) for after, _ in self.ladder)

    def evaluate(
        self, assessed: Assessed | None, *, at: datetime, prior: Alert | None = None, memory: RuleMemory | None = None
    ) -> Evaluation:
        """Say for how long it has been silent at an instant, and when that becomes too long."""
        if assessed is None or not isinstance(memory, LastSeen):
            return CLEAR
        truth = matches(self.where, assessed)
        if truth is not Truth.TRUE:
            return self._over(assessed) if truth is Truth.FALSE and fires(prior) else OF_TRUTH[truth]
        allowed = self.allowed(assessed, memory)
        reached = [rank for rank, silence in enumerate(allowed) if at >= memory.at + silence]
        next_at = min((memory.at + silence for silence in allowed if at < memory.at + silence), default=None)
        if not reached:
            over = self._over(assessed) if fires(prior) else CLEAR
            return Evaluation(verdict=Verdict.CLEAR, values=over.values, causes=over.causes, next_at=next_at)
        silence, level = allowed[reached[-1]], self.ladder[reached[-1]][1]
        return self._met(assessed, level, heard_at=memory.at, allowed=silence, next_at=next_at)

    def _over(self, assessed: Assessed) -> Evaluation:
        return Evaluation(
            verdict=Verdict.CLEAR, values={"last_heard_at": assessed.at.isoformat()}, causes=assessed.causes
        )

    def _met(
        self, assessed: Assessed, level: Level, *, heard_at: datetime, allowed: timedelta, next_at: datetime | None
    ) -> Evaluation:
        days = round(allowed / timedelta(days=1), 4)
        values: dict[str, Fact] = {"last_heard_at": heard_at.isoformat(), "silent_days": days}
        extra = {
            **values,
            "allowed_days": days,
            "value": days,
            "threshold": days,
            "step": level.step,
            "severity": level.severity,
        }
        return Evaluation(
            verdict=Verdict.MET,
            level=level,
            next_at=next_at,
            occasion=f"silent since {heard_at.isoformat()}",
            values=values,
            thresholds={"silent_days": days},
            materials=materials_of(assessed),
            causes=assessed.causes,
            texts=self.texts.render(text_values(assessed, extra)),
            synthetic=is_synthetic(assessed),
        )


def build_absence(spec: AbsenceSpec) -> AbsenceRule:
    """Compile an absence rule. Raise `RuleError` where it is refused."""
    if isinstance(spec.after, str):
        assert spec.severity is not None
        steps: tuple[SilenceSpec, ...] = (SilenceSpec(value=spec.after, severity=spec.severity),)
    else:
        steps = spec.after
    silences = [parse_duration(step.value) for step in steps]
    if not all(silences) or sorted(set(silences)) != silences:
        raise RuleError(field="after", detail="must go from the shortest silence to the longest, each over zero")
    rhythms = {name: parse_duration(text) for name, text in spec.rhythms.items()}
    if not all(rhythms.values()):
        raise RuleError(field="rhythms", detail="has a rhythm of no time: write for instance 35d")
    return AbsenceRule(
        **common_fields(
            spec,
            hash=content_hash(spec),
            on=spec.on,
            timing=build_timing(spec),
            where=build_condition(spec.where, on=spec.on, field="where"),
            texts=build_texts(spec.annotations, on=spec.on, more=TEXT_NAMES),
        ),
        ladder=tuple(
            (silence, Level(step=f"silent {step.value}", severity=step.severity, rank=rank))
            for rank, (silence, step) in enumerate(zip(silences, steps, strict=True))
        ),
        rhythms=rhythms,
        learn=spec.learn,
    )
