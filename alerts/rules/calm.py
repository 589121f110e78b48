"""Between which facts a rule says the same, so that an assessment within them need not be evaluated.

A threshold rule compares facts with numbers that stand in it. Between two neighbours of these numbers every comparison
comes out alike; so do the verdict, the level and, where nothing else it reads has another value, the occasion. What was
evaluated once and changed nothing changes nothing until a fact leaves its interval or the alert itself moves.
"""

import re
from bisect import bisect_left
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import inf
from typing import Any

from alerts.rules.expressions import Condition, blank_strings
from alerts.rules.kinds import Rule
from alerts.rules.threshold import ThresholdRule
from streams.contracts.assessments import RiskAssessed

_ABSENT: Any = object()
_LABELLED = frozenset({"material", "home"})
"""Names that are part of what the entity is, whatever its facts say."""
_BEGINS = ("(", "&&", "||")
_COMPARISON = re.compile(r"\s*(?:<=|>=|<|>|==|!=)\s*(-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)\s*(?=$|\)|&&|\|\|)")


@dataclass(frozen=True, kw_only=True, slots=True)
class Reads:
    """What a rule reads of an entity: facts it only compares with numbers, in order, and facts that count as they are.

    A fact may be in both.
    """

    limits: Mapping[str, tuple[float, ...]]
    values: frozenset[str]


def reads_of(rule: Rule) -> Reads | None:
    """Say what a rule reads; `None` for one that more than the facts at hand can change: memory, time, the age."""
    if not isinstance(rule, ThresholdRule) or rule.timing.max_age is not None:
        return None
    limits: dict[str, set[float]] = {}
    values = set(rule.occasion)
    conditions = [rule.where, rule.when, rule.resolve_when]
    if rule.limits is not None:
        numbers = limits.setdefault(rule.limits.fact, set())
        for step in rule.limits.steps:
            numbers.update(float(n) for n in (step.limit, step.resolve) if n is not None)
            conditions.append(step.resolve_when)
    for condition in conditions:
        for name in condition.names if condition is not None else ():
            compared = _compared(condition, name)
            if compared is None:
                values.add(name)
            else:
                limits.setdefault(name, set()).update(compared)
    values -= _LABELLED
    return Reads(limits={name: tuple(sorted(found)) for name, found in limits.items()}, values=frozenset(values))


def _compared(condition: Condition | None, name: str) -> set[float] | None:
    """Return the numbers a condition compares a fact with; `None` where it does anything else with the fact."""
    assert condition is not None
    text = blank_strings(condition.text)
    found: set[float] = set()
    for place in re.finditer(rf"\b{name}\b", text):
        before = text[: place.start()].rstrip()
        number = _COMPARISON.match(text, place.end())
        if number is None or (before and not before.endswith(_BEGINS)):
            return None
        found.add(float(number[1]))
    return found


@dataclass(frozen=True, kw_only=True, slots=True)
class Calm:
    """Facts within which rules say the same: open intervals, and values that must be the same."""

    bounds: tuple[tuple[str, float, float], ...]
    same: tuple[tuple[str, Any], ...]
    synthetic: bool

    def holds(self, assessed: RiskAssessed) -> bool:
        """Tell whether the facts of an assessment lie within."""
        facts = assessed.facts
        for name, low, high in self.bounds:
            value = facts.get(name)
            if value.__class__ is not float or not low < value < high:  # nan is in none
                return False
        for name, known in self.same:
            value = facts.get(name, _ABSENT)
            if value is not known and (value != known or value.__class__ is not known.__class__):
                return False
        return assessed.synthetic is self.synthetic


def calm_around(reads: Reads, assessed: RiskAssessed) -> Calm:
    """Return the facts around an assessment within which a rule that reads these says the same."""
    facts = assessed.facts
    bounds = []
    same = {name: facts.get(name, _ABSENT) for name in reads.values}
    for name, limits in reads.limits.items():
        value = facts.get(name, _ABSENT)
        place = bisect_left(limits, value) if type(value) is float else 0
        low = limits[place - 1] if place else -inf
        high = limits[place] if place < len(limits) else inf
        if type(value) is float and low < value < high:
            bounds.append((name, low, high))
        else:  # unknown, of another type, on a limit, or nan, which no interval holds
            same[name] = value
    return Calm(bounds=tuple(bounds), same=tuple(same.items()), synthetic=assessed.synthetic)


def calm_of_all(parts: Iterable[Calm]) -> Calm:
    """Return the facts within which several rules say the same, of calms around one assessment."""
    bounds: dict[str, tuple[float, float]] = {}
    same: dict[str, Any] = {}
    synthetic = False
    for part in parts:
        synthetic = part.synthetic
        same.update(part.same)
        for name, low, high in part.bounds:
            known = bounds.get(name, (-inf, inf))
            bounds[name] = (max(known[0], low), min(known[1], high))
    return Calm(
        bounds=tuple((name, low, high) for name, (low, high) in bounds.items() if name not in same),
        same=tuple(same.items()), synthetic=synthetic,
    )  # fmt: skip
