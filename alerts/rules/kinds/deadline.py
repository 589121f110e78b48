"""Rule kind `deadline`: a severity ladder before a legal date, and "passed and nothing followed" after it.

Every step begins at midnight on the wall of the measure's zone. Only the step in effect counts: an end learned of late
begins at its present step, a moved end moves the alert to the step the new end is in.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import ClassVar

import msgspec

from alerts.lifecycle.evaluation import Alert, Evaluation, Level, Timing, Verdict
from alerts.rules.durations import Lead, parse_duration, parse_lead
from alerts.rules.expressions import Condition, Truth
from alerts.rules.fingerprint import (
    Assessed,
    RuleError,
    build_condition,
    build_texts,
    content_hash,
    facts_of,
    matches,
    text_values,
)
from alerts.rules.memory import RuleMemory
from alerts.rules.rule import CLEAR, OF_TRUTH, CompiledRule, common_fields, fires
from alerts.rules.rule_specification import DeadlineSpec
from streams.contracts.assessments import Fact, MeasureAssessed
from streams.contracts.calendars import calendar_of
from streams.contracts.dates import days_left, instant_at
from streams.contracts.identifiers import zone_of

_ONE_DAY = timedelta(days=1)
PASSED = "passed"


@dataclass(frozen=True, kw_only=True, slots=True)
class Passed:
    """What holds after the deadline."""

    level: Level
    repeat: timedelta | None
    when: Condition | None


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class DeadlineRule(CompiledRule):
    """A compiled deadline rule."""

    date_name: str
    ladder: tuple[tuple[Lead, Level], ...]
    passed: Passed | None
    reads_time: ClassVar[bool] = True

    def evaluate(
        self, assessed: Assessed | None, *, at: datetime, prior: Alert | None = None, memory: RuleMemory | None = None
    ) -> Evaluation:
        """Say which step an assessed measure is in at an instant, and when that changes by time alone."""
        assert isinstance(assessed, MeasureAssessed)
        firing = fires(prior)
        match matches(self.where, assessed):
            case Truth.FALSE:
                return over(assessed, firing=firing)
            case Truth.UNKNOWN | Truth.ERROR as truth:
                return OF_TRUTH[truth]
        day = day_of(assessed, self.date_name)
        if day is None:
            return over(assessed, firing=firing)
        over_at = end_instant(assessed, self.date_name, day)
        if at >= over_at:
            return self._after(assessed, day=day, over_at=over_at, at=at)
        begins = [(step_instant(lead, day=day, zone=assessed.zone), lead, level) for lead, level in self.ladder]
        later = [instant for instant, _, _ in begins if instant > at]
        next_at = min([*later, over_at])
        current = [(level.rank, lead, level) for instant, lead, level in begins if instant <= at]
        if not current:
            return msgspec.structs.replace(over(assessed, firing=firing), next_at=next_at)
        _, lead, level = max(current, key=lambda c: c[0])
        return self._met(assessed, level, day=day, at=at, next_at=next_at, threshold=str(lead))

    def _after(self, assessed: MeasureAssessed, *, day: date, over_at: datetime, at: datetime) -> Evaluation:
        if self.passed is None:
            return over(assessed, firing=True)
        holds = matches(self.passed.when, assessed)
        if holds is not Truth.TRUE:
            # the assessment that says what became of it carries the same instant; until it comes, the last step holds
            lead, level = max(self.ladder, key=lambda step: step[1].rank)
            return self._met(assessed, level, day=day, at=at, next_at=None, threshold=str(lead))
        repeat, next_at = 0, None
        if self.passed.repeat is not None:
            repeat, next_at = repeats(over_at, every=self.passed.repeat, zone=assessed.zone, at=at)
        return self._met(assessed, self.passed.level, day=day, at=at, next_at=next_at, threshold=PASSED, repeat=repeat)

    def _met(
        self,
        assessed: MeasureAssessed,
        level: Level,
        *,
        day: date,
        at: datetime,
        next_at: datetime | None,
        threshold: str,
        repeat: int = 0,
    ) -> Evaluation:
        left = days_left(day, at=at, zone=assessed.zone)
        extra = {
            "days_left": float(left),
            "deadline": day.isoformat(),
            "step": level.step,
            "severity": level.severity,
            "days_past": float(-left),
            "value": float(left),
            "threshold": threshold,
        }
        return Evaluation(
            verdict=Verdict.MET,
            level=level,
            repeat=repeat,
            next_at=next_at,
            occasion=f"{self.date_name} {day.isoformat()}",
            values={**_shown(assessed), "days_left": float(left), self.date_name: day.isoformat()},
            thresholds={"step": threshold},
            materials=assessed.materials,
            causes=assessed.causes,
            texts=self.texts.render(text_values(assessed, extra), passed=threshold == PASSED),
        )


def _shown(assessed: MeasureAssessed) -> dict[str, Fact]:
    facts = facts_of(assessed)
    return {name: facts[name] for name in ("state", "legal_end", "claimed_end", "instrument", "operated")}


def over(assessed: MeasureAssessed, *, firing: bool) -> Evaluation:
    """Say that nothing is due; for an alert that fires with the facts that end it."""
    return Evaluation(verdict=Verdict.CLEAR, values=_shown(assessed), causes=assessed.causes) if firing else CLEAR


def day_of(assessed: MeasureAssessed, name: str) -> date | None:
    """Return the day a deadline is about; of several claimed ends the latest, as in the fact `claimed_end`."""
    if name == "claimed_end":
        return max((c.day for c in assessed.claimed_ends), default=None)
    day: date | None = getattr(assessed, name)
    return day


def end_instant(assessed: MeasureAssessed, name: str, day: date) -> datetime:
    """Return the first instant after the deadline: the lapse for a legal end, else midnight after the day. UTC."""
    if name == "legal_end" and assessed.lapse_at is not None:
        return assessed.lapse_at
    return instant_at(day + _ONE_DAY, time.min, zone=assessed.zone)


@lru_cache(maxsize=4096)
def step_instant(lead: Lead, *, day: date, zone: str) -> datetime:
    """Return local midnight of the day a step begins, in UTC. Without a known calendar Saturday and Sunday are free."""
    if not lead.working:
        return instant_at(day - timedelta(days=lead.days), time.min, zone=zone)
    calendar = calendar_of(zone)
    if calendar is not None:
        return instant_at(calendar.working_days_before(day, count=lead.days).day, time.min, zone=zone)
    found, left = day, lead.days
    while left:
        found -= _ONE_DAY
        left -= found.weekday() < 5
    return instant_at(found, time.min, zone=zone)


def repeats(over_at: datetime, *, every: timedelta, zone: str, at: datetime) -> tuple[int, datetime]:
    """Count the repeats due since `over_at`, and find the next one.

    Whole days are days of the wall clock, so that a daily repeat stays at its hour across daylight saving.
    """
    days = every // _ONE_DAY if every % _ONE_DAY == timedelta(0) else 0
    start = over_at.astimezone(zone_of(zone))

    def instant(count: int) -> datetime:
        moved = start + every * count if days else over_at + every * count
        return moved.astimezone(UTC)

    count = max(0, (at - over_at) // every - 1)
    while instant(count + 1) <= at:
        count += 1
    return count, instant(count + 1)


def build_deadline(spec: DeadlineSpec) -> DeadlineRule:
    """Compile a deadline rule. Raise `RuleError` where it is refused."""
    leads = [(parse_lead(step.before), step) for step in spec.ladder]
    # working days reach further back than as many days of the calendar: 7 for each 5, and the holidays of a season
    ordered = sorted(leads, key=lambda pair: pair[0].days * (1.45 if pair[0].working else 1), reverse=True)
    if len({str(lead) for lead, _ in leads}) < len(leads):
        raise RuleError(field="ladder", detail="has a step twice: each `before` may stand once")
    ladder = tuple(
        (lead, Level(step=str(lead), severity=step.severity, rank=rank)) for rank, (lead, step) in enumerate(ordered)
    )
    passed = None
    if spec.passed is not None:
        passed = Passed(
            level=Level(step=PASSED, severity=spec.passed.severity, rank=len(ladder)),
            repeat=parse_duration(spec.passed.repeat) if spec.passed.repeat else None,
            when=build_condition(spec.passed.when, on=spec.on, field="passed.when"),
        )
        if passed.repeat is not None and passed.repeat < timedelta(hours=1):
            raise RuleError(field="passed.repeat", detail="is under an hour: write 1d, or at least 1h")
    return DeadlineRule(
        **common_fields(
            spec,
            hash=content_hash(spec),
            on=spec.on,
            timing=Timing(),
            where=build_condition(spec.where, on=spec.on, field="where"),
            texts=build_texts(spec.annotations, on=spec.on),
        ),
        date_name=spec.date,
        ladder=ladder,
        passed=passed,
    )
