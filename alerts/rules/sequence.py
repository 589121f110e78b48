"""Rule kind `sequence`: `first` came true, and `then` did not come true within the time.

The wait begins when `first` becomes true (not while it stays so) and is half-open: an answer at exactly the end comes
too late (it fires and ends in one instant, which nobody is told), one in the instant of `first` counts whatever their
order. `then` ends the wait, and the alert. Unknown neither begins a wait nor answers one.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, ClassVar

from alerts.lifecycle.evaluation import Alert, Evaluation, Level, Verdict
from alerts.rules.durations import parse_duration
from alerts.rules.entities import Assessed, facts_of, is_synthetic, kind_of, known_entity, materials_of
from alerts.rules.expressions import Condition, Truth
from alerts.rules.fact_rule import build_timing, check_facts
from alerts.rules.groups import check_group
from alerts.rules.memory import Awaited, RuleMemory
from alerts.rules.rule import CLEAR, CompiledRule, card_of
from alerts.rules.specification import SequenceSpec
from alerts.rules.wording import RuleError, as_fact, build_condition, build_texts, content_hash, text_values
from streams.contracts.assessments import Fact

TEXT_NAMES = ("awaited_since", "awaited_days")


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class SequenceRule(CompiledRule):
    """A compiled sequence rule."""

    first: Condition
    then: Condition
    then_on: str
    by: tuple[str, ...]
    within: timedelta
    within_text: str
    level: Level
    occasion: tuple[str, ...]
    keeps_memory: ClassVar[bool] = True
    reads_time: ClassVar[bool] = True

    @property
    def reads(self) -> tuple[str, ...]:
        """Entity kinds of `first` and `then`."""
        return (self.on,) if self.then_on == self.on else (self.on, self.then_on)

    def identity(self, labels: dict[str, str]) -> dict[str, str] | None:
        """Return the labels that group `first` and `then`; `None` for an entity that lacks one of them."""
        if not self.by:
            return labels
        found = {name: labels[name] for name in self.by if name in labels}
        return found if len(found) == len(self.by) else None

    def observe(self, memory: RuleMemory | None, assessed: Assessed, *, at: datetime) -> RuleMemory | None:
        """Begin a wait where `first` becomes true, end it where `then` is true."""
        before = memory if isinstance(memory, Awaited) else Awaited()
        kind, facts = kind_of(assessed), facts_of(assessed)
        after = before
        if kind == self.on and (self.where is None or self.where.evaluate(facts) is Truth.TRUE):
            after = self._begun(after, assessed, facts, at=at)
        if kind == self.then_on and self.then.evaluate(facts) is Truth.TRUE:
            after = Awaited(holds=after.holds, occasion=after.occasion, answered_at=at)
        return memory if after == before else after

    def _begun(self, before: Awaited, assessed: Assessed, facts: Mapping[str, Any], *, at: datetime) -> Awaited:
        truth = self.first.evaluate(facts)
        if truth is Truth.FALSE:
            return Awaited(since=before.since, first=before.first, occasion=before.occasion,
                           answered_at=before.answered_at)  # fmt: skip
        if truth is not Truth.TRUE:
            return before
        occasion = ", ".join(f"{name} {facts.get(name)}" for name in self.occasion)
        if before.holds and occasion == before.occasion:
            return before
        if before.since is not None and occasion == before.occasion:
            return Awaited(since=before.since, first=before.first, occasion=occasion, holds=True,
                           answered_at=before.answered_at)  # fmt: skip
        if before.answered_at == at:
            return Awaited(occasion=occasion, holds=True, answered_at=at)
        return Awaited(since=at, first=known_entity(assessed), occasion=occasion, holds=True,
                       answered_at=before.answered_at)  # fmt: skip

    def evaluate(
        self, assessed: Assessed | None, *, at: datetime, prior: Alert | None = None, memory: RuleMemory | None = None
    ) -> Evaluation:
        """Say whether an answer is overdue at an instant, or when it will be."""
        if not isinstance(memory, Awaited) or memory.since is None or memory.first is None:
            answered = memory.answered_at if isinstance(memory, Awaited) else None
            values: dict[str, Fact] = {"answered_at": answered.isoformat()} if answered is not None else {}
            causes = assessed.causes if assessed is not None else ()
            return Evaluation(verdict=Verdict.CLEAR, values=values, causes=causes) if answered is not None else CLEAR
        over_at = memory.since + self.within
        if at < over_at:
            return Evaluation(verdict=Verdict.CLEAR, next_at=over_at)
        return self._met(memory.first.assessed, since=memory.since, occasion=memory.occasion)

    def _met(self, first: Assessed, *, since: datetime, occasion: str) -> Evaluation:
        days = round(self.within / timedelta(days=1), 4)
        facts = facts_of(first)
        named = sorted({*self.occasion, *self.first.names})
        extra = {"awaited_since": since.isoformat(), "awaited_days": days, "value": days, "threshold": days,
                 "step": self.level.step, "severity": self.level.severity}  # fmt: skip
        return Evaluation(
            verdict=Verdict.MET, level=self.level,
            occasion=", ".join(part for part in (occasion, f"since {since.isoformat()}") if part),
            values={**{name: as_fact(facts.get(name)) for name in named}, "awaited_since": since.isoformat()},
            thresholds={"within": self.within_text, "then": self.then.text}, materials=materials_of(first),
            causes=first.causes, texts=self.texts.render(text_values(first, extra)), synthetic=is_synthetic(first),
        )  # fmt: skip


def build_sequence(spec: SequenceSpec) -> SequenceRule:
    """Compile a sequence rule. Raise `RuleError` where it is refused."""
    then_on = spec.then_on or spec.on
    within = parse_duration(spec.within)
    if not within:
        raise RuleError(field="within", detail="is no time: write for instance 30d")
    for on in (spec.on, then_on) if spec.by else ():
        check_group(spec.by, on=on)
    first = build_condition(spec.first, on=spec.on, field="first")
    then = build_condition(spec.then, on=then_on, field="then")
    assert first is not None and then is not None
    return SequenceRule(
        **card_of(spec, hash=content_hash(spec), on=spec.on, timing=build_timing(spec),
                  where=build_condition(spec.where, on=spec.on, field="where"),
                  texts=build_texts(spec.annotations, on=spec.on, more=TEXT_NAMES)),
        first=first, then=then, then_on=then_on, by=spec.by, within=within, within_text=spec.within,
        level=Level(step=f"{spec.within} without an answer", severity=spec.severity, rank=0),
        occasion=check_facts(spec.occasion, on=spec.on, field="occasion"),
    )  # fmt: skip
