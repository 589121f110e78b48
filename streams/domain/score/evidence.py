"""Evidence: what the score keeps of the assessments of a material, one piece an entity (a series, a flow, a stage).

A figure is held until a newer one of the same entity answers it: one that is withheld or unknown replaces nothing, so a
gap never lowers a score. Newer is the later reference period, then the later recorded one. Which facts count, and how
they are read, is here; what they mean in stress is in the scales of the parameters.
"""

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any, TypeAlias

import msgspec

from streams.contracts.assessments import Fact, RiskAssessed
from streams.domain.score.factors import Origin, figure
from streams.domain.score.readings import Input
from streams.domain.score.scales import Scale, step_edges
from streams.domain.score.score_parameters import Factor, ScoreParameters


class StatedFigures(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """Where figures come from: recorded at, reference period, edition, source, and the id of the event."""

    at: datetime
    period: str | None = None
    vintage: str | None = None
    source: str | None = None
    event: str | None = None
    synthetic: bool = False


class EvidenceFigure(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """A figure known as `low`..`high` (`high` `None`: exact), in the unit that its name says."""

    low: float
    high: float | None = None
    told: StatedFigures


class Evidence(msgspec.Struct, frozen=True, kw_only=True, tag=True, omit_defaults=True):
    """Figures held of one entity; `unknown` names what its newest assessment did not know."""

    aspect: str
    of: str
    home: str | None = None
    period_kind: str | None = None
    figures: dict[str, EvidenceFigure] = {}
    unknown: tuple[str, ...] = ()


_DIRECT: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "price": ("change_30_observations_ratio", "volatility_to_median_ratio", "premium_ratio"),
        "trade": ("to_trailing_median_ratio", "month_on_month_ratio"),
        "capacity": ("outage_share_outside_ratio", "slip_months_count", "actual_to_nameplate_ratio"),
        "supply": ("hhi_ratio", "top_share_ratio"),
        "home": ("import_reliance_ratio",),
        "stock": ("cover_to_lead_ratio", "survive_to_recover_ratio"),
    }
)
"""Aspect to the figures that are read off it; `home` is supply with a home, whose own sources are no world supply.

The largest share enters no factor: it is held to be shown.
"""

_FACTOR: Mapping[str, Factor] = MappingProxyType(
    {
        "hhi_ratio": Factor.CONCENTRATION,
        "import_reliance_ratio": Factor.IMPORT_RELIANCE,
        **dict.fromkeys(_DIRECT["price"], Factor.PRICE_STRESS),
        **dict.fromkeys((*_DIRECT["trade"], *_DIRECT["capacity"]), Factor.SUPPLY_STRESS),
        **dict.fromkeys(_DIRECT["stock"], Factor.THIN_COVER),
    }
)
"""EvidenceFigure to the factor it enters."""

_SHOWS_STRESS_ONLY = frozenset({"slip_months_count", "actual_to_nameplate_ratio"})
"""Figures of one plant: late or idle is stress, on time says nothing about the supply as a whole."""

HELD = "the newest edition does not say; an earlier figure is held"

FIGURE_FACTORS = tuple(dict.fromkeys(_FACTOR.values()))
"""Factors made of figures: all but policy and blindness."""

WIDEST_HHI_RATIO = 0.25
"""Bounds of an index further apart say less than the largest share does."""

STRESS_STEPS = 20

Reading: TypeAlias = float | tuple[float, float] | None
"""A figure as an assessment tells it: exact, known to lie between two ends, or unknown."""


def _number(value: Fact) -> float | None:
    if type(value) is float:  # by far the most
        return value
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else None


def _ratio(facts: Mapping[str, Fact], over: str, under: str) -> Reading:
    above, below = _number(facts.get(over)), _number(facts.get(under))
    return None if above is None or below is None or below <= 0 else above / below


def _concentration(facts: Mapping[str, Fact]) -> Reading:
    """Return the HHI, or its bounds where they say something; else the bounds that the largest share leaves.

    A largest share `t` leaves `t^2` (all others are small) to `t^2 + (1 - t)^2` (there is one other).
    """
    hhi, top = _number(facts.get("hhi_ratio")), _number(facts.get("top_share_ratio"))
    if hhi is not None:
        return hhi
    low, high = _number(facts.get("hhi_low_ratio")), _number(facts.get("hhi_high_ratio"))
    if low is not None and high is not None and high - low <= WIDEST_HHI_RATIO:
        return low, high
    return None if top is None else (top * top, top * top + (1 - top) * (1 - top))


def _reliance(facts: Mapping[str, Fact]) -> Reading:
    """Return the reliance; without it the interval that a publication such as ">95" leaves."""
    exact, low = _number(facts.get("import_reliance_ratio")), _number(facts.get("import_reliance_low_ratio"))
    if exact is not None:
        return exact
    return None if low is None else (low, 1.0)


def _reading(name: str, facts: Mapping[str, Fact]) -> Reading:
    if name == "hhi_ratio":
        return _concentration(facts)
    if name == "import_reliance_ratio":
        return _reliance(facts)
    if name == "cover_to_lead_ratio":
        return _ratio(facts, "effective_cover_days_count", "licence_lead_days_count")
    if name == "survive_to_recover_ratio":
        return _ratio(facts, "time_to_survive_days_count", "time_to_recover_days_count")
    return _number(facts.get(name))


def counts(assessed: RiskAssessed) -> bool:
    """Tell whether an assessment is evidence for a score."""
    return assessed.aspect in _DIRECT


def entity_name(material: str, aspect: str, home: str | None, labels: Mapping[str, str]) -> str:
    """Return what tells entities apart: material, aspect, home, and the values of the labels."""
    return "/".join((material, aspect, home or "", *labels.values()))


def figure_names(assessed: RiskAssessed) -> tuple[str, ...]:
    """Return the names of the figures that are read off an assessment of its aspect."""
    return _DIRECT["home" if assessed.aspect == "supply" and assessed.home is not None else assessed.aspect]


def read_figures(assessed: RiskAssessed) -> tuple[Reading, ...]:
    """Return the figures of an assessment, in the order of `figure_names`."""
    facts = assessed.facts
    if assessed.aspect == "price":  # by far the most, and a premium on a thin market is none
        change: Any = facts.get("change_30_observations_ratio")
        volatility: Any = facts.get("volatility_to_median_ratio")
        premium: Any = None if facts.get("thin") else facts.get("premium_ratio")
        return change, volatility, premium
    return tuple([_reading(name, facts) for name in figure_names(assessed)])


def period_of(facts: Mapping[str, Fact]) -> str | None:
    """Return the reference period that the figures are for; `None` where none is told."""
    period = facts.get("reference_period") or facts.get("actual_period")
    return period if isinstance(period, str) else None


def stated_by(assessed: RiskAssessed) -> StatedFigures:
    """Return where the figures of an assessment come from."""
    facts = assessed.facts
    return StatedFigures(
        at=assessed.at,
        period=period_of(facts),
        vintage=_text(facts.get("vintage")),
        source=assessed.sources[-1] if assessed.sources else None,
        event=assessed.causes[-1] if assessed.causes else None,
        synthetic=assessed.synthetic,
    )


def next_evidence(held: Evidence | None, assessed: RiskAssessed) -> Evidence | None:
    """Return the evidence with an assessment; `None` where it changes nothing that counts."""
    labels, told = assessed.labels, stated_by(assessed)
    figures = {} if held is None else held.figures.copy()
    unknown: tuple[str, ...] = ()
    changed = False
    for name, reading in zip(figure_names(assessed), read_figures(assessed), strict=True):
        if reading is None:
            unknown = (*unknown, name)
        elif (prior := figures.get(name)) is None or _answers(told, prior.told):
            low, high = reading if isinstance(reading, tuple) else (reading, None)
            figures[name] = EvidenceFigure(low=low, high=high, told=told)
            changed = changed or prior != figures[name]
    if held is not None:
        if not changed and unknown == held.unknown:
            return None
        return Evidence(
            aspect=held.aspect,
            of=held.of,
            figures=figures,
            home=held.home,
            period_kind=held.period_kind,
            unknown=unknown,
        )
    return Evidence(
        aspect=assessed.aspect,
        of=" ".join(labels.values()) or assessed.material,
        figures=figures,
        home=assessed.home or labels.get("home"),
        period_kind=labels.get("period"),
        unknown=unknown,
    )


def _answers(told: StatedFigures, prior: StatedFigures) -> bool:
    """Tell whether a figure answers an earlier one: of a later reference period, or of the same and not older."""
    if told.period == prior.period:
        return told.at >= prior.at
    return (told.period or "") > (prior.period or "")


def moves_score(held: Evidence | None, new: Evidence, *, parameters: ScoreParameters, at: datetime) -> bool:
    """Tell whether new evidence can move a score: a figure appears, leaves its step, or answers a stale one.

    Steps are twentieths of stress, at most a hundredth or two of a score.
    """
    if held is None or len(held.figures) != len(new.figures):
        return True
    prior: StatedFigures | None = None
    for name, figure_ in new.figures.items():
        before = held.figures[name]
        if figure_ is before:
            continue
        if before.told is not prior:  # the figures of an entity nearly always come together
            prior = before.told
            rhythm = rhythm_of(new, parameters, vintage=figure_.told.vintage)
            if at - prior.at >= rhythm or figure_.told.synthetic != prior.synthetic:
                return True
        if figure_.low != before.low or figure_.high != before.high:
            scale = parameters.scales.get(name)
            if scale is not None and _step(scale, figure_) != _step(scale, before):
                return True
    return False


def _step(scale: Scale, held: EvidenceFigure) -> tuple[int, int]:
    edges = step_edges(scale, STRESS_STEPS)
    low = bisect_right(edges, held.low)
    return low, low if held.high is None else bisect_right(edges, held.high)


def _text(value: Fact) -> str | None:
    return value if isinstance(value, str) else None


def rhythm_of(evidence: Evidence, parameters: ScoreParameters, *, vintage: str | None) -> timedelta:
    """Return how long its figures are fresh: prices of days and months by themselves, of longer periods as years."""
    kind = evidence.aspect
    if kind == "price":
        kind = f"price/{evidence.period_kind if evidence.period_kind in ('day', 'month') else 'year'}"
    return parameters.rhythm(kind, vintage=vintage)


def factor_inputs(pieces: Iterable[Evidence], *, parameters: ScoreParameters) -> Mapping[Factor, list[Input]]:
    """Return the inputs of the factors that some pieces of evidence are about."""
    found: dict[Factor, list[Input]] = {}
    for piece in pieces:
        for name, held in piece.figures.items():
            factor = _FACTOR.get(name)
            if factor is None:
                continue
            told = held.told
            origin = Origin(
                source=told.source,
                reference_period=told.period,
                vintage=told.vintage,
                published_at=told.at,
                rhythm=rhythm_of(piece, parameters, vintage=told.vintage),
                event=told.event,
                synthetic=told.synthetic,
            )
            made = figure(
                name,
                held.low,
                held.high,
                of=piece.of,
                scale=parameters.scales[name],
                origin=origin,
                said=HELD if name in piece.unknown else None,
                sees=name not in _SHOWS_STRESS_ONLY,
            )
            found.setdefault(factor, []).append(made)
    return found
