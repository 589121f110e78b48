"""The oracle of two roads over one input: the alert changes of both, field by field, counted by rule. Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, TypeAlias

import msgspec

from streams.contracts.alert import AlertChanged
from tests.chaos.explanation import explain

SEVERAL_INPUTS = frozenset({"squeeze", "score-high", "stock-low"})
"""Rules about what several input partitions feed: their alerts may differ by the order in which these were read.

A site's cover is assessed anew when a measure or a plant changes a fact of it, and is a change at the instant of what
was read last: so a stock is one of them, though its reports all come by one partition.
"""
COMPARED = ("at", "from_state", "to_state", "severity", "summary", "description", "labels", "step", "occasion")
SHOWN = 10


class RuleCount(msgspec.Struct, kw_only=True):
    """Alert changes of one rule: on both roads alike, on both with another content, on one road alone."""

    equal: int = 0
    other_content: int = 0
    only_first: int = 0
    only_second: int = 0
    fields: dict[str, int] = {}
    explained: dict[str, int] = {}

    @property
    def differing(self) -> int:
        """How many are not alike."""
        return self.other_content + self.only_first + self.only_second


class Comparison(msgspec.Struct, kw_only=True):
    """What a comparison found; `differences` are the first of each rule, with both sides.

    `doubles` are the first pairs of changes that one log holds under one id.
    """

    first_count: int
    second_count: int
    doubled: int
    doubles: list[dict[str, Any]]
    rules: dict[str, RuleCount]
    differences: list[dict[str, Any]]

    def differing(self, *, single_input: bool) -> int:
        """Return how many changes differ of the rules over one input, or of the others."""
        return sum(c.differing for rule, c in self.rules.items() if (rule not in SEVERAL_INPUTS) is single_input)

    @property
    def equal(self) -> int:
        """Return how many changes are the same on both."""
        return sum(count.equal for count in self.rules.values())


Pairs: TypeAlias = list[tuple[AlertChanged, AlertChanged]]


def by_id(changes: Iterable[AlertChanged], *, until: datetime) -> tuple[dict[str, AlertChanged], Pairs]:
    """Return the changes up to an instant by their ids, and those that came with an id that was there already."""
    found: dict[str, AlertChanged] = {}
    doubles: Pairs = []
    for change in changes:
        if change.at <= until and change is not (first := found.setdefault(change.alert, change)):
            doubles.append((first, change))
    return found, doubles


def compare(first: Iterable[AlertChanged], second: Iterable[AlertChanged], *, until: datetime) -> Comparison:
    """Compare two alert logs up to an instant."""
    (a, doubles_a), (b, doubles_b) = by_id(first, until=until), by_id(second, until=until)
    rules: dict[str, RuleCount] = {}
    differences: list[dict[str, Any]] = []
    shown: Counter[str] = Counter()
    for name in sorted({*a, *b}, key=lambda n: ((a.get(n) or b[n]).at, n)):
        one, other = a.get(name), b.get(name)
        rule = (one or b[name]).rule
        count = rules.setdefault(rule, RuleCount())
        fields = _note(count, one, other)
        if fields is not None and shown[rule] < SHOWN:
            shown[rule] += 1
            differences.append({"alert": name, "rule": rule, "fields": fields, "first": _row(one),
                                "second": _row(other)})  # fmt: skip
    for rule, count in rules.items():
        if count.differing:
            lone = [[c for name, c in mine.items() if c.rule == rule and name not in yours]
                    for mine, yours in ((a, b), (b, a))]  # fmt: skip
            count.explained = explain(*lone)
    doubles = [*doubles_a, *doubles_b]
    return Comparison(
        first_count=len(a), second_count=len(b), doubled=len(doubles),
        doubles=[{"first": _row(change), "again": _row(again)} for change, again in doubles[:SHOWN]],
        rules=dict(sorted(rules.items())), differences=differences,
    )  # fmt: skip


def _note(count: RuleCount, one: AlertChanged | None, other: AlertChanged | None) -> list[str] | None:
    """Count a pair; return the fields in which it differs, `None` for none."""
    if one is None or other is None:
        if one is None:
            count.only_second += 1
        else:
            count.only_first += 1
        return []
    fields = [name for name in COMPARED if getattr(one, name) != getattr(other, name)]
    if not fields:
        count.equal += 1
        return None
    count.other_content += 1
    count.fields = {**count.fields, **{name: count.fields.get(name, 0) + 1 for name in fields}}
    return fields


def _row(change: AlertChanged | None) -> Mapping[str, Any] | None:
    return None if change is None else msgspec.to_builtins(change)


def table(title: str, made: Comparison) -> str:
    """Write a comparison for people."""
    lines = [
        f"{title}: {made.first_count} and {made.second_count} alert changes, {made.equal} equal, {made.doubled} doubled"
    ]
    for rule, count in made.rules.items():
        where = "several inputs" if rule in SEVERAL_INPUTS else "one input"
        lines.append(f"  {rule:18} {where:14} equal {count.equal:5}{_shown(count) if count.differing else ''}")
    return "\n".join(lines)


def _shown(count: RuleCount) -> str:
    return (
        f"  other content {count.other_content} {count.fields}, only first {count.only_first}, "
        f"only second {count.only_second}: {count.explained}"
    )
