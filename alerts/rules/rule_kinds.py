"""The kinds of rule, one module each: from what is written to what is compiled."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, TypeAlias

from alerts.rules.kinds.absence import AbsenceRule, build_absence
from alerts.rules.kinds.change import ChangeRule, build_change
from alerts.rules.kinds.composite import CompositeRule, build_composite
from alerts.rules.kinds.deadline import DeadlineRule, build_deadline
from alerts.rules.kinds.sequence import SequenceRule, build_sequence
from alerts.rules.kinds.threshold import ThresholdRule, build_threshold
from alerts.rules.rule_specification import AnyRuleSpec

Rule: TypeAlias = DeadlineRule | ThresholdRule | ChangeRule | AbsenceRule | CompositeRule | SequenceRule

BUILDERS: Mapping[str, Callable[[Any], Rule]] = MappingProxyType(
    {
        "deadline": build_deadline,
        "threshold": build_threshold,
        "change": build_change,
        "absence": build_absence,
        "composite": build_composite,
        "sequence": build_sequence,
    }
)
"""Kind to what compiles it."""


def build_rule(spec: AnyRuleSpec) -> Rule:
    """Compile one rule. Raise `RuleError` where it is refused."""
    return BUILDERS[spec.kind](spec)
