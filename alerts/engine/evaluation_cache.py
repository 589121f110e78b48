"""Evaluation cache: the range of facts within which the last evaluation of a rule still holds.

A threshold rule compares facts with constants. Between two neighbouring constants every comparison has the same
result, and so have the verdict, the level and, if nothing else that the rule reads has changed, the occasion. An
evaluation that changed nothing is therefore skipped until a fact leaves its interval or the alert itself changes.
"""

import re
from bisect import bisect_left
from collections.abc import Iterable, Mapping
from math import inf
from typing import Any, NamedTuple

import msgspec

from alerts.engine.rule_matcher import MatchedRules, RuleMatch
from alerts.lifecycle.evaluation import Alert, Evaluation, Verdict
from alerts.rules.entities import Assessed
from alerts.rules.expressions import Condition, blank_strings
from alerts.rules.kinds.threshold import ThresholdRule
from alerts.rules.rule import OUTSIDE, fires
from alerts.rules.rule_kinds import Rule
from streams.contracts.assessments import RiskAssessed

_REMEMBERED_ENTITIES = 100_000
_ABSENT: Any = object()
_LABELLED = frozenset({"material", "home"})
"""Names that are part of what the entity is, whatever its facts say."""
_NOT_APPLICABLE = frozenset(id(said) for said in OUTSIDE.values())
_BEGINS = ("(", "&&", "||")
_COMPARISON = re.compile(r"\s*(?:<=|>=|<|>|==|!=)\s*(-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)\s*(?=$|\)|&&|\|\|)")


class Dependencies(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """What a rule reads: facts only compared with constants (sorted), and facts whose value matters as it is."""

    limits: Mapping[str, tuple[float, ...]]
    values: frozenset[str]


class RuleDependencies(NamedTuple):
    """What a rule reads when `where` excludes the entity, while its alert is idle, and while it fires."""

    outside: Dependencies
    idle: Dependencies
    firing: Dependencies

    def dependencies(self, evaluation: Evaluation, *, prior: Alert | None) -> Dependencies:
        """Return what one evaluation of the rule has read."""
        if id(evaluation) in _NOT_APPLICABLE:
            return self.outside
        return self.firing if fires(prior) else self.idle


def dependencies_of(rule: Rule) -> RuleDependencies | None:
    """Return what a rule reads; `None` if it also depends on memory, time or the age of facts."""
    if not isinstance(rule, ThresholdRule) or rule.timing.max_age is not None:
        return None
    outside = _read_by([rule.where])
    limits, values = dict[str, tuple[float, ...]](), frozenset(rule.occasion)
    steps = rule.limits.steps if rule.limits is not None else ()
    if rule.limits is not None:
        limits[rule.limits.fact] = tuple(float(step.limit) for step in steps)
    idle = merged_dependencies([outside, _read_by([rule.when]), Dependencies(limits=limits, values=values)])
    resolved: dict[str, tuple[float, ...]] = {}
    if rule.limits is not None:
        resolved[rule.limits.fact] = tuple(float(step.resolve) for step in steps if step.resolve is not None)
    ends = _read_by([rule.resolve_when, *(step.resolve_when for step in steps)])
    return RuleDependencies(
        outside, idle, merged_dependencies([idle, ends, Dependencies(limits=resolved, values=frozenset())])
    )


def _read_by(conditions: Iterable[Condition | None]) -> Dependencies:
    limits: dict[str, set[float]] = {}
    values: set[str] = set()
    for condition in conditions:
        for name in condition.names if condition is not None else ():
            compared = _compared(condition, name)
            if compared is None:
                values.add(name)
            else:
                limits.setdefault(name, set()).update(compared)
    values -= _LABELLED
    return Dependencies(limits={name: tuple(sorted(found)) for name, found in limits.items()}, values=frozenset(values))


def _compared(condition: Condition | None, name: str) -> set[float] | None:
    """Return the constants a condition compares a fact with; `None` if it does anything else with the fact."""
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


def merged_dependencies(parts: Iterable[Dependencies]) -> Dependencies:
    """Merge dependencies; a fact whose value matters in one of them matters in the result."""
    limits: dict[str, set[float]] = {}
    values: set[str] = set()
    for part in parts:
        values |= part.values
        for name, numbers in part.limits.items():
            limits.setdefault(name, set()).update(numbers)
    compared = {name: tuple(sorted(found)) for name, found in limits.items() if name not in values}
    return Dependencies(limits=compared, values=frozenset(values))


class CachedVerdict(msgspec.Struct, frozen=True, eq=False):
    """Where an evaluation holds: open intervals, facts that stay unknown, values that stay equal."""

    bounds: tuple[tuple[str, float, float], ...]
    unknown: tuple[str, ...]
    same: tuple[tuple[str, Any], ...]
    synthetic: bool

    def contains(self, assessed: RiskAssessed) -> bool:
        """Tell whether the facts of an assessment are within the range."""
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


def verdict_around(reads: Dependencies, assessed: RiskAssessed) -> CachedVerdict:
    """Return the range around an assessment within which a rule with these dependencies has the same verdict."""
    facts, labels = assessed.facts, assessed.labels
    bounds: list[tuple[str, float, float]] = []
    unknown: list[str] = []
    same: list[tuple[str, Any]] = []
    for name, limits in reads.limits.items():
        value: Any = facts.get(name)
        if value.__class__ is float:
            place = bisect_left(limits, value)
            low = limits[place - 1] if place else -inf
            high = limits[place] if place < len(limits) else inf
            if low < value < high:
                bounds.append((name, low, high))
            else:  # on a limit, or nan, which no interval holds
                same.append((name, value))
        elif value is None and name not in labels:
            unknown.append(name)
        else:
            same.append((name, facts.get(name, _ABSENT)))
    for name in reads.values:
        if name not in labels and facts.get(name) is None:
            unknown.append(name)
        else:  # a fact of the name of a label hides it, also one that is unknown
            same.append((name, facts.get(name, _ABSENT)))
    return CachedVerdict(tuple(bounds), tuple(unknown), tuple(same), assessed.synthetic)


class EvaluationCache:
    """Skips evaluations that cannot change their alert. Switched off (`enabled` false) it skips none.

    Verdicts are cached by alert, and merged by entity, so that most assessments cost one look-up.
    """

    def __init__(self, *, enabled: bool = True) -> None:
        self._enabled = enabled
        self._reads: dict[int, RuleDependencies | None] = {}
        self._merged: dict[tuple[Dependencies | None, ...], Dependencies] = {}
        self._of_alert: dict[str, tuple[CachedVerdict, Dependencies]] = {}
        self._of_entity: dict[bytes, CachedVerdict] = {}
        self._entity_of: dict[str, bytes] = {}

    def covers(self, matched: MatchedRules, assessed: RiskAssessed) -> bool:
        """Tell whether an assessment changes no alert of its entity."""
        cached = self._of_entity.get(matched.known_key)
        return cached is not None and cached.contains(assessed)

    def skips(self, match: RuleMatch, assessed: RiskAssessed) -> bool:
        """Tell whether an assessment does not change the alert of one rule."""
        cached = self._of_alert.get(match.fingerprint)
        return cached is not None and cached[0].contains(assessed)

    def remember(
        self, match: RuleMatch, assessed: Assessed, evaluation: Evaluation, *, prior: Alert | None, stays: bool
    ) -> None:
        """Cache an evaluation that left the alert `prior` as it was (`stays`), now and at any later instant."""
        rule = match.rule
        if id(rule) not in self._reads:
            self._reads[id(rule)] = dependencies_of(rule) if self._enabled else None
        reads = self._reads[id(rule)]
        cacheable = stays and evaluation.verdict is not Verdict.ERROR and isinstance(assessed, RiskAssessed)
        if reads is None or not cacheable:
            self._of_alert.pop(match.fingerprint, None)
            return
        dependencies = reads.dependencies(evaluation, prior=prior)
        assert isinstance(assessed, RiskAssessed)
        self._of_alert[match.fingerprint] = (verdict_around(dependencies, assessed), dependencies)

    def merge(self, matched: MatchedRules, assessed: RiskAssessed) -> None:
        """Merge the cached verdicts of all rules of an entity; without one for each of them there is none to merge."""
        if not self._enabled:
            return
        found = [self._of_alert.get(match.fingerprint) for match in matched.matches]
        if None in found:
            self._of_entity.pop(matched.known_key, None)
            return
        read = tuple([each[1] for each in found if each is not None])
        merged = self._merged.get(read)
        if merged is None:
            merged = self._merged[read] = merged_dependencies(each for each in read if each is not None)
        if len(self._of_entity) >= _REMEMBERED_ENTITIES:
            self._clear()
        for match in matched.matches:
            self._entity_of[match.fingerprint] = matched.known_key
        self._of_entity[matched.known_key] = verdict_around(merged, assessed)

    def invalidate(self, fingerprint: str) -> None:
        """Drop the cached verdict of an alert that changed."""
        self._of_alert.pop(fingerprint, None)
        entity = self._entity_of.get(fingerprint)
        if entity is not None:
            self._of_entity.pop(entity, None)

    def _clear(self) -> None:
        self._of_alert.clear()
        self._of_entity.clear()
        self._entity_of.clear()
