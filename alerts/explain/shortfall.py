"""Why a rule does not hold for an entity: what was short of its limit, unknown, or false; kind by kind."""

from collections.abc import Mapping
from datetime import datetime
from functools import singledispatch
from typing import Any

import msgspec

from alerts.explain.entity_search import EntityHistory
from alerts.rules.entities import facts_of, kind_of
from alerts.rules.expressions import Condition, ExpressionError, Truth
from alerts.rules.facts import CATALOGUE
from alerts.rules.index import conjuncts
from alerts.rules.kinds.absence import AbsenceRule
from alerts.rules.kinds.change import ChangeRule
from alerts.rules.kinds.composite import CompositeRule
from alerts.rules.kinds.deadline import DeadlineRule, day_of, end_instant, step_instant
from alerts.rules.kinds.sequence import SequenceRule
from alerts.rules.kinds.threshold import ThresholdRule
from alerts.rules.ladder import Limits
from alerts.rules.memory import LastSeen, RuleMemory, Samples, SequenceState
from alerts.rules.rule import CompiledRule
from streams.contracts.assessments import Fact, MeasureAssessed


class Gap(msgspec.Struct, frozen=True, kw_only=True):
    """A number that is not beyond its nearest limit: `short_by` is what is missing, in the unit of the fact."""

    fact: str
    value: float
    limit: float
    short_by: float
    at: datetime


class FalsePart(msgspec.Struct, frozen=True, kw_only=True):
    """A part of a condition that is false or cannot be said (`unknown`), with the facts it names."""

    condition: str
    truth: str
    facts: dict[str, Any]


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """Why a rule does not hold; `reasons` are sentences, the rest is what they are made of.

    `closest` is the nearest the entity ever came to the first limit, `None` where that cannot be said.
    """

    reasons: tuple[str, ...] = ()
    short: tuple[Gap, ...] = ()
    false: tuple[FalsePart, ...] = ()
    unknown: tuple[str, ...] = ()
    closest: Gap | None = None


def remembered(rule: CompiledRule, sighted: EntityHistory) -> RuleMemory | None:
    """Return what the rule remembers of an entity after all that was assessed about it."""
    memory: RuleMemory | None = None
    for at, assessed in sighted.assessments:
        memory = rule.observe(memory, assessed, at=at)
    return memory


def parts_not_true(condition: Condition, facts: Mapping[str, Any], *, on: str) -> tuple[FalsePart, ...]:
    """Return the parts of a conjunction that are not true; the whole where it is no conjunction."""
    found = []
    for text in conjuncts(condition.text):
        try:
            part = Condition(text, CATALOGUE[on])
        except ExpressionError:
            part = condition
        truth = part.evaluate(facts)
        if truth is not Truth.TRUE:
            named = {name: facts.get(name) for name in part.names}
            found.append(FalsePart(condition=part.text, truth=truth.value, facts=named))
    return tuple(found)


def _of_parts(parts: tuple[FalsePart, ...], what: str) -> Explanation:
    reasons, unknown = [], []
    for part in parts:
        facts = ", ".join(f"{k} is {_word(v)}" for k, v in part.facts.items()) or "no facts"
        reasons.append(f"{what} `{part.condition}` is {part.truth}: {facts}")
        unknown += [name for name, value in part.facts.items() if value is None]
    return Explanation(reasons=tuple(reasons), false=parts, unknown=tuple(dict.fromkeys(unknown)))


def _word(value: Any) -> str:
    if value is None:
        return "unknown"
    if isinstance(value, list):
        return ", ".join(str(v) for v in value) or "none"
    return f"{value:g}" if isinstance(value, float) else str(value)


def left_out(rule: CompiledRule, facts: Mapping[str, Any], *, on: str) -> Explanation | None:
    """Say why `where` leaves an entity out, `None` where it does not."""
    if rule.where is None or rule.where.evaluate(facts) is Truth.TRUE:
        return None
    return _of_parts(parts_not_true(rule.where, facts, on=on), "where")


@singledispatch
def shortfall(rule: CompiledRule, sighted: EntityHistory, *, until: datetime) -> Explanation:
    """Say why a rule does not hold for an entity at `until`; empty where it does."""
    raise NotImplementedError(type(rule).__name__)


def _short_of(limits: Limits, value: float, at: datetime) -> Gap | None:
    """Return how far a value is from the first limit it is not beyond, `None` where it is beyond all."""
    for step in limits.steps:
        if (value - step.limit) * limits.sign <= 0:
            return Gap(fact=limits.fact, value=value, limit=step.limit, short_by=abs(step.limit - value), at=at)
    return None


def _first_limit(limits: Limits, value: float, at: datetime) -> Gap:
    limit = limits.steps[0].limit
    return Gap(fact=limits.fact, value=value, limit=limit, short_by=(limit - value) * limits.sign, at=at)


def _in_words(short: Gap, limits: Limits, *, what: str) -> str:
    side = "above" if limits.sign > 0 else "below"
    return f"{what} is {short.value:g}, not {side} {short.limit:g}: {short.short_by:g} short"


@shortfall.register
def _(rule: ThresholdRule, sighted: EntityHistory, *, until: datetime) -> Explanation:  # noqa: ARG001 - one shape for all kinds
    at, last = sighted.assessments[-1]
    facts = facts_of(last)
    if (out := left_out(rule, facts, on=rule.on)) is not None:
        return out
    if rule.limits is None:
        assert rule.when is not None
        return _of_parts(parts_not_true(rule.when, facts, on=rule.on), "when")
    values = [(when, facts_of(a).get(rule.limits.fact)) for when, a in sighted.assessments]
    return _of_limits(rule.limits, facts.get(rule.limits.fact), at, what=rule.limits.fact, seen=values)


def _of_limits(limits: Limits, value: Any, at: datetime, *, what: str, seen: list[tuple[datetime, Any]]) -> Explanation:
    numbers = [_first_limit(limits, v, when) for when, v in seen if isinstance(v, int | float) and v is not True]
    closest = min(numbers, key=lambda s: s.short_by, default=None)
    if not isinstance(value, int | float) or isinstance(value, bool):
        return Explanation(reasons=(f"{what} is unknown: it never fires on that",), unknown=(what,), closest=closest)
    short = _short_of(limits, value, at)
    if short is None or (value - limits.steps[0].limit) * limits.sign > 0:
        return Explanation(closest=closest)
    return Explanation(reasons=(_in_words(short, limits, what=what),), short=(short,), closest=closest)


@shortfall.register
def _(rule: ChangeRule, sighted: EntityHistory, *, until: datetime) -> Explanation:  # noqa: ARG001 - one shape for all kinds
    at, last = sighted.assessments[-1]
    if (out := left_out(rule, facts_of(last), on=rule.on)) is not None:
        return out
    seen: list[tuple[datetime, Any]] = []
    memory: RuleMemory | None = None
    for when, assessed in sighted.assessments:
        memory = rule.observe(memory, assessed, at=when)
        moved = rule.moved(memory.samples) if isinstance(memory, Samples) else None
        seen.append((when, moved[0] if moved else None))
    found = _of_limits(rule.limits, seen[-1][1], at, what=f"change of {rule.limits.fact}", seen=seen)
    if found.unknown:
        kept = len(memory.samples) if isinstance(memory, Samples) else 0
        over = f"{rule.count} observations" if rule.count is not None else f"{rule.window}"
        reason = f"the change of {rule.limits.fact} over {over} cannot be said: {kept} observations are known"
        return msgspec.structs.replace(found, reasons=(reason,), unknown=(rule.limits.fact,))
    return found


@shortfall.register
def _(rule: DeadlineRule, sighted: EntityHistory, *, until: datetime) -> Explanation:
    _, last = sighted.assessments[-1]
    assert isinstance(last, MeasureAssessed)
    if (out := left_out(rule, facts_of(last), on=rule.on)) is not None:
        return out
    day = day_of(last, rule.date_name)
    if day is None:
        return Explanation(
            reasons=(f"{rule.date_name} is unknown: there is no day to count to",), unknown=(rule.date_name,)
        )
    if until >= end_instant(last, rule.date_name, day):
        return Explanation(reasons=(f"{rule.date_name} {day} has passed, and the rule says nothing after it",))
    begins = min(step_instant(lead, day=day, zone=last.zone) for lead, _ in rule.ladder)
    if begins > until:
        return Explanation(
            reasons=(f"{rule.date_name} is {day}: the first step begins at {begins:%Y-%m-%d %H:%M} UTC",)
        )
    return Explanation()


@shortfall.register
def _(rule: AbsenceRule, sighted: EntityHistory, *, until: datetime) -> Explanation:
    _, last = sighted.assessments[-1]
    if (out := left_out(rule, facts_of(last), on=rule.on)) is not None:
        return out
    memory = remembered(rule, sighted)
    if not isinstance(memory, LastSeen):
        return Explanation(reasons=("it was never heard of, and what was never heard of cannot be absent",))
    silence = rule.allowed(last, memory)[0]
    if until < memory.at + silence:
        return Explanation(
            reasons=(
                f"heard of last at {memory.at:%Y-%m-%d %H:%M} UTC; silence counts from "
                f"{memory.at + silence:%Y-%m-%d %H:%M} UTC",
            ),
        )
    return Explanation()


@shortfall.register
def _(rule: SequenceRule, sighted: EntityHistory, *, until: datetime) -> Explanation:
    memory = remembered(rule, sighted)
    if isinstance(memory, SequenceState) and memory.since is not None:
        over = memory.since + rule.within
        if until < over:
            return Explanation(
                reasons=(f"it waits since {memory.since:%Y-%m-%d %H:%M} UTC, until {over:%Y-%m-%d %H:%M} UTC",)
            )
        return Explanation()
    if isinstance(memory, SequenceState) and memory.answered_at is not None:
        return Explanation(
            reasons=(f"answered at {memory.answered_at:%Y-%m-%d %H:%M} UTC: `{rule.then.text}` was true",)
        )
    asked = [assessed for _, assessed in sighted.assessments if kind_of(assessed) == rule.on]
    if not asked:
        return Explanation(reasons=(f"`{rule.first.text}` is about {rule.on}, not about {sighted.kind}",))
    facts = facts_of(asked[-1])
    if (out := left_out(rule, facts, on=rule.on)) is not None:
        return out
    return _of_parts(parts_not_true(rule.first, facts, on=rule.on), "first")


def of_composite(rule: CompositeRule, states: Mapping[str, list[str]]) -> Explanation:
    """Say which inputs of a composite fire and which do not; `states` are those of its alerts by input rule."""
    firing = [name for name in rule.of if any(s in ("firing", "clearing") for s in states.get(name, []))]
    needed = rule.ladder[0][0]
    if len(firing) >= needed:
        return Explanation()
    unknown = tuple(
        name
        for name in rule.of
        if name not in firing and any(s in ("no_data", "stale", "error") for s in states.get(name, []))
    )
    quiet = [name for name in rule.of if name not in firing and name not in unknown]
    reasons = [f"{len(firing)} of its rules fire ({', '.join(firing) or 'none'}), {needed} are needed"]
    if quiet:
        reasons.append(f"do not hold: {', '.join(quiet)} (ask `--not` about each)")
    if unknown:
        reasons.append(f"unknown: {', '.join(unknown)}")
    facts: dict[str, Fact] = {name: name in firing for name in rule.of}
    part = FalsePart(condition=f"at least {needed} of {', '.join(rule.of)}", truth="false", facts=facts)
    return Explanation(reasons=tuple(reasons), false=(part,), unknown=unknown)
