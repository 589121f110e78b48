"""The nine claims of the article (docs/domain.md 2), and what one assessment says about one of them.

An indicator is read off an assessment and keeps nothing, so it is as live as the assessment: each new one is a new word
on its claim. A claim without data says so. Thresholds are those of the claim itself ("over 90%", "under 5%").
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any

from streams.contracts.assessments import ExposureAssessed, Fact, LegalState, MeasureAssessed, RiskAssessed
from streams.contracts.indicators import IndicatorAssessed, IndicatorFigure, Verdict

CLAIMS: Mapping[str, str] = MappingProxyType(
    {
        "one-year-delay": "China's controls are delayed for one year",
        "processing-share": "China controls over 90% of processing, the whole chain from mining to refining",
        "purity": "the purity made in China is far higher than elsewhere",
        "us-output": "US output is under 5% of China's",
        "no-progress": "no progress in four years despite investment",
        "standards": "China sets the standards",
        "price-influence": "China has an OPEC-like influence on prices",
        "end-uses": "smartphones, EV batteries, missile guidance and chips depend on it",
        "one-year-is-a-warning": "one year is a warning: it is too short to become independent",
    }
)
"""Indicator to the claim, in the order of the article."""

DOMINANT = "CN"
PROCESSING_STAGES = frozenset({"separation", "refining", "metal", "alloy", "magnet"})
PROCESSING_SHARE = 0.9
US_OUTPUT_RATIO = 0.05
HALF_OF_NAMEPLATE = 0.5
SLIP_MONTHS = 6.0
"""docs/domain.md 11: capacity alerts at under 50% of nameplate and a slip of over 6 months."""
PREMIUM_RATIO = 0.5
PREMIUM_VOLUME_SHARE = 0.05
"""docs/domain.md 11: a premium counts from +50% with at least 5% of volume."""
END_USES = frozenset(
    {
        "smartphones",
        "electric-vehicle-batteries",
        "electric-vehicle-motors",
        "missile-guidance",
        "integrated-circuits",
        "semiconductors",
        "semiconductors-and-leds",
    }
)
"""End uses the article names (chips under three names of the use tables); others have their exposure, not a claim."""
NO_GRADES = "grade: no table by supplier exists"

Assessed = RiskAssessed | MeasureAssessed | ExposureAssessed


def indicators_of(assessed: Any) -> tuple[IndicatorAssessed, ...]:
    """Return what an assessment says about the claims; empty where it says nothing about any."""
    if type(assessed) is RiskAssessed:
        readers = _OF_ASPECT.get(assessed.aspect)
        found: tuple[IndicatorAssessed, ...] = ()
        if readers is None:
            return found
        for read in readers:
            said = read(assessed)
            if said is not None:  # by far the most say nothing
                found = (*found, said)
        return found
    said = None
    if isinstance(assessed, MeasureAssessed):
        said = _delay(assessed)
    elif isinstance(assessed, ExposureAssessed):
        said = _end_use(assessed)
    return () if said is None else (said,)


def _indicator(
    name: str,
    assessed: Assessed,
    *,
    about: str,
    verdict: Verdict,
    summary: str,
    figures: tuple[IndicatorFigure, ...],
    missing: tuple[str, ...] = (),
) -> IndicatorAssessed:
    return IndicatorAssessed(
        indicator=name,
        about=about,
        at=assessed.at,
        claim=CLAIMS[name],
        verdict=verdict,
        summary=summary,
        figures=figures,
        missing=missing,
        synthetic=getattr(assessed, "synthetic", False),
        causes=assessed.causes,
        sources=getattr(assessed, "sources", ()),
    )


def _delay(measure: MeasureAssessed) -> IndicatorAssessed | None:
    """A control of China's that is, or just was, suspended. A claimed end stands beside the legal end, never for it."""
    delayed = (LegalState.SUSPENDED, LegalState.LAPSED_UNCONFIRMED)
    if "MOFCOM" not in measure.issuer or not {measure.state, measure.previous_state} & set(delayed):
        return None
    claimed = ", ".join(sorted({f"{end.day} ({end.speaker})" for end in measure.claimed_ends}))
    words = {
        LegalState.SUSPENDED: f"suspended until {measure.legal_end or 'no date given'}",
        LegalState.LAPSED_UNCONFIRMED: f"legal end {measure.legal_end} passed, no instrument seen",
    }.get(measure.state, measure.state.value.replace("_", " "))
    verdicts: dict[LegalState, Verdict] = {LegalState.SUSPENDED: "holds", LegalState.LAPSED_UNCONFIRMED: "open"}
    figures = (
        _figure("state", measure.state.value, "text"),
        _figure("legal_end", str(measure.legal_end) if measure.legal_end else None, "date"),
        _figure("claimed_end", claimed or None, "date"),
    )
    return _indicator(
        "one-year-delay",
        measure,
        about=measure.measure,
        verdict=verdicts.get(measure.state, "does_not_hold"),
        summary=f"{measure.instrument}: {words}" + (f"; claimed: {claimed}" if claimed else ""),
        figures=figures,
        missing=() if measure.legal_end else ("legal_end: the instrument names none",),
    )


def _figure(name: str, value: Fact, unit: str, facts: Mapping[str, Fact] | None = None) -> IndicatorFigure:
    facts = facts or {}
    period, vintage = facts.get("reference_period"), facts.get("vintage")
    return IndicatorFigure(
        name=name,
        value=value,
        unit=unit,
        reference_period=period if isinstance(period, str) else None,
        vintage=vintage if isinstance(vintage, str) else None,
    )


def _number(facts: Mapping[str, Fact], name: str) -> float | None:
    value = facts.get(name)
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def _processing(risk: RiskAssessed) -> IndicatorAssessed | None:
    """World supply of a stage: the largest share and whose it is. A home's suppliers are another question."""
    if risk.home is not None:
        return None
    share, country, stage = _number(risk.facts, "top_share_ratio"), risk.facts.get("top_country"), risk.labels["stage"]
    verdict: Verdict = "unknown"
    summary = f"{risk.material}, {stage}: shares unknown"
    if share is not None:
        verdict = "holds" if country == DOMINANT and share > PROCESSING_SHARE else "does_not_hold"
        summary = f"{risk.material}, {stage}: {country} {share:.0%}"
        if stage not in PROCESSING_STAGES:
            summary += " (not a processing stage)"
    figures = (
        _figure("top_share_ratio", share, "ratio", risk.facts),
        _figure("top_country", country, "text", risk.facts),
        _figure("hhi_points", _number(risk.facts, "hhi_points"), "points", risk.facts),
    )
    return _indicator(
        "processing-share",
        risk,
        about=f"{risk.material}/{stage}",
        verdict=verdict,
        summary=summary,
        figures=figures,
        missing=tuple(reason for reason in risk.missing if ":" in reason),
    )


def us_output(
    *,
    material: str,
    stage: str,
    ratio: float,
    period: str,
    vintage: str,
    at: datetime,
    causes: tuple[str, ...],
    sources: tuple[str, ...],
    synthetic: bool = False,
) -> IndicatorAssessed:
    """Return the indicator of US output at a stage over China's mine output of the same material, period, edition."""
    figure = IndicatorFigure(name="output_ratio", value=ratio, unit="ratio", reference_period=period, vintage=vintage)
    return IndicatorAssessed(
        indicator="us-output",
        about=f"{material}/{stage}",
        at=at,
        claim=CLAIMS["us-output"],
        figures=(figure,),
        verdict="holds" if ratio < US_OUTPUT_RATIO else "does_not_hold",
        causes=causes,
        sources=sources,
        summary=f"{material}, US {stage} in {period}: {ratio:.1%} of China's mine output",
        synthetic=synthetic,
    )


def _plant(risk: RiskAssessed) -> IndicatorAssessed | None:
    """A plant outside China: actual against nameplate, and the slip of its date. Progress is neither being short."""
    if risk.labels["country"] == DOMINANT:
        return None
    ratio, slip = _number(risk.facts, "actual_to_nameplate_ratio"), _number(risk.facts, "slip_months_count")
    behind = (ratio is not None and ratio < HALF_OF_NAMEPLATE, slip is not None and slip > SLIP_MONTHS)
    verdict: Verdict = "holds" if any(behind) else "unknown" if ratio is None and slip is None else "does_not_hold"
    words = [
        f"{ratio:.0%} of nameplate" if ratio is not None else "output unknown",
        f"{slip:+.0f} months against the first date" if slip is not None else "no two dates to compare",
    ]
    plant = f"{risk.labels['plant']} ({risk.material})"
    figures = (
        _figure("actual_tonnes", _number(risk.facts, "actual_tonnes"), "tonnes"),
        _figure("nameplate_tonnes_per_year", _number(risk.facts, "nameplate_tonnes_per_year"), "tonnes a year"),
        _figure("target_tonnes_per_year", _number(risk.facts, "target_tonnes_per_year"), "tonnes a year"),
        _figure("actual_to_nameplate_ratio", ratio, "ratio"),
        _figure("slip_months_count", slip, "months"),
    )
    missing = tuple(f"{figure.name}: not reported" for figure in figures if figure.value is None)
    return _indicator(
        "no-progress",
        risk,
        about=f"{risk.labels['plant']}/{risk.material}",
        verdict=verdict,
        summary=f"{plant}: {', '.join(words)}",
        figures=figures,
        missing=missing,
    )


def _premium(risk: RiskAssessed) -> IndicatorAssessed | None:
    """A quote outside China against China's: a premium counts with its volume, else it is a thin market."""
    premium = risk.facts.get("premium_ratio")
    if not isinstance(premium, float):
        return None  # by far the most
    share = _number(risk.facts, "premium_volume_share_ratio")
    small: Verdict = "does_not_hold" if premium < PREMIUM_RATIO else "open"
    counts = premium >= PREMIUM_RATIO and share is not None and share >= PREMIUM_VOLUME_SHARE
    volume = "unknown volume" if share is None else f"{share:.0%} of volume"
    figures = (_figure("premium_ratio", premium, "ratio", risk.facts), _figure("volume_share_ratio", share, "ratio"))
    return _indicator(
        "price-influence",
        risk,
        about=f"{risk.material}/{risk.labels.get('basis', 'unknown basis')}",
        verdict="holds" if counts else small,
        figures=figures,
        summary=f"{risk.material}, {risk.labels.get('basis', '')}: {premium:+.0%} over China on {volume}",
        missing=() if share is not None else ("volume_share_ratio: not published",),
    )


def _independence(risk: RiskAssessed) -> IndicatorAssessed | None:
    """Time to independence minus the time to the next legal end, in days: positive, the year is too short."""
    if "buffer_gap_days_count" not in risk.facts:
        return None
    gap = _number(risk.facts, "buffer_gap_days_count")
    stage = risk.labels.get("stage")
    about = risk.material if stage is None else f"{risk.material}/{stage}"
    verdict: Verdict = "unknown" if gap is None else "holds" if gap > 0 else "does_not_hold"
    words = "unknown, the build-out is flat or not reported" if gap is None else f"{gap:+.0f} days after the next end"
    return _indicator(
        "one-year-is-a-warning",
        risk,
        about=about,
        verdict=verdict,
        summary=f"{about}: independence {words}",
        figures=(_figure("buffer_gap_days_count", gap, "days"),),
        missing=() if gap is not None else risk.missing,
    )


def _end_use(exposure: ExposureAssessed) -> IndicatorAssessed | None:
    """An end use that the article names: it depends where a path spreads a score to it; how much is the figure."""
    if exposure.end_use not in END_USES:
        return None
    value = _number(exposure.facts, "exposure_ratio")
    verdict: Verdict = "unknown" if value is None else "holds" if value > 0 else "does_not_hold"
    path = " > ".join(exposure.path)
    words = "exposure unknown" if value is None else f"exposure {value:.2f}"
    return _indicator(
        "end-uses",
        exposure,
        about=_exposed(exposure),
        verdict=verdict,
        summary=f"{exposure.end_use}: {words}" + (f" through {path}" if path else ""),
        figures=(_figure("exposure_ratio", value, "ratio"),),
        missing=() if value is not None else ("exposure_ratio: not known",),
    )


def _exposed(exposure: ExposureAssessed) -> str:
    """Name the end use with the material and home the exposure is for, where it says them."""
    return "/".join(part for part in (exposure.end_use, exposure.material, exposure.home) if part)


def standards_set(
    *,
    issuer: str,
    at: datetime,
    titles: tuple[str, ...],
    scope: tuple[str, ...],
    causes: tuple[str, ...],
    sources: tuple[str, ...],
) -> IndicatorAssessed:
    """Return the indicator of the standards an issuer has published, as far as they were seen."""
    covered = ", ".join(scope) or "no material named"
    return IndicatorAssessed(
        indicator="standards",
        about=issuer,
        at=at,
        claim=CLAIMS["standards"],
        verdict="open",
        summary=f"{issuer}: {len(titles)} published ({covered})",
        causes=causes,
        sources=sources,
        figures=(_figure("standards_count", float(len(titles)), "count"), _figure("scope", covered, "text")),
        missing=("influence: no figures exist on who follows a standard",),
    )


def _purity(assessed: RiskAssessed) -> IndicatorAssessed | None:
    """A plant and the grade it is qualified to: a grade is carried as an attribute and never scored on a guess."""
    return _indicator(
        "purity",
        assessed,
        about=f"{assessed.labels['plant']}/{assessed.material}",
        verdict="unknown",
        summary=f"{assessed.labels['plant']} ({assessed.material}): no table by supplier exists",
        figures=(_figure("qualified_capacity_ratio", None, "ratio"),),
        missing=(NO_GRADES,),
    )


_OF_ASPECT: Mapping[str, tuple[Callable[[RiskAssessed], IndicatorAssessed | None], ...]] = MappingProxyType(
    {"supply": (_processing,), "capacity": (_plant, _purity), "price": (_premium,), "stock": (_independence,)}
)
