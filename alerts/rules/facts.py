"""The typed facts a rule may name, per kind of entity, and how they are read off an assessment.

Dates are ISO texts (`2026-11-10`), so that they compare in CEL as they do on the calendar; unknown is `null`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal, get_args

from streams.contracts.assessments import LegalState, MeasureAssessed, RiskAssessed
from streams.contracts.policy import MeasureKind

FactType = Literal["text", "number", "truth", "texts", "date"]
Entity = Literal["measure", "price", "capacity", "trade", "supply", "stock", "licence", "score", "exposure", "source"]


@dataclass(frozen=True, kw_only=True, slots=True)
class FactSpec:
    """One fact: its type, what it means, and the closed list of its values where there is one."""

    type: FactType
    meaning: str
    choices: tuple[str, ...] = ()


def _fact(type_: FactType, meaning: str, choices: tuple[str, ...] = ()) -> FactSpec:
    return FactSpec(type=type_, meaning=meaning, choices=choices)


_STATES = tuple(s.value for s in LegalState)
_MEASURE = {
    "measure": _fact("text", "id of the measure"),
    "state": _fact("text", "legal state", _STATES),
    "previous_state": _fact("text", "legal state before this assessment", _STATES),
    "kind": _fact("text", "kind of measure", get_args(MeasureKind)),
    "instrument": _fact("text", "the instrument, as it is cited"),
    "issuer": _fact("text", "who issued it"),
    "zone": _fact("text", "IANA time zone of its dates"),
    "limb": _fact("text", "which limb of the instrument"),
    "materials": _fact("texts", "materials and groups it names; empty: the source does not say"),
    "target_scope": _fact("text", "whom it aims at", ("all", "countries", "entities", "military_end_use")),
    "target_countries": _fact("texts", "countries it aims at"),
    "extraterritorial": _fact("truth", "it claims to hold abroad"),
    "effective_on": _fact("date", "first day in force"),
    "legal_end": _fact("date", "last day of the suspension or term, by an instrument"),
    "ends_inclusive": _fact("truth", "the end named is itself the last day; null: the source does not say"),
    "due_on": _fact("date", "day by which something is due under it"),
    "claimed_end": _fact("date", "latest end that somebody claims without an instrument"),
    "claims_differ": _fact("truth", "a claimed end is not the legal end"),
    "operated": _fact("truth", "it ever was in force"),
    "ended_by": _fact("text", "what ended it"),
}
_INDEPENDENCE = (
    "supply_outside_meets_demand_already",
    "met_by_promised_plants",
    "build_out_never_meets_demand",
    "demand_unknown",
    "supply_outside_unknown",
)
_RISK = {
    "material": _fact("text", "the material"),
    "home": _fact("text", "home country the facts are for; null: all"),
    "synthetic": _fact("truth", "made-up data"),
}
_FACTORS = (
    "policy",
    "concentration",
    "import_reliance",
    "price_stress",
    "supply_stress",
    "thin_cover",
    "blindness",
)
"""Factors of a score; a test holds them equal to those of the scoring core, which rules must not import."""
_ASPECTS: Mapping[str, Mapping[str, FactSpec]] = {
    "price": {
        "last_amount": _fact("number", "last amount, in the currency and unit of the labels"),
        "change_previous_ratio": _fact("number", "change from the observation before, 0.1 is +10%"),
        "change_30_observations_ratio": _fact("number", "change over 30 observations, 0.25 is +25%"),
        "volume_share_ratio": _fact("number", "share of the traded volume the quote stands for, 0..1"),
        "observations_count": _fact("number", "observations kept, 1 to 31"),
        "reference_period": _fact("text", "period of the last observation"),
        "form": _fact("text", "form of the material"),
        "basis": _fact("text", "delivery term and place"),
        "assessor": _fact("text", "who assesses the price"),
        "grade": _fact("text", "grade"),
        "currency": _fact("text", "currency of the amount"),
        "per_unit": _fact("text", "unit the amount buys"),
        "content": _fact("text", "gross or contained"),
        "vat": _fact("text", "value-added tax", ("included", "excluded", "unknown")),
        "period": _fact("text", "kind of reference period"),
        "volatility_ratio": _fact("number", "annualised EWMA volatility, 0.3 is 30% a year"),
        "volatility_to_median_ratio": _fact("number", "volatility over its own median of the year before"),
        "drawdown_ratio": _fact("number", "how far under its highest price, 0..1"),
        "premium_ratio": _fact("number", "price outside China over the Chinese one, minus 1; 0.5 is +50%"),
        "premium_volume_share_ratio": _fact("number", "share of the traded volume behind the premium, 0..1"),
        "premium_weighted_ratio": _fact("number", "sum of share times premium over the quotes outside China"),
        "premium_against": _fact("text", "the Chinese quote it is compared with, and the conversions"),
        "premium_refused": _fact("text", "why no Chinese quote compares, both sides named"),
        "thin": _fact("truth", "a move or premium on less than 5% of the traded volume"),
        "assessor_gap_ratio": _fact("number", "largest gap to another assessor of the same series, 0.2 is 20%"),
        "assessor_gap_with": _fact("text", "the assessor it differs from most"),
    },
    "capacity": {
        "actual_to_nameplate_ratio": _fact("number", "actual output over nameplate, 0..1"),
        "nameplate_tonnes_per_year": _fact("number", "nameplate, tonnes a year"),
        "target_tonnes_per_year": _fact("number", "target, tonnes a year"),
        "actual_tonnes": _fact("number", "actual output in the period, tonnes"),
        "outage_tonnes_per_year": _fact("number", "capacity out of service, tonnes a year"),
        "slip_months_count": _fact("number", "months the promised date has slipped"),
        "plant": _fact("text", "the plant"),
        "operator": _fact("text", "who runs it"),
        "country": _fact("text", "where it stands"),
        "stage": _fact("text", "stage of the chain"),
        "status": _fact("text", "status of the plant"),
        "actual_period": _fact("text", "period of the actual output"),
        "outage_share_outside_ratio": _fact("number", "outage as a share of supply outside the dominant country, 0..1"),
        "outside_supply_tonnes": _fact("number", "what that share is of, tonnes a year"),
        "outside_supply_from": _fact("text", "where that comes from: a supply table, or the plants reported"),
    },
    "trade": {
        "tonnes": _fact("number", "tonnes in the reference period"),
        "trailing_months_count": _fact("number", "months the median is made of, at most 12"),
        "period": _fact("text", "kind of reference period"),
        "to_trailing_median_ratio": _fact("number", "volume over the median of the 12 months before"),
        "month_on_month_ratio": _fact("number", "change on the month before, -0.4 is -40%"),
        "exporter": _fact("text", "exporting country"),
        "importer": _fact("text", "importing country"),
        "reference_period": _fact("text", "month the figure is for"),
        "reported_by": _fact("text", "who reports the figure"),
        "year_on_year_ratio": _fact("number", "change on the same period of the year before, -0.1 is -10%"),
        "source_gap_ratio": _fact("number", "gap to another reporter of the flow and period, over the larger, 0..1"),
        "conflicting_tonnes": _fact("number", "what that other reporter says, tonnes"),
        "conflicting_source": _fact("text", "who that other reporter is"),
        "published_on": _fact("date", "day on which the figure was recorded"),
    },
    "stock": {
        "site": _fact("text", "the site"),
        "stock_tonnes": _fact("number", "what the site holds, tonnes"),
        "daily_use_tonnes": _fact("number", "what it uses a day, tonnes"),
        "licensed_tonnes": _fact("number", "quantity on granted licences that have not expired, tonnes"),
        "cover_days_count": _fact("number", "days the stock lasts"),
        "effective_cover_days_count": _fact("number", "days that stock and licensed quantity last"),
        "licence_lead_days_count": _fact("number", "days a licence takes: the longer of statute and observation"),
        "licence_lead_statutory_days_count": _fact("number", "calendar days of the statutory 45 working days from now"),
        "licence_lead_low_days_count": _fact("number", "lower end of what licences take in practice, days"),
        "time_to_survive_days_count": _fact("number", "days until the site stops, on stock alone"),
        "time_to_recover_days_count": _fact("number", "days until supply could be back"),
        "independence_on": _fact("date", "day on which reported build-out outside meets demand"),
        "independence_reason": _fact("text", "why that day, or why none", _INDEPENDENCE),
        "next_legal_end": _fact("date", "next end of a suspension that bears on the material"),
        "next_legal_end_of": _fact("text", "the measure that ends"),
        "buffer_gap_days_count": _fact("number", "days from the next legal end to independence"),
    },
    "licence": {
        "licence": _fact("text", "the licence"),
        "site": _fact("text", "the site it is for"),
        "exporter": _fact("text", "who applied"),
        "measure": _fact("text", "measure it is needed under"),
        "decision": _fact(
            "text", "what became of it", ("applied", "granted", "refused", "held", "withdrawn", "expired")
        ),
        "days_pending_count": _fact("number", "days since it was applied for, while no answer has come"),
        "remaining_tonnes": _fact("number", "quantity it still allows, tonnes"),
        "expires_at": _fact("date", "last day of the licence"),
    },
    "supply": {
        "stage": _fact("text", "stage of the chain"),
        "top_share_ratio": _fact("number", "largest share of one country, 0..1; with a home: of what supplies it"),
        "top_country": _fact("text", "whose share that is"),
        "outside_share_ratio": _fact("number", "share outside that country, 0..1"),
        "hhi_ratio": _fact("number", "Herfindahl-Hirschman index, 0..1"),
        "hhi_points": _fact("number", "the index on 0..10,000"),
        "hhi_low_ratio": _fact("number", "least index the published shares allow, 0..1"),
        "hhi_high_ratio": _fact("number", "largest index they allow, 0..1"),
        "hhi_governance_ratio": _fact("number", "index weighted by political instability, 0..1"),
        "hhi_governance_trade_ratio": _fact("number", "the same, weighted by the trade factor t too"),
        "hhi_change_points": _fact(
            "number", "change of the index against the edition before for the same period, else the period before"
        ),
        "import_reliance_ratio": _fact("number", "net import reliance of the home, 0..1; null where only bounded"),
        "import_reliance_low_ratio": _fact("number", "least reliance the source allows, 0..1"),
        "import_reliance_change_points": _fact(
            "number",
            "change in percentage points, against the same table as hhi_change_points",
        ),
        "reference_period": _fact("text", "period the figures are for"),
        "vintage": _fact("text", "edition of the source"),
        "sourcing_reference_period": _fact("text", "period of the shares of those who supply the home"),
        "sourcing_vintage": _fact("text", "edition of these shares"),
    },
    "score": {
        "score_ratio": _fact("number", "supply risk of the material for the home, 0..1"),
        "score_low_ratio": _fact("number", "the score if all that is unknown or stale turned out well, 0..1"),
        "score_high_ratio": _fact("number", "the score if it turned out badly, 0..1"),
        **{
            f"{factor}_{kind}_ratio": _fact("number", f"{meaning} {factor.replace('_', ' ')}, 0..1")
            for factor in _FACTORS
            for kind, meaning in (("contribution", "part of the score that comes from"), ("factor", "stress of"))
        },
    },
}
_EXPOSURE = {
    **_RISK,
    "end_use": _fact("text", "the end use"),
    "exposure_ratio": _fact("number", "exposure of the end use, 0..1"),
    "top_material": _fact("text", "the material that exposes it most"),
    "materials_count": _fact("number", "materials it depends on"),
}
_SOURCE = {
    "source": _fact("text", "who says it: the provenance source of the events"),
    "aspect": _fact("text", "what it speaks of, such as price or trade"),
    "material": _fact("text", "the material it speaks of"),
    "synthetic": _fact("truth", "made-up data"),
}
CATALOGUE: Mapping[str, Mapping[str, FactSpec]] = MappingProxyType(
    {
        "measure": _MEASURE,
        "exposure": _EXPOSURE,
        "source": _SOURCE,
        **{name: {**_RISK, **specs} for name, specs in _ASPECTS.items()},
    }
)
"""Entity kind to the facts its rules may name."""

TEXT_NAMES: Mapping[str, str] = MappingProxyType(
    {
        "days_left": "whole days from the local date to the day of the deadline",
        "days_past": "whole days since the day of the deadline",
        "deadline": "the day of the deadline",
        "step": "step of the ladder",
        "severity": "severity of the step",
        "claims": "what is claimed about the end, and by whom, in words",
        "targets": "whom the measure aims at, in words",
        "value": "the value that was compared",
        "threshold": "the threshold it was compared with",
        "labels": "the labels of the entity in words",
        "data": "'Synthetic data. ' for made-up data, else nothing",
    }
)
"""Names that texts may use besides the facts: they depend on time or on the step, so no condition may name them."""

_SAMPLES: Mapping[str, Any] = {"text": "x", "number": 1.5, "truth": True, "texts": ["x"], "date": "2026-11-10"}


def sample_of(spec: FactSpec) -> Any:
    """Return a value of the fact's type, to try an expression with at load."""
    return spec.choices[0] if spec.choices else _SAMPLES[spec.type]


def measure_facts(assessed: MeasureAssessed) -> dict[str, Any]:
    """Read the facts of a measure; `None` is unknown."""
    claimed = [c.day for c in assessed.claimed_ends]
    targets = assessed.targets
    return {
        "measure": assessed.measure,
        "state": assessed.state.value,
        "previous_state": assessed.previous_state.value if assessed.previous_state else None,
        "kind": assessed.kind,
        "instrument": assessed.instrument,
        "issuer": assessed.issuer,
        "zone": assessed.zone,
        "limb": assessed.limb,
        "materials": list(assessed.materials),
        "target_scope": targets.scope if targets else None,
        "target_countries": list(targets.countries) if targets else [],
        "extraterritorial": targets.extraterritorial if targets else None,
        "effective_on": assessed.effective_on.isoformat() if assessed.effective_on else None,
        "legal_end": assessed.legal_end.isoformat() if assessed.legal_end else None,
        "ends_inclusive": assessed.ends_inclusive,
        "due_on": assessed.due_on.isoformat() if assessed.due_on else None,
        "claimed_end": max(claimed).isoformat() if claimed else None,
        "claims_differ": any(day != assessed.legal_end for day in claimed) if claimed else None,
        "operated": assessed.operated,
        "ended_by": assessed.ended_by,
    }


def risk_facts(assessed: RiskAssessed) -> dict[str, Any]:
    """Read the facts and labels of a risk assessment; what is not there is unknown."""
    named = {"material": assessed.material, "home": assessed.home, "synthetic": assessed.synthetic}
    return {**assessed.labels, **assessed.facts, **named}


def key_labels(assessed: MeasureAssessed | RiskAssessed) -> dict[str, str]:
    """Return the labels that identify the entity; with the rule id they are the identity of its alerts."""
    if isinstance(assessed, MeasureAssessed):
        return {"measure": assessed.measure}
    labels = {**assessed.labels, "material": assessed.material}
    if assessed.home is not None:
        labels["home"] = assessed.home
    return labels
