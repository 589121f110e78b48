"""Evidence: which facts count, that a gap replaces nothing, and what a factor reads off it."""

from datetime import datetime, timedelta

import pytest

from streams.contracts.assessments import Fact, RiskAssessed
from streams.domain.score.evidence import HELD, Evidence, counts, entity_name, factor_inputs, moves_score, next_evidence
from streams.domain.score.material_score import MaterialScores, score_facts, shown_inputs
from streams.domain.score.score_parameters import Factor
from streams.reference.score_parameter_file import load_score_parameters
from tests.support.legal import T0

PARAMETERS = load_score_parameters()


def told(
    aspect: str, *, at: datetime = T0, labels: dict[str, str] | None = None, home: str | None = None, **facts: Fact
) -> RiskAssessed:
    return RiskAssessed(
        material="gallium", aspect=aspect, at=at, labels=labels or {}, facts=facts, home=home,  # type: ignore[arg-type]
        causes=("e1",), sources=("USGS",),
    )  # fmt: skip


def evidence(assessed: RiskAssessed, held: Evidence | None = None) -> Evidence:
    found = next_evidence(held, assessed)
    assert found is not None
    return found


def stress(assessed: RiskAssessed, factor: Factor) -> list[tuple[str, float | None, float | None]]:
    inputs = factor_inputs([evidence(assessed)], parameters=PARAMETERS).get(factor, [])
    return [(each.name, each.low, each.high) for each in inputs]


def test_an_assessment_of_a_score_or_a_licence_is_no_evidence() -> None:
    """A score must not feed itself."""
    assert not counts(told("score"))
    assert not counts(told("licence"))
    assert counts(told("price"))


def test_entities_are_told_apart_by_aspect_home_and_labels() -> None:
    """Two assessors of one price are two pieces of evidence."""
    price = entity_name("gallium", "price", None, {"form": "oxide", "assessor": "a"})
    assert price == "gallium/price//oxide/a"
    assert entity_name("gallium", "supply", "US", {"stage": "mining"}) == "gallium/supply/US/mining"


@pytest.mark.parametrize(
    ("assessed", "factor", "expected"),
    [
        (told("supply", hhi_ratio=0.9, top_share_ratio=0.94), Factor.CONCENTRATION, [("hhi_ratio", 0.9, 0.9)]),
        (told("supply", hhi_ratio=None, top_share_ratio=0.5), Factor.CONCENTRATION, [("hhi_ratio", 0.25, 0.5)]),
        (told("supply", hhi_ratio=None), Factor.CONCENTRATION, []),
        (told("supply", hhi_low_ratio=0.4, hhi_high_ratio=0.5), Factor.CONCENTRATION, [("hhi_ratio", 0.4, 0.5)]),
        (told("supply", hhi_low_ratio=0.0, hhi_high_ratio=1.0), Factor.CONCENTRATION, []),
        (told("supply", home="US", hhi_ratio=0.9), Factor.CONCENTRATION, []),
        (
            told("supply", home="US", import_reliance_ratio=0.67),
            Factor.IMPORT_RELIANCE,
            [("import_reliance_ratio", 0.67, 0.67)],
        ),
        (
            told("supply", home="US", import_reliance_low_ratio=0.9),
            Factor.IMPORT_RELIANCE,
            [("import_reliance_ratio", 0.9, 1.0)],
        ),
        (told("price", premium_ratio=3.0, thin=False), Factor.PRICE_STRESS, [("premium_ratio", 3.0, 3.0)]),
        (told("price", premium_ratio=3.0, thin=True), Factor.PRICE_STRESS, []),
        (
            told("stock", effective_cover_days_count=45, licence_lead_days_count=90.0, time_to_survive_days_count=None),
            Factor.THIN_COVER,
            [("cover_to_lead_ratio", 0.5, 0.5)],
        ),
        (
            told("stock", time_to_survive_days_count=30.0, time_to_recover_days_count=60.0, licence_lead_days_count=0),
            Factor.THIN_COVER,
            [("survive_to_recover_ratio", 0.5, 0.5)],
        ),
        (told("trade", month_on_month_ratio="a text"), Factor.SUPPLY_STRESS, []),
    ],
)  # fmt: skip
def test_figures_are_read_off_facts(
    assessed: RiskAssessed, factor: Factor, expected: list[tuple[str, float, float]]
) -> None:
    """Intervals stay intervals, thin premiums do not enter, and what is unknown is no figure."""
    assert stress(assessed, factor) == expected


def test_a_figure_that_becomes_unknown_is_held_and_says_so() -> None:
    """A month without a median does not resolve the stress of the month before."""
    april = evidence(told("trade", to_trailing_median_ratio=0.4, month_on_month_ratio=-0.5, reference_period="2025-04"))
    may = evidence(
        told("trade", at=T0 + timedelta(days=30), month_on_month_ratio=0.1, reference_period="2025-05"), april
    )
    inputs = {i.name: i for i in factor_inputs([may], parameters=PARAMETERS)[Factor.SUPPLY_STRESS]}
    assert (inputs["to_trailing_median_ratio"].low, inputs["to_trailing_median_ratio"].said) == (0.4, HELD)
    assert inputs["to_trailing_median_ratio"].reference_period == "2025-04"
    assert (inputs["month_on_month_ratio"].low, inputs["month_on_month_ratio"].said) == (0.1, None)


def test_an_older_period_told_later_changes_nothing_and_a_repeat_is_no_news() -> None:
    """Newer is the later reference period, then the later recorded figure of it."""
    newest = evidence(told("supply", hhi_ratio=0.5, reference_period="2025", vintage="MCS 2026"))
    late = told("supply", at=T0 + timedelta(days=1), hhi_ratio=0.9, reference_period="2024", vintage="MCS 2026")
    assert next_evidence(newest, late) is None
    assert next_evidence(newest, told("supply", hhi_ratio=0.5, reference_period="2025", vintage="MCS 2026")) is None
    restated = told("supply", at=T0 + timedelta(days=1), hhi_ratio=0.6, reference_period="2025", vintage="MCS 2027")
    assert evidence(restated, newest).figures["hhi_ratio"].told.vintage == "MCS 2027"


def test_only_a_figure_that_leaves_its_step_or_answers_a_stale_one_moves_a_score() -> None:
    """A price within its twentieth of stress costs one entry and no score."""

    def price(change: float, *, days: float = 0.0) -> RiskAssessed:
        return told(
            "price", at=T0 + timedelta(days=days), labels={"period": "day"}, change_30_observations_ratio=change
        )

    first = evidence(price(0.01))
    assert moves_score(None, first, parameters=PARAMETERS, at=T0)
    small, large, late = (evidence(p, first) for p in (price(0.02, days=1), price(0.2, days=1), price(0.02, days=9)))
    assert not moves_score(first, small, parameters=PARAMETERS, at=T0 + timedelta(days=1))
    assert moves_score(first, large, parameters=PARAMETERS, at=T0 + timedelta(days=1))
    assert moves_score(first, late, parameters=PARAMETERS, at=T0 + timedelta(days=9)), "the one before had gone stale"
    assert not moves_score(first, first, parameters=PARAMETERS, at=T0)
    same = evidence(price(0.01, days=1), first)
    assert not moves_score(first, same, parameters=PARAMETERS, at=T0 + timedelta(days=1))


def test_prices_go_stale_by_the_length_of_their_period() -> None:
    """A daily quote is old after a week, a yearly mean after a year."""
    spans = {
        period: factor_inputs(
            [evidence(told("price", labels={"period": period}, change_30_observations_ratio=0.1))],
            parameters=PARAMETERS,
        )[Factor.PRICE_STRESS][0].rhythm
        for period in ("day", "month", "quarter")
    }
    assert spans == {
        p: PARAMETERS.rhythm(f"price/{k}") for p, k in (("day", "day"), ("month", "month"), ("quarter", "year"))
    }


def scores(*pieces: Evidence, at: datetime = T0) -> MaterialScores:
    return MaterialScores("gallium", pieces=pieces, measures=(), parameters=PARAMETERS, at=at)


def test_a_figure_of_another_home_does_not_enter() -> None:
    """The reliance of the United States says nothing about Japan."""
    both = scores(evidence(told("supply", home="US", labels={"stage": "refining"}, import_reliance_ratio=1.0)))
    assert both.of("US").readings[Factor.IMPORT_RELIANCE].value == 1.0
    assert both.of("JP").readings[Factor.IMPORT_RELIANCE].value is None
    assert both.of("US").score_ratio > both.of("JP").score_ratio


def test_the_worst_stage_is_the_bottleneck() -> None:
    """Mining spread over three countries does not help where one country refines."""
    mining = evidence(told("supply", labels={"stage": "mining"}, hhi_ratio=0.3))
    refining = evidence(told("supply", labels={"stage": "refining"}, hhi_ratio=0.98))
    reading = scores(mining, refining).of("US").readings[Factor.CONCENTRATION]
    assert reading.inputs[0].of == "refining"
    assert reading.value == PARAMETERS.scales["hhi_ratio"].stress_ratio(0.98)


def test_a_plant_on_time_does_not_open_the_eyes_and_a_late_one_is_stress() -> None:
    """One plant without a slip says nothing about the supply: the factor stays blind and the score does not fall."""
    nothing, on_time = scores().of("US"), scores(evidence(told("capacity", slip_months_count=0.0))).of("US")
    late = scores(evidence(told("capacity", slip_months_count=12.0))).of("US")
    assert on_time.score_ratio == nothing.score_ratio
    assert on_time.readings[Factor.SUPPLY_STRESS].blind_ratio == 1.0
    assert late.score_ratio > on_time.score_ratio


def test_facts_of_a_score_name_what_is_unknown_and_why() -> None:
    """None in the facts, the name and the reason in `missing`."""
    facts, missing = score_facts(scores(evidence(told("trade", month_on_month_ratio=-0.6))).of("US"))
    assert facts["thin_cover_factor_ratio"] is None
    assert facts["supply_stress_factor_ratio"] == 0.75
    assert "thin_cover_factor_ratio" in missing
    assert "own stocks and licences: none reported" in missing
    assert not any(text.startswith("trade volumes") for text in missing)


def test_inputs_that_are_shown_are_the_weightiest_of_each_factor() -> None:
    """The log carries four of a factor, a question all of them."""
    pieces = [evidence(told("trade", labels={"importer": str(n)}, month_on_month_ratio=-0.1 * n)) for n in range(7)]
    score = scores(*pieces).of("US")
    assert [each.of for each in shown_inputs(score)] == ["6", "5", "4", "3"]
    assert len(shown_inputs(score, most=None)) == 7


def test_the_next_change_is_when_an_input_goes_stale() -> None:
    """Without a control that nears its end only staleness moves a score by itself."""
    assert scores().next_change_at() is None
    trade = scores(evidence(told("trade", month_on_month_ratio=0.0)))
    assert trade.next_change_at() == T0 + timedelta(days=45)
