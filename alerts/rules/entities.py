"""What rules are about: measures, materials by aspect, end uses, and the sources that speak of them.

Each has a kind (`on` of a rule), labels that identify it (with the rule id the identity of its alerts), and facts. The
labels of every kind name what decides the partition (the measure, or a material), so that any number of partitions
gives the same alerts.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, TypeAlias

import msgspec

from alerts.rules.facts import key_labels, measure_facts, risk_facts
from streams.contracts.assessments import ExposureAssessed, MeasureAssessed, RiskAssessed


class SourceAssessed(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A source was heard of, about one aspect of one material; derived from the `sources` of an assessment."""

    source: str
    aspect: str
    material: str
    at: datetime
    synthetic: bool = False
    causes: tuple[str, ...] = ()


Assessed: TypeAlias = MeasureAssessed | RiskAssessed | ExposureAssessed | SourceAssessed


class KnownEntity(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="known"):
    """The last assessment of an entity; exactly one field is set. Rules are evaluated on it when time passes."""

    measure: MeasureAssessed | None = None
    risk: RiskAssessed | None = None
    exposure: ExposureAssessed | None = None
    source: SourceAssessed | None = None

    @property
    def assessed(self) -> Assessed:
        """Return the assessment."""
        found = self.risk or self.measure or self.exposure or self.source
        assert found is not None
        return found


def known_entity(assessed: Assessed) -> KnownEntity:
    """Wrap an assessment for the store."""
    match assessed:
        case RiskAssessed():
            return KnownEntity(risk=assessed)
        case MeasureAssessed():
            return KnownEntity(measure=assessed)
        case ExposureAssessed():
            return KnownEntity(exposure=assessed)
        case SourceAssessed():
            return KnownEntity(source=assessed)


def kind_of(assessed: Assessed) -> str:
    """Return the entity kind, the `on` of a rule."""
    match assessed:
        case RiskAssessed():
            return assessed.aspect
        case MeasureAssessed():
            return "measure"
        case ExposureAssessed():
            return "exposure"
        case SourceAssessed():
            return "source"


def labels_of(assessed: Assessed) -> dict[str, str]:
    """Return the key labels of an assessment."""
    match assessed:
        case ExposureAssessed():
            through = {"material": assessed.material, "home": assessed.home}
            return {"end_use": assessed.end_use, **{name: label for name, label in through.items() if label}}
        case SourceAssessed():
            return {"source": assessed.source, "aspect": assessed.aspect, "material": assessed.material}
        case _:
            return key_labels(assessed)


_last_read: list[tuple[Assessed | None, Mapping[str, Any]]] = [(None, {})]
"""The last assessment and its facts: all rules of an entity read the same one, one after the other."""


def facts_of(assessed: Assessed) -> Mapping[str, Any]:
    """Read the facts of an assessment; `None` is unknown."""
    last, facts = _last_read[0]
    if last is not assessed:
        facts = _facts_of(assessed)
        _last_read[0] = (assessed, facts)
    return facts


def _facts_of(assessed: Assessed) -> Mapping[str, Any]:
    match assessed:
        case RiskAssessed():
            return risk_facts(assessed)
        case MeasureAssessed():
            return measure_facts(assessed)
        case ExposureAssessed():
            named = {"material": assessed.material, "home": assessed.home, "synthetic": assessed.synthetic}
            return {**assessed.facts, "end_use": assessed.end_use, **named}
        case SourceAssessed():
            return {**labels_of(assessed), "synthetic": assessed.synthetic}


def materials_of(assessed: Assessed) -> tuple[str, ...]:
    """Return the materials an assessment is about; none for an end use whose largest exposure is unknown."""
    match assessed:
        case MeasureAssessed():
            return assessed.materials
        case ExposureAssessed():
            top = assessed.facts.get("top_material")
            return (top,) if isinstance(top, str) else ()
        case _:
            return (assessed.material,)


def is_synthetic(assessed: Assessed) -> bool:
    """Tell whether an assessment rests on made-up data."""
    return not isinstance(assessed, MeasureAssessed) and assessed.synthetic


def assessment_of_source(source: str, assessed: RiskAssessed) -> SourceAssessed:
    """Say that a source was heard of in an assessment."""
    return SourceAssessed(
        source=source,
        aspect=assessed.aspect,
        material=assessed.material,
        at=assessed.at,
        synthetic=assessed.synthetic,
        causes=assessed.causes,
    )


def sources_in(assessed: RiskAssessed) -> Iterator[SourceAssessed]:
    """Say which sources an assessment is heard from."""
    for source in assessed.sources:
        yield assessment_of_source(source, assessed)
