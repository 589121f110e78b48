"""Which rules match an entity, the keys of their alerts, and the verdicts cached for them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from alerts.engine.evaluation_cache import (
    CachedVerdict,
    Dependencies,
    RuleDependencies,
    dependencies_of,
    merged_dependencies,
    verdict_around,
)
from alerts.engine.rules_state import alert_key, known_key, memory_key
from alerts.lifecycle.evaluation import Alert, Evaluation, Verdict
from alerts.rules.entities import Assessed, SourceAssessed, heard_from, kind_of, labels_of
from alerts.rules.fingerprint import fingerprint_of
from alerts.rules.ruleset import Rule, Rules
from streams.contracts.assessments import RiskAssessed

_CACHED_ENTITIES = 100_000


@dataclass(slots=True, eq=False)
class RuleMatch:
    """A rule that matches an entity, with the store keys of its alert and its memory.

    `reads`: what the rule reads, `None` where it depends on more than facts. `cached`: the facts within which the last
    evaluation holds, `None` if it must be evaluated; `dependencies`: what that evaluation read.
    """

    rule: Rule
    fingerprint: str
    labels: dict[str, str]
    alert_key: bytes
    memory_key: bytes
    reads: RuleDependencies | None
    cached: CachedVerdict | None = None
    dependencies: Dependencies | None = None

    def note(self, assessed: Assessed, evaluation: Evaluation, *, prior: Alert | None, stays: bool) -> None:
        """Cache an evaluation that left the alert `prior` as it was (`stays`), now and at any later instant."""
        cacheable = stays and evaluation.verdict is not Verdict.ERROR and isinstance(assessed, RiskAssessed)
        if self.reads is None or not cacheable:
            self.cached = self.dependencies = None
            return
        self.dependencies = self.reads.dependencies(evaluation, prior=prior)
        self.cached = verdict_around(self.dependencies, assessed)  # type: ignore[arg-type]


@dataclass(slots=True, eq=False)
class MatchedRules:
    """The rules that match an entity, the store key of the entity, and the rules of its sources by name.

    `cached`: the facts within which no rule changes anything, `None` if one must be evaluated.
    """

    known_key: bytes
    matches: tuple[RuleMatch, ...]
    heard: dict[str, "MatchedRules"] = field(default_factory=dict)
    cached: CachedVerdict | None = None


class RuleMatcher:
    """Finds the matching rules of every entity once: they depend on its labels alone."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._reads: dict[int, RuleDependencies | None] = {}
        self._merged: dict[tuple[Dependencies | None, ...], Dependencies] = {}
        self._matched: dict[tuple[Any, ...], MatchedRules] = {}
        self._at: dict[str, list[tuple[MatchedRules, RuleMatch]]] = {}

    def of_risk(self, assessed: RiskAssessed) -> MatchedRules:
        """Return the rules that match the entity of a risk assessment."""
        labels = assessed.labels
        key = (assessed.aspect, assessed.material, assessed.home, *labels, *labels.values())
        return self._matched.get(key) or self._found(key, assessed)

    def of(self, assessed: Assessed) -> MatchedRules:
        """Return the rules that match any entity."""
        if isinstance(assessed, RiskAssessed):
            return self.of_risk(assessed)
        if isinstance(assessed, SourceAssessed):
            key: tuple[Any, ...] = (SourceAssessed, assessed.source, assessed.aspect, assessed.material)
        else:
            key = (type(assessed), *labels_of(assessed).values())
        return self._matched.get(key) or self._found(key, assessed)

    def of_source(self, matched: MatchedRules, source: str, assessed: RiskAssessed) -> MatchedRules:
        """Return the rules that match a source of an entity."""
        found = matched.heard.get(source)
        if found is None:
            found = matched.heard[source] = self.of(heard_from(source, assessed))
        return found

    def merge_verdicts(self, matched: MatchedRules, assessed: RiskAssessed) -> None:
        """Merge the cached verdicts of all rules of an entity into one."""
        read = tuple([match.dependencies for match in matched.matches])
        if None in read:
            matched.cached = None
            return
        merged = self._merged.get(read)
        if merged is None:
            merged = self._merged[read] = merged_dependencies(each for each in read if each is not None)
        matched.cached = verdict_around(merged, assessed)

    def invalidate(self, fingerprint: str) -> None:
        """Drop the cached verdict of an alert that changed."""
        for matched, match in self._at.get(fingerprint, ()):
            matched.cached = match.cached = match.dependencies = None

    def _found(self, key: tuple[Any, ...], assessed: Assessed) -> MatchedRules:
        if len(self._matched) >= _CACHED_ENTITIES:
            self._matched.clear()
            self._at.clear()
        labels, kind = labels_of(assessed), kind_of(assessed)
        found = tuple(self._match(rule, named) for rule in self._rules.meeting(kind, labels)
                      if (named := rule.identity(labels)) is not None)  # fmt: skip
        matched = MatchedRules(known_key(kind, labels), found)
        for match in matched.matches:
            if match.reads is not None:
                self._at.setdefault(match.fingerprint, []).append((matched, match))
        self._matched[key] = matched
        return matched

    def _match(self, rule: Rule, labels: Mapping[str, str]) -> RuleMatch:
        fingerprint = fingerprint_of(rule.id, labels)
        if id(rule) not in self._reads:
            self._reads[id(rule)] = dependencies_of(rule)
        return RuleMatch(
            rule, fingerprint, dict(labels), alert_key(fingerprint), memory_key(rule.id, fingerprint),
            self._reads[id(rule)],
        )  # fmt: skip
