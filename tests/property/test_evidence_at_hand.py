"""Evidence at hand says, assessment by assessment, what entering each into what is held says."""

from datetime import timedelta
from math import floor, nextafter
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from streams.contracts.assessments import RiskAssessed
from streams.domain.score.evidence import STRESS_STEPS, Evidence, moves_score, next_evidence
from streams.domain.score.evidence_builder import EvidenceBuilder
from streams.domain.score.scales import Scale, step_edges
from streams.reference.score_parameter_file import load_score_parameters
from tests.support.legal import T0

PARAMETERS = load_score_parameters()
FIGURES = {
    "price": ("change_30_observations_ratio", "volatility_to_median_ratio", "premium_ratio"),
    "trade": ("to_trailing_median_ratio", "month_on_month_ratio"),
    "supply": ("hhi_ratio", "top_share_ratio", "hhi_low_ratio", "hhi_high_ratio", "import_reliance_low_ratio"),
    "capacity": ("outage_share_outside_ratio", "slip_months_count", "actual_to_nameplate_ratio"),
    "stock": ("effective_cover_days_count", "licence_lead_days_count"),
}
PERIODS = {"price": "reference_period", "trade": "reference_period", "supply": "reference_period",
           "capacity": "actual_period", "stock": "reference_period"}  # fmt: skip


@st.composite
def assessments(draw: st.DrawFn) -> list[tuple[RiskAssessed, timedelta]]:
    """Give assessments of one entity in order of their instants, each with how much later it is heard."""
    aspect: Any = draw(st.sampled_from(sorted(FIGURES)))
    home = draw(st.sampled_from([None, "US"])) if aspect == "supply" else None
    labels = {"form": "oxide", "period": draw(st.sampled_from(["day", "month", "year"]))}
    figure = st.one_of(st.none(), st.sampled_from([0.0, 0.2, 0.25, 0.5]), st.floats(-1.0, 3.0))
    found, at = [], T0
    for number in range(draw(st.integers(1, 12))):
        at += timedelta(days=draw(st.sampled_from([0, 1, 9, 400])))
        facts: dict[str, Any] = {name: draw(figure) for name in FIGURES[aspect]}
        if aspect == "price":
            facts["thin"] = draw(st.sampled_from([None, False, True]))
        facts[PERIODS[aspect]] = draw(st.sampled_from([None, "2025-01-01", "2025-01-02", "2026-03"]))
        facts["vintage"] = draw(st.sampled_from([None, None, "MCS 2026", "EU CRM study 2023"]))
        cause = draw(st.sampled_from([f"e{number}", "again"]))
        data = RiskAssessed(
            material="gallium", aspect=aspect, at=at, home=home, labels=labels, facts=facts, causes=(cause,),
            sources=("USGS",), synthetic=draw(st.sampled_from([False, False, True])),
        )  # fmt: skip
        found.append((data, timedelta(days=draw(st.sampled_from([0, 0, 30])))))
    return found


def price(day: int, change: float, volatility: float | None = 1.0, **fields: Any) -> tuple[RiskAssessed, timedelta]:
    facts: dict[str, Any] = {"change_30_observations_ratio": change, "volatility_to_median_ratio": volatility,
                             "premium_ratio": None, "reference_period": f"2025-01-{day:02d}"}  # fmt: skip
    data = RiskAssessed(
        material="gallium", aspect="price", at=T0 + timedelta(days=day), labels={"period": "day"}, facts=facts,
        causes=(f"e{day}",), sources=("a",), **fields,
    )  # fmt: skip
    return data, timedelta()


@given(assessments(), st.data())
@example([price(1, 0.1), price(2, 0.1), price(3, 0.9), price(4, 0.9), price(5, 0.9, None), price(6, 0.1)], None)
@example([price(1, 0.1), price(2, 0.1), price(2, 0.1), price(31, 0.1), price(31, 0.1, synthetic=True)], None)
def test_evidence_at_hand_is_evidence_entered_at_once(
    heard: list[tuple[RiskAssessed, timedelta]], data: st.DataObject | None
) -> None:
    """What waits must not be seen: neither in the evidence, whenever it is asked for, nor in whether a score moves."""
    held: Evidence | None = None
    at_hand = EvidenceBuilder(None, parameters=PARAMETERS)
    for assessed, later in heard:
        at = assessed.at + later
        entered = next_evidence(held, assessed)
        moves = entered is not None and moves_score(held, entered, parameters=PARAMETERS, at=at)
        held = entered or held
        asked = data is None or data.draw(st.booleans(), label="asked whether a score moves")
        assert at_hand.update(assessed, at=at, asked=asked) == moves or not asked
        if data is not None and data.draw(st.booleans(), label="asked for"):
            assert at_hand.held == held
        if data is not None and data.draw(st.booleans(), label="begun anew"):
            at_hand = EvidenceBuilder(at_hand.held, parameters=PARAMETERS)
    assert at_hand.held == held


@st.composite
def scales(draw: st.DrawFn) -> Scale:
    """Give scales that rise or fall, some of them flat for a while."""
    figures = sorted(draw(st.sets(st.floats(-1e3, 1e3), min_size=2, max_size=5)))
    stresses = sorted((draw(st.floats(0.0, 1.0)) for _ in figures), reverse=draw(st.booleans()))
    return Scale(points=tuple(zip(figures, stresses, strict=True)), because="drawn")


def test_the_last_point_of_a_scale_is_an_edge_where_its_stress_begins_a_step() -> None:
    """On the line the stress of this last point would be rounded down, and beyond it another step would begin."""
    scale = Scale(points=((-669.0390625, 1e-05), (0.5, 0.05)), because="drawn")
    assert scale.stress_ratio(0.5) == 0.05
    assert step_edges(scale, STRESS_STEPS) == (0.5,)


@given(scales(), st.data())
def test_two_figures_lie_between_the_same_edges_where_their_stress_is_in_the_same_step(
    scale: Scale, data: st.DataObject
) -> None:
    """The edges stand for the scale: exactly so, one floating-point number to either side of an edge too."""
    edges = step_edges(scale, STRESS_STEPS)
    near = [beside for edge in edges for beside in (nextafter(edge, -1e9), edge, nextafter(edge, 1e9))]
    figures = st.floats(-2e3, 2e3) if not near else st.one_of(st.floats(-2e3, 2e3), st.sampled_from(near))
    one, other = data.draw(figures), data.draw(figures)

    def step(figure: float) -> int:
        return floor(scale.stress_ratio(figure) * STRESS_STEPS)

    def place(figure: float) -> int:
        return sum(edge <= figure for edge in edges)

    assert (step(one) == step(other)) == (place(one) == place(other))
