"""A compiled set of rules, indexed by the entity kind they read, so that an assessment meets only rules about it."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TypeAlias

from alerts.rules.deadline import DeadlineRule
from alerts.rules.threshold import ThresholdRule

Rule: TypeAlias = DeadlineRule | ThresholdRule


@dataclass(frozen=True, slots=True)
class Rules:
    """Rules with unique ids. `by_id` and `on` look them up; `content_hash` identifies the set."""

    rules: tuple[Rule, ...]
    by_id: Mapping[str, Rule] = field(init=False)
    _on: Mapping[str, tuple[Rule, ...]] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "by_id", MappingProxyType({rule.id: rule for rule in self.rules}))
        grouped: dict[str, list[Rule]] = {}
        for rule in self.rules:
            grouped.setdefault(rule.on, []).append(rule)
        object.__setattr__(self, "_on", MappingProxyType({k: tuple(v) for k, v in grouped.items()}))

    def on(self, entity: str) -> tuple[Rule, ...]:
        """Return the rules that read an entity kind, in file order."""
        return self._on.get(entity, ())

    @property
    def content_hash(self) -> str:
        """Hash of the set, whatever the order of its rules; 16 hexadecimal digits."""
        joined = "\n".join(sorted(f"{rule.id} {rule.hash}" for rule in self.rules))
        return hashlib.sha256(joined.encode()).hexdigest()[:16]


def rules_of(rules: Iterable[Rule]) -> Rules:
    """Make a set of rules; ids must be unique."""
    return Rules(tuple(rules))
