"""The severity ladder over a number, shared by `threshold` and `change`: each step with its own resolve condition."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from alerts.lifecycle.evaluation import Alert, Level
from alerts.rules.expressions import Condition, Truth
from alerts.rules.facts import CATALOGUE
from alerts.rules.fingerprint import RuleError, build_condition
from alerts.rules.rule import fires
from alerts.rules.rule_specification import ChangeSpec, LimitSpec, ThresholdSpec


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """One step: reached beyond `limit`; it ends at `resolve` or when `resolve_when` is true, if it has one."""

    limit: float
    level: Level
    resolve: float | None
    resolve_when: Condition | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """A fact and its limits, mildest first; `sign` is 1 for above and -1 for below."""

    fact: str
    sign: int
    steps: tuple[Step, ...]

    def step_of(self, value: float, *, prior: Alert | None, facts: Mapping[str, Any]) -> Step | None:
        """Return the worst step that a value is strictly beyond, or that an alert stands on and has not left.

        `None` where it is on none. A step is left when its resolve condition says so; an unknown condition does not.
        """
        found = None
        for step in self.steps:
            if (value - step.limit) * self.sign > 0:
                found = step
        standing = prior.level.rank if fires(prior) and prior is not None and prior.level is not None else -1
        for step in reversed(self.steps[: standing + 1]):
            if found is not None and found.level.rank >= step.level.rank:
                break
            if self._holds(step, value, facts):
                return step
        return found

    def _holds(self, step: Step, value: float, facts: Mapping[str, Any]) -> bool:
        if step.resolve_when is not None:
            return step.resolve_when.evaluate(facts) is not Truth.TRUE
        return step.resolve is not None and (value - step.resolve) * self.sign > 0


def number_fact(on: str, name: str, *, field: str = "fact") -> str:
    """Check that an entity kind has a number of that name, and return it. Raise `RuleError` otherwise."""
    known = CATALOGUE[on]
    numbers = ", ".join(sorted(n for n, fact in known.items() if fact.type == "number"))
    if not numbers:
        raise RuleError(field=field, detail=f"has no numbers on a {on}: use `when`, or a rule of kind deadline")
    if name not in known or known[name].type != "number":
        raise RuleError(field=field, detail=f"is {name!r}, no number of {on}; numbers are: {numbers}")
    return name


def build_limits(spec: ThresholdSpec | ChangeSpec) -> Limits | None:
    """Compile the limits of a rule, `None` for one without. Raise `RuleError` where they are refused."""
    if spec.fact is None:
        return None
    field, given, sign = ("above", spec.above, 1) if spec.above is not None else ("below", spec.below, -1)
    if isinstance(given, tuple):
        steps = given
    else:
        assert given is not None and spec.severity is not None
        steps = (LimitSpec(value=given, severity=spec.severity),)
    if any((b.value - a.value) * sign <= 0 for a, b in pairwise(steps)):
        raise RuleError(field=field, detail="must go from the mildest limit to the worst")
    for n, step in enumerate(steps):
        if step.resolve is not None and (step.resolve - step.value) * sign > 0:
            raise RuleError(field=f"{field}.{n}.resolve", detail=f"must lie on the good side of {step.value:g}")
        if step.resolve is not None and step.resolve_when is not None:
            raise RuleError(field=f"{field}.{n}", detail="has both `resolve` and `resolve_when`: keep one")
    return Limits(
        fact=number_fact(spec.on, spec.fact),
        sign=sign,
        steps=tuple(
            Step(
                limit=s.value,
                level=Level(step=f"{field} {s.value:g}", severity=s.severity, rank=rank),
                resolve=s.resolve,
                resolve_when=build_condition(s.resolve_when, on=spec.on, field=f"{field}.{rank}.resolve_when"),
            )
            for rank, s in enumerate(steps)
        ),
    )
