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


def reads_of_all(parts: Iterable[Reads]) -> Reads:
    """Put together what several rules read."""
    limits: dict[str, set[float]] = {}
    values: set[str] = set()
    for part in parts:
        values |= part.values
        for name, numbers in part.limits.items():
            limits.setdefault(name, set()).update(numbers)
    return Reads(limits={name: tuple(sorted(found)) for name, found in limits.items()}, values=frozenset(values))


@dataclass(frozen=True, slots=True)
class Calm:
    """Facts within which rules say the same: open intervals, names that stay unknown, values that must be the same."""

    bounds: tuple[tuple[str, float, float], ...]
    unknown: tuple[str, ...]
    same: tuple[tuple[str, Any], ...]
    synthetic: bool

    def holds(self, assessed: RiskAssessed) -> bool:
        """Tell whether the facts of an assessment lie within."""
        get = assessed.facts.get
        for name, low, high in self.bounds:
            value = get(name)
            if value.__class__ is not float or not low < value < high:
                return False
        for name in self.unknown:
            if get(name) is not None:
                return False
        for name, known in self.same:
            value = get(name, _ABSENT)
            if value is not known and (value != known or value.__class__ is not known.__class__):
                return False
        return assessed.synthetic is self.synthetic


def calm_around(reads: Reads, assessed: RiskAssessed) -> Calm:
    """Return the facts around an assessment within which a rule that reads these says the same."""
    facts, labels = assessed.facts, assessed.labels
    bounds, unknown, same = [], [], []
    for name, limits in reads.limits.items():
        value: Any = facts.get(name)
        if name in reads.values:
            continue
        if value is None and name not in labels:
            unknown.append(name)
            continue
        place = bisect_left(limits, value) if type(value) is float else 0
        low = limits[place - 1] if place else -inf
        high = limits[place] if place < len(limits) else inf
        if type(value) is float and low < value < high:
            bounds.append((name, low, high))
        else:  # of another type, on a limit, or nan, which no interval holds
            same.append((name, facts.get(name, _ABSENT)))
    for name in reads.values:
        if name not in labels and facts.get(name) is None:
            unknown.append(name)
        else:  # a fact of the name of a label hides it, also one that is unknown
            same.append((name, facts.get(name, _ABSENT)))
    return Calm(tuple(bounds), tuple(unknown), tuple(same), assessed.synthetic)
