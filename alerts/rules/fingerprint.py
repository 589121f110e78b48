"""What all kinds of rule share: identity, `where`, and the texts of an alert."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from alerts.rules.entities import (
    Assessed,
    SourceAssessed,
    facts_of,
    is_synthetic,
    labels_of,
    materials_of,
)
from alerts.rules.expressions import Condition, ExpressionError, Truth
from alerts.rules.facts import CATALOGUE, TEXT_NAMES, measure_facts
from alerts.rules.rule_specification import AnnotationSpec, AnyRuleSpec
from alerts.rules.templates import FormatFaults, Text, TextError
from streams.contracts.assessments import ClaimedEnd, ExposureAssessed, Fact, MeasureAssessed
from streams.contracts.policy import Targets

__all__ = ["Assessed", "RuleError", "Texts", "facts_of", "labels_of", "materials_of", "text_values"]


class RuleError(ValueError):
    """A rule that is refused at load: the `field` within the rule, and what to do. `rule` is set where a set is."""

    def __init__(self, *, field: str, detail: str) -> None:
        super().__init__(f"{field} {detail}")
        self.field = field
        self.detail = detail
        self.rule = ""


def content_hash(spec: AnyRuleSpec) -> str:
    """Hash everything a rule says; 16 hexadecimal digits. What is left out and the default written out are the same."""
    said = spec.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    canonical = msgspec.json.encode({**said, "kind": spec.kind}, order="sorted")
    return hashlib.sha256(canonical).hexdigest()[:16]


def fingerprint_of(rule: str, labels: Mapping[str, str]) -> str:
    """Identify an alert by rule id and key labels; 16 hexadecimal digits."""
    identity = "\0".join([rule, *(f"{name}={labels[name]}" for name in sorted(labels))])
    return hashlib.sha256(identity.encode()).hexdigest()[:16]


def build_condition(text: str | None, *, on: str, field: str) -> Condition | None:
    """Compile a condition of a rule on an entity kind. Raise `RuleError` where it is refused."""
    if text is None:
        return None
    try:
        return Condition(text, CATALOGUE[on])
    except ExpressionError as error:
        raise RuleError(field=field, detail=str(error)) from error


@dataclass(frozen=True, kw_only=True, slots=True)
class Texts:
    """The checked texts of a rule."""

    summary: Text
    description: Text
    resolved: Text | None
    passed: Text | None
    runbook: str | None
    faults: FormatFaults = field(default_factory=FormatFaults)

    def render(self, values: Mapping[str, Any], *, passed: bool = False) -> dict[str, str]:
        """Fill the firing texts; after a deadline with its own summary, where there is one."""
        summary = self.passed if passed and self.passed is not None else self.summary
        return {"summary": summary.render(values), "description": self.description.render(values)}


def build_texts(spec: AnnotationSpec, *, on: str | None, more: Iterable[str] = ()) -> Texts:
    """Check the texts of a rule on an entity kind (`None`: on other rules), with `more` names. Raise `RuleError`."""
    known = {*(CATALOGUE[on] if on is not None else ()), *TEXT_NAMES, *more}
    made: dict[str, Text] = {}
    faults = FormatFaults()
    for name in ("summary", "description", "resolved", "passed"):
        try:
            made[name] = Text(getattr(spec, name), known=known, faults=faults)
        except TextError as error:
            raise RuleError(field=f"annotations.{name}", detail=str(error)) from error
    return Texts(
        summary=made["summary"],
        description=made["description"],
        runbook=spec.runbook,
        faults=faults,
        resolved=made["resolved"] if spec.resolved else None,
        passed=made["passed"] if spec.passed else None,
    )


def claims_in_words(claims: tuple[ClaimedEnd, ...]) -> str:
    """Say who claims which end, and that a claim is no law; empty where nobody claims any."""
    if not claims:
        return ""
    said = "; ".join(f"{c.day.isoformat()} by {c.speaker} ({c.legal_force})" for c in claims)
    return f"Claimed end, no instrument seen: {said}. A claim does not change the legal end."


def targets_in_words(targets: Targets | None) -> str:
    """Say whom a measure aims at."""
    if targets is None:
        return "targets the source does not name"
    if targets.scope == "all":
        return "all destinations"
    named = ", ".join((*targets.countries, *targets.entities[:3])) or "not named"
    return f"{targets.scope.replace('_', ' ')}: {named}"


def text_values(assessed: Assessed, extra: Mapping[str, Any]) -> dict[str, Any]:
    """Everything a text may name, for one assessment and one step."""
    if isinstance(assessed, MeasureAssessed):
        words = {"claims": claims_in_words(assessed.claimed_ends), "targets": targets_in_words(assessed.targets)}
        return {**measure_facts(assessed), "data": "", "labels": assessed.measure, **words, **extra}
    shown = labels_of(assessed) if isinstance(assessed, SourceAssessed | ExposureAssessed) else assessed.labels
    data = "Synthetic data." if is_synthetic(assessed) else ""
    words = {"data": data, "labels": labels_in_words(shown), "claims": "", "targets": ""}
    return {**facts_of(assessed), **words, **extra}


def labels_in_words(labels: Mapping[str, str]) -> str:
    """Say which entity it is, without labels that say nothing."""
    return ", ".join(f"{k} {v}" for k, v in sorted(labels.items()) if v not in ("unknown", "all"))


def as_fact(value: Any) -> Fact:
    """Turn a list into text, so that it fits a fact."""
    return ", ".join(value) if isinstance(value, list) else value


def matches(where: Condition | None, assessed: Assessed) -> Truth:
    """Evaluate `where`; no condition matches everything."""
    return Truth.TRUE if where is None else where.evaluate(facts_of(assessed))
