"""A compiled set of rules, indexed by what they read, so that an assessment meets only rules that can change.

Rules are found by entity kind and, where `where` demands that a label has a value, by that value. A label is what
identifies an entity and so never changes for it: an alert whose rule is not met any more cannot be left behind.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from alerts.rules.index import LabelIndex
from alerts.rules.kinds.composite import CompositeRule, composite_depths
from alerts.rules.rule_kinds import Rule

__all__ = ["BUILT_IN", "INPUT_STALLED", "OVER_LIMIT", "Rule", "Rules", "rules_of"]

OVER_LIMIT = "alerts-over-limit"
"""Rule id of the one alert about a rule whose alerts are more than its limit."""
INPUT_STALLED = "input-stalled"
"""Rule id of the alert about an input that time goes on without."""
BUILT_IN = frozenset({OVER_LIMIT, INPUT_STALLED})
"""Rule ids of alerts that need no rule set."""


@dataclass(frozen=True, slots=True)
class Rules:
    """Rules with unique ids. `by_id` and `on` look them up; `content_hash` identifies the set.

    Raises `RuleError` when built with composites that name rules which are not there, or lead back to themselves.
    """

    rules: tuple[Rule, ...]
    by_id: Mapping[str, Rule] = field(init=False)
    depths: Mapping[str, int] = field(init=False)
    _on: Mapping[str, tuple[Rule, ...]] = field(init=False)
    _index: Mapping[str, LabelIndex] = field(init=False)
    _composites: Mapping[str, tuple[CompositeRule, ...]] = field(init=False)

    def __post_init__(self) -> None:
        by_id = {rule.id: rule for rule in self.rules}
        object.__setattr__(self, "by_id", MappingProxyType(by_id))
        object.__setattr__(self, "depths", MappingProxyType(composite_depths(by_id)))
        grouped: dict[str, list[Rule]] = {}
        above: dict[str, list[CompositeRule]] = {}
        for rule in self.rules:
            for on in rule.reads:
                grouped.setdefault(on, []).append(rule)
            for name in rule.of if isinstance(rule, CompositeRule) else ():
                above.setdefault(name, []).append(rule)  # type: ignore[arg-type]
        object.__setattr__(self, "_on", MappingProxyType({k: tuple(v) for k, v in grouped.items()}))
        object.__setattr__(self, "_index", MappingProxyType({k: LabelIndex(v) for k, v in grouped.items()}))
        object.__setattr__(self, "_composites", MappingProxyType({k: tuple(v) for k, v in above.items()}))

    def on(self, entity: str) -> tuple[Rule, ...]:
        """Return the rules that read an entity kind, in file order."""
        return self._on.get(entity, ())

    def matching(self, entity: str, labels: Mapping[str, str]) -> tuple[Rule, ...]:
        """Return the rules that an entity of a kind with these key labels can meet, in file order."""
        index = self._index.get(entity)
        return index.matching(labels) if index is not None else ()

    def over(self, rule: str) -> tuple[CompositeRule, ...]:
        """Return the composites that read a rule."""
        return self._composites.get(rule, ())

    @property
    def content_hash(self) -> str:
        """Hash of the set, whatever the order of its rules; 16 hexadecimal digits."""
        joined = "\n".join(sorted(f"{rule.id} {rule.hash}" for rule in self.rules))
        return hashlib.sha256(joined.encode()).hexdigest()[:16]


def rules_of(rules: Iterable[Rule]) -> Rules:
    """Make a set of rules; ids must be unique. Raise `RuleError` for composites that do not fit the set."""
    return Rules(tuple(rules))
