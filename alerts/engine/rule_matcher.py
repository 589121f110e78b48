"""Which rules match an entity, and the store keys of their alerts."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from alerts.engine.rules_state import alert_key, known_key, memory_key
from alerts.rules.entities import Assessed, SourceAssessed, assessment_of_source, kind_of, labels_of
from alerts.rules.fingerprint import fingerprint_of
from alerts.rules.ruleset import Rule, Rules
from streams.contracts.assessments import RiskAssessed

_REMEMBERED_ENTITIES = 100_000


@dataclass(frozen=True, slots=True, eq=False)
class RuleMatch:
    """A rule that matches an entity: the identity of their alert, with the store keys of alert and memory."""

    rule: Rule
    fingerprint: str
    labels: dict[str, str]
    alert_key: bytes
    memory_key: bytes


@dataclass(frozen=True, slots=True, eq=False)
class MatchedRules:
    """The rules that match an entity, the store key of the entity, and the rules that match its sources by name."""

    known_key: bytes
    matches: tuple[RuleMatch, ...]
    of_sources: dict[str, "MatchedRules"] = field(default_factory=dict)


class RuleMatcher:
    """Finds the matching rules of every entity once: they depend on its labels alone."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._matched: dict[tuple[Any, ...], MatchedRules] = {}

    def of_risk(self, assessed: RiskAssessed) -> MatchedRules:
        """Return the rules that match the entity of a risk assessment."""
        labels = assessed.labels
        key = (assessed.aspect, assessed.material, assessed.home, *labels, *labels.values())
        return self._matched.get(key) or self._match(key, assessed)

    def of(self, assessed: Assessed) -> MatchedRules:
        """Return the rules that match any entity."""
        if isinstance(assessed, RiskAssessed):
            return self.of_risk(assessed)
        if isinstance(assessed, SourceAssessed):
            key: tuple[Any, ...] = (SourceAssessed, assessed.source, assessed.aspect, assessed.material)
        else:
            key = (type(assessed), *labels_of(assessed).values())
        return self._matched.get(key) or self._match(key, assessed)

    def of_source(self, matched: MatchedRules, source: str, assessed: RiskAssessed) -> MatchedRules:
        """Return the rules that match a source of an entity."""
        found = matched.of_sources.get(source)
        if found is None:
            found = matched.of_sources[source] = self.of(assessment_of_source(source, assessed))
        return found

    def _match(self, key: tuple[Any, ...], assessed: Assessed) -> MatchedRules:
        if len(self._matched) >= _REMEMBERED_ENTITIES:
            self._matched.clear()
        labels, kind = labels_of(assessed), kind_of(assessed)
        matches = [
            _match_of(rule, named)
            for rule in self._rules.matching(kind, labels)
            if (named := rule.identity(labels)) is not None
        ]
        matched = self._matched[key] = MatchedRules(known_key(kind, labels), tuple(matches))
        return matched


def _match_of(rule: Rule, labels: Mapping[str, str]) -> RuleMatch:
    fingerprint = fingerprint_of(rule.id, labels)
    return RuleMatch(rule, fingerprint, dict(labels), alert_key(fingerprint), memory_key(rule.id, fingerprint))
