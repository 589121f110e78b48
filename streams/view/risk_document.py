"""The JSON of a score, as `risk show` and the console give it. It needs the contracts only."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from streams.contracts.assessments import Fact, FactorInput, RiskAssessed

_CONTRIBUTION = "_contribution_ratio"


def risk_document(
    material: str,
    *,
    home: str | None,
    facts: Mapping[str, Fact],
    inputs: Iterable[FactorInput],
    missing: Sequence[str],
    at: datetime,
    synthetic: bool,
) -> dict[str, Any]:
    """Return the JSON of a score.

    `{material, home, score, interval: [low, high], contributions: {factor: ratio}, factors: {factor: {value, inputs}}}`
    and what else is known. Contributions add up to the score; a `value` of null is unknown; `age_days` counts whole
    days from publication to `at`.
    """
    factors = [name.removesuffix(_CONTRIBUTION) for name in facts if name.endswith(_CONTRIBUTION)]
    shown: dict[str, list[dict[str, Any]]] = {factor: [] for factor in factors}
    for each in inputs:
        shown[each.factor].append(_input_row(each, at))
    return {
        "material": material,
        "home": home,
        "score": facts.get("score_ratio"),
        "interval": [facts.get("score_low_ratio"), facts.get("score_high_ratio")],
        "contributions": {factor: facts[factor + _CONTRIBUTION] for factor in factors},
        "factors": {
            factor: {"value": facts.get(f"{factor}_factor_ratio"), "inputs": shown[factor]} for factor in factors
        },
        "missing": list(missing),
        "synthetic": synthetic,
        "at": at,
    }


def _input_row(read: FactorInput, at: datetime) -> dict[str, Any]:
    row: dict[str, Any] = {name: getattr(read, name) for name in read.__struct_fields__ if name != "factor"}
    row["age_days"] = None if read.published_at is None else (at - read.published_at).days
    return row


def assessed_document(assessed: RiskAssessed) -> dict[str, Any]:
    """Return the JSON of a score that was assessed, with the events that changed it."""
    document = risk_document(
        assessed.material,
        home=assessed.home,
        facts=assessed.facts,
        inputs=assessed.inputs,
        missing=assessed.missing,
        at=assessed.at,
        synthetic=assessed.synthetic,
    )
    return {**document, "causes": list(assessed.causes)}
