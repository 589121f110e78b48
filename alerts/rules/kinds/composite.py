"""Rule kind `composite`: all, any or at least k of other rules fire, for one entity or one group of labels.

Firing and clearing count as true, ok and pending as false; no_data, stale and error are unknown, and unknown decides
nothing: what could still be met is unknown, neither met nor over. It is decided once for each instant, when time moves
on, so that the order of what happened within it does not matter.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from alerts.lifecycle.advance import FIRING_STATES, SETTLED
from alerts.lifecycle.evaluation import Alert, Evaluation, Level, Verdict
from alerts.rules.fact_rule import build_timing
from alerts.rules.fingerprint import RuleError, build_texts, content_hash, labels_in_words
from alerts.rules.label_groups import check_group
from alerts.rules.rule import CLEAR, UNKNOWN, CompiledRule, common_fields, fires
from alerts.rules.rule_specification import CompositeSpec
from streams.contracts.alert import AlertState
from streams.contracts.assessments import Fact

MAX_DEPTH = 8
"""Composites over composites: deeper than this nobody understands them."""
_MAX_CAUSES = 20
TEXT_NAMES = ("holding", "count")
ENTITY = "alerts"
"""What a composite is `on`: other alerts, no assessments."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class CompositeRule(CompiledRule):
    """A compiled composite rule: the ladder of counts, mildest first. `depth` is 1 above its deepest input."""

    of: tuple[str, ...]
    by: tuple[str, ...]
    ladder: tuple[tuple[int, Level], ...]

    @property
    def reads(self) -> tuple[str, ...]:
        """It reads no assessments."""
        return ()

    def identity(self, labels: dict[str, str]) -> dict[str, str] | None:
        """Return the labels of the group that an alert with these key labels is in, `None` for none."""
        if not self.by:
            return labels
        found = {name: labels[name] for name in self.by if name in labels}
        return found if len(found) == len(self.by) else None

    def judge(
        self, members: Mapping[str, Sequence[Alert]], *, labels: dict[str, str], prior: Alert | None
    ) -> Evaluation:
        """Say what holds for a group, given its alerts by rule; a rule without alerts there does not hold."""
        holding = [rule for rule in self.of if any(a.state in FIRING_STATES for a in members.get(rule, ()))]
        unsure = [rule for rule in self.of if rule not in holding and _unknown(members.get(rule, ()))]
        reached = [level for count, level in self.ladder if len(holding) >= count]
        if not reached:
            if len(holding) + len(unsure) >= self.ladder[0][0]:
                return UNKNOWN
            values: dict[str, Fact] = {rule: rule in holding for rule in self.of}
            return Evaluation(verdict=Verdict.CLEAR, values=values) if fires(prior) else CLEAR
        return self._met(members, holding, reached[-1], labels=labels)

    def _met(
        self, members: Mapping[str, Sequence[Alert]], holding: list[str], level: Level, *, labels: dict[str, str]
    ) -> Evaluation:
        behind = [a for rule in holding for a in members[rule] if a.state in FIRING_STATES]
        seen = [a.evaluation for a in sorted(behind, key=lambda a: (a.rule, a.fingerprint)) if a.evaluation is not None]
        causes = tuple(dict.fromkeys(cause for e in seen for cause in e.causes))[:_MAX_CAUSES]
        needed = next(count for count, step in self.ladder if step is level)
        synthetic = any(e.synthetic for e in seen)
        values: dict[str, Any] = {
            **dict.fromkeys((n for n in self.by), None),
            **labels,
            "holding": ", ".join(holding),
            "count": float(len(holding)),
            "value": float(len(holding)),
            "threshold": float(needed),
            "step": level.step,
            "severity": level.severity,
            "labels": labels_in_words(labels),
            "data": "Synthetic data." if synthetic else "",
            "claims": "",
            "targets": "",
        }
        return Evaluation(
            verdict=Verdict.MET,
            level=level,
            values={rule: rule in holding for rule in self.of},
            thresholds={"count": float(needed)},
            causes=causes,
            synthetic=synthetic,
            materials=tuple(sorted({m for e in seen for m in e.materials})),
            texts=self.texts.render(values),
        )


def _unknown(alerts: Sequence[Alert]) -> bool:
    return any(a.state in SETTLED and a.state is not AlertState.OK for a in alerts)


def build_composite(spec: CompositeSpec) -> CompositeRule:
    """Compile a composite rule; `composite_depths` looks at the rules it names. Raise `RuleError` where refused."""
    if isinstance(spec.needs, tuple):
        steps = [(step.count, step.severity) for step in spec.needs]
    else:
        assert spec.severity is not None
        count = {"all": len(spec.of), "any": 1}.get(str(spec.needs), spec.needs)
        steps = [(int(count), spec.severity)]
    counts = [count for count, _ in steps]
    if sorted(set(counts)) != counts or counts[-1] > len(spec.of):
        raise RuleError(field="needs", detail=f"must go from fewer to more, at most {len(spec.of)} (the rules in `of`)")
    if spec.id in spec.of:
        raise RuleError(field="of", detail="names the rule itself: remove it")
    return CompositeRule(
        **common_fields(
            spec,
            hash=content_hash(spec),
            on=ENTITY,
            timing=build_timing(spec),
            texts=build_texts(spec.annotations, on=None, more=(*TEXT_NAMES, *spec.by)),
        ),
        of=spec.of,
        by=spec.by,
        ladder=tuple(
            (count, Level(step=f"{count} of {len(spec.of)}", severity=severity, rank=rank))
            for rank, (count, severity) in enumerate(steps)
        ),
    )


class _Chain:
    """Walks composites to their inputs; raises `RuleError` for a rule unknown, a circle, or too deep a chain."""

    def __init__(self, rules: Mapping[str, CompiledRule]) -> None:
        self._rules = rules
        self._depths: dict[str, int] = {}
        self._entities: dict[str, frozenset[str]] = {}

    def depth_of(self, rule: CompiledRule, above: tuple[str, ...] = ()) -> int:
        if not isinstance(rule, CompositeRule):
            return 0
        if rule.id in above:
            chain = " -> ".join((*above[above.index(rule.id) :], rule.id))
            raise RuleError(field="of", detail=f"leads back to itself: {chain}; composites must end in other kinds")
        if len(above) >= MAX_DEPTH:
            raise RuleError(field="of", detail=f"is a chain of more than {MAX_DEPTH} composites: name the rules below")
        found = self._depths.get(rule.id)
        if found is None:
            inputs = [self._input(rule, name) for name in rule.of]
            found = self._depths[rule.id] = 1 + max(self.depth_of(i, (*above, rule.id)) for i in inputs)
        if len(above) + found > MAX_DEPTH:
            raise RuleError(field="of", detail=f"is a chain of more than {MAX_DEPTH} composites: name the rules below")
        return found

    def _input(self, rule: CompositeRule, name: str) -> CompiledRule:
        if name not in self._rules:
            raise RuleError(field="of", detail=f"names {name!r}, which is no rule of this set")
        return self._rules[name]

    def entities_of(self, rule: CompiledRule) -> frozenset[str]:
        """Return the entity kinds whose labels the alerts of a rule carry. Each rule is asked once: eight layers of
        eight composites have 16 million ways down."""
        if not isinstance(rule, CompositeRule):
            return frozenset({rule.on})
        if rule.id not in self._entities:
            below = (self.entities_of(self._rules[name]) for name in rule.of)
            self._entities[rule.id] = frozenset().union(*below)
        return self._entities[rule.id]

    def labels_of(self, rule: CompiledRule) -> tuple[str, ...]:
        """Return the labels that the alerts of a rule are cut down to, none for those of the entity."""
        cut: tuple[str, ...] = getattr(rule, "by", ())
        return cut


def composite_depths(rules: Mapping[str, CompiledRule]) -> dict[str, int]:
    """Return for each composite how deep it stands over other rules. Raise `RuleError` (with `rule`) where refused."""
    chain = _Chain(rules)
    depths: dict[str, int] = {}
    for rule in rules.values():
        if not isinstance(rule, CompositeRule):
            continue
        try:
            depths[rule.id] = chain.depth_of(rule)
            _check_inputs(rule, chain, rules)
        except RuleError as error:
            error.rule = rule.id
            raise
    return depths


def _check_inputs(rule: CompositeRule, chain: _Chain, rules: Mapping[str, CompiledRule]) -> None:
    entities = chain.entities_of(rule)
    cuts = {chain.labels_of(rules[name]) for name in rule.of}
    if not rule.by:
        if len(entities) > 1 or len(cuts) > 1:
            raise RuleError(
                field="by",
                detail="is needed: the rules in `of` are about different kinds of entity, "
                "so name the labels they share, such as [material]",
            )
        return
    for on in sorted(entities):
        check_group(rule.by, on=on)
    for cut in cuts:
        if cut and not set(rule.by) <= set(cut):
            raise RuleError(field="by", detail=f"names labels that alerts by {', '.join(cut)} do not carry")
