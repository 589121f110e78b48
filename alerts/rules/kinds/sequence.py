"""Rule kind `sequence`: `first` came true, and `then` did not come true within the time.

The wait begins when `first` becomes true (not while it stays so) and is half-open: an answer at exactly the end comes
too late (it fires and ends in one instant, which nobody is told), one in the instant of `first` counts whatever their
order. `then` ends the wait, and the alert. Unknown neither begins a wait nor answers one.

Entities that share a wait (`by`) begin it each by its own `first`; what they say in one instant has no order.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, ClassVar

import msgspec

from alerts.lifecycle.evaluation import Alert, Evaluation, Level, Verdict
from alerts.rules.durations import parse_duration
from alerts.rules.entities import Assessed, facts_of, is_synthetic, kind_of, known_entity, labels_of, materials_of
from alerts.rules.expressions import Condition, Truth
from alerts.rules.fact_rule import build_timing, check_facts
from alerts.rules.fingerprint import RuleError, as_fact, build_condition, build_texts, content_hash, text_values
from alerts.rules.label_groups import check_group
from alerts.rules.memory import MAX_HOLDING, RuleMemory, SequenceState
from alerts.rules.rule import CLEAR, CompiledRule, common_fields
from alerts.rules.rule_specification import SequenceSpec
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

    @property
    def shared(self) -> bool:
        """Whether several entities may share its alert."""
        return bool(self.by) or "source" in self.reads

    def named(self, known: Assessed | None, memory: RuleMemory | None) -> Assessed | None:
        """Return what answered last or, while it waits, what began the wait."""
        if not isinstance(memory, SequenceState):
            return None
        found = memory.answer if memory.since is None else memory.first
        return found.assessed if found is not None else None

    def observe(self, memory: RuleMemory | None, assessed: Assessed, *, at: datetime) -> RuleMemory | None:
        """Begin a wait where `first` becomes true, end it where `then` is true.

        What entities that share a wait say in one instant makes the same memory in any order.
        """
        before = memory if isinstance(memory, SequenceState) else SequenceState()
        kind, facts = kind_of(assessed), facts_of(assessed)
        after = before
        if kind == self.on and (self.where is None or self.where.evaluate(facts) is Truth.TRUE):
            after = self._first_seen(after, assessed, facts, at=at)
        if kind == self.then_on and self.then.evaluate(facts) is Truth.TRUE:
            after = _answered_together(after, assessed, at=at) if self.shared else _answered(after, at=at)
        return memory if after == before else after

    def _first_seen(
        self, before: SequenceState, assessed: Assessed, facts: Mapping[str, Any], *, at: datetime
    ) -> SequenceState:
        truth = self.first.evaluate(facts)
        name = ", ".join(f"{n}={v}" for n, v in sorted(labels_of(assessed).items()) if n not in self.by)
        if truth is Truth.FALSE:
            return _no_longer(before, name)
        if truth is not Truth.TRUE:
            return before
        occasion = ", ".join(f"{name} {facts.get(name)}" for name in self.occasion)
        if self.shared:
            return _begun_together(before, assessed, name, occasion, at=at)
        return _begun(before, assessed, occasion, at=at)

    def evaluate(
        self, assessed: Assessed | None, *, at: datetime, prior: Alert | None = None, memory: RuleMemory | None = None
    ) -> Evaluation:
        """Say whether an answer is overdue at an instant, or when it will be."""
        if not isinstance(memory, SequenceState) or memory.since is None or memory.first is None:
            answered = memory.answered_at if isinstance(memory, SequenceState) else None
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
        extra = {
            "awaited_since": since.isoformat(),
            "awaited_days": days,
            "value": days,
            "threshold": days,
            "step": self.level.step,
            "severity": self.level.severity,
        }
        return Evaluation(
            verdict=Verdict.MET,
            level=self.level,
            occasion=", ".join(part for part in (occasion, f"since {since.isoformat()}") if part),
            values={**{name: as_fact(facts.get(name)) for name in named}, "awaited_since": since.isoformat()},
            thresholds={"within": self.within_text, "then": self.then.text},
            materials=materials_of(first),
            causes=first.causes,
            texts=self.texts.render(text_values(first, extra)),
            synthetic=is_synthetic(first),
        )


def _begun(before: SequenceState, assessed: Assessed, occasion: str, *, at: datetime) -> SequenceState:
    if before.holds and occasion == before.occasion:
        return before
    if before.since is not None and occasion == before.occasion:
        return msgspec.structs.replace(before, holds=True)
    if before.answered_at == at:
        return SequenceState(occasion=occasion, holds=True, answered_at=at)
    return SequenceState(
        since=at, first=known_entity(assessed), occasion=occasion, holds=True, answered_at=before.answered_at
    )


def _answered(before: SequenceState, *, at: datetime) -> SequenceState:
    return SequenceState(holds=before.holds, occasion=before.occasion, answered_at=at)


def _no_longer(before: SequenceState, name: str) -> SequenceState:
    holding = {n: occasion for n, occasion in before.holding.items() if n != name}
    return msgspec.structs.replace(before, holds=False, holding=holding)


def _begun_together(
    before: SequenceState, assessed: Assessed, name: str, occasion: str, *, at: datetime
) -> SequenceState:
    """Of all that begin a wait in one instant the last by content is named; what is awaited already goes on."""
    if before.holding.get(name) == occasion:
        return before
    holding = dict(sorted({**before.holding, name: occasion}.items())[-MAX_HOLDING:])
    after = msgspec.structs.replace(before, holding=holding)
    if before.answered_at == at or (before.holds and before.occasion == occasion):
        return after
    begins_now = before.since == at
    replaced = before.replaced if begins_now else before.occasion if before.since is not None else None
    if occasion == replaced or (replaced is not None and name not in holding):
        return after  # of an entity beyond the bound nobody knows whether it begins: it replaces no wait that runs
    if begins_now:
        assert before.first is not None
        if _content(assessed) <= _content(before.first.assessed):
            return after
    return msgspec.structs.replace(after, since=at, first=known_entity(assessed), occasion=occasion, replaced=replaced)


def _answered_together(before: SequenceState, assessed: Assessed, *, at: datetime) -> SequenceState:
    answer = before.answer if before.answered_at == at else None
    if answer is None or _content(assessed) > _content(answer.assessed):
        answer = known_entity(assessed)
    return SequenceState(
        holds=before.holds,
        occasion=before.occasion if before.holds else "",
        holding=before.holding,
        answered_at=at,
        answer=answer,
    )


def _content(assessed: Assessed) -> tuple[tuple[str, ...], list[tuple[str, str]]]:
    """Order of the assessments of one instant, which have none in time."""
    return assessed.causes, sorted(labels_of(assessed).items())


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
        **common_fields(
            spec,
            hash=content_hash(spec),
            on=spec.on,
            timing=build_timing(spec),
            where=build_condition(spec.where, on=spec.on, field="where"),
            texts=build_texts(spec.annotations, on=spec.on, more=TEXT_NAMES),
        ),
        first=first,
        then=then,
        then_on=then_on,
        by=spec.by,
        within=within,
        within_text=spec.within,
        level=Level(step=f"{spec.within} without an answer", severity=spec.severity, rank=0),
        occasion=check_facts(spec.occasion, on=spec.on, field="occasion"),
    )
