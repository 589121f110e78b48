"""Finding rules by the labels their `where` demands: `material == "dysprosium" && assessor in ["SMM", "Argus"]`."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from alerts.rules.rule_kinds import Rule

_EQUAL = re.compile(r"""^\(?\s*([a-z_]\w*)\s*==\s*(?:"([^"\\]*)"|'([^'\\]*)')\s*\)?$""")
_AMONG = re.compile(r"""^\(?\s*([a-z_]\w*)\s+in\s*\[((?:\s*(?:"[^"\\]*"|'[^'\\]*')\s*,?)+)\]\s*\)?$""")
_LITERAL = re.compile(r"""["']([^"'\\]*)["']""")
_OPENING, _CLOSING = "([{", ")]}"


def conjuncts(text: str) -> list[str]:
    """Split an expression at its outermost `&&`; one part where it is no conjunction."""
    parts, depth, quote, start, index = [], 0, "", 0, 0
    while index < len(text):
        sign = text[index]
        if quote:
            if sign == "\\":
                index += 1
            elif sign == quote:
                quote = ""
        elif sign in "\"'":
            quote = sign
        elif sign in _OPENING:
            depth += 1
        elif sign in _CLOSING:
            depth -= 1
        elif depth == 0 and sign in "|?":
            return [text]  # what stands beside an `||` or `?` demands nothing by itself
        elif depth == 0 and text.startswith("&&", index):
            parts.append(text[start:index].strip())
            index += 1
            start = index + 1
        index += 1
    return [*parts, text[start:].strip()]


@dataclass(frozen=True, kw_only=True, slots=True)
class LabelMatchers:
    """Names that must have one of some values for an expression to be true; `complete`: it says nothing else."""

    values: Mapping[str, tuple[str, ...]]
    complete: bool


def demands_of(text: str | None) -> LabelMatchers:
    """Read what an expression demands; `None` demands nothing."""
    if text is None:
        return LabelMatchers(values={}, complete=True)
    found: dict[str, tuple[str, ...]] = {}
    complete = True
    for part in conjuncts(text):
        if (equal := _EQUAL.match(part)) and equal[1] not in found:
            found[equal[1]] = (equal[2] if equal[2] is not None else equal[3],)
        elif (among := _AMONG.match(part)) and among[1] not in found:
            found[among[1]] = tuple(_LITERAL.findall(among[2]))
        else:
            complete = False
    return LabelMatchers(values=found, complete=complete)


_STABLE = frozenset({"measure", "material", "home", "source", "aspect", "end_use"})
"""Names that are labels of every entity that has them at all; a name that is no label may be a fact, which changes."""


class LabelIndex:
    """The rules on one entity kind: those that demand a stable label, by its value, and the others."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        self._rules = tuple(rules)
        self._bare: dict[int, Rule] = {}
        self._demands = tuple(
            demands_of(rule.where.text if rule.where is not None and _demands_of_entity(rule) else None)
            for rule in self._rules
        )
        self._always: list[int] = []
        self._by_label: dict[str, dict[str, list[int]]] = {}
        sizes = Counter((n, v) for demands in self._demands for n, values in demands.values.items() for v in values)
        for place, demands in enumerate(self._demands):
            names = [name for name in demands.values if name in _STABLE]
            if not names:
                self._always.append(place)
                continue
            name = min(names, key=lambda n, of=demands.values: sum(sizes[n, v] for v in of[n]))  # type: ignore[misc]
            for value in dict.fromkeys(demands.values[name]):
                self._by_label.setdefault(name, {}).setdefault(value, []).append(place)

    def matching(self, labels: Mapping[str, str]) -> tuple[Rule, ...]:
        """Return the rules that an entity with these key labels can meet, in file order.

        A rule whose `where` is decided by the labels alone comes without it: it need not be evaluated.
        """
        places = list(self._always)
        for name, by_value in self._by_label.items():
            if name in labels:
                places += by_value.get(labels[name], ())
        met = (n for n in sorted(places) if _fits(self._demands[n].values, labels))
        return tuple(self._as_met(place, labels) for place in met)

    def _as_met(self, place: int, labels: Mapping[str, str]) -> Rule:
        rule, demands = self._rules[place], self._demands[place]
        if rule.where is None or not demands.complete or not all(name in labels for name in demands.values):
            return rule
        if not _demands_of_entity(rule):
            return rule
        bare = self._bare.get(place)
        if bare is None:
            bare = self._bare[place] = replace(rule, where=None)
        return bare


def _demands_of_entity(rule: Rule) -> bool:
    """Tell whether `where` is about every entity the rule reads; that of a sequence is about `first` alone."""
    return rule.kind != "sequence"


def _fits(demands: Mapping[str, tuple[str, ...]], labels: Mapping[str, str]) -> bool:
    return all(labels[name] in values for name, values in demands.items() if name in labels)
