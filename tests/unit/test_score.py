"""The score, its scales and readings: the formula by hand, what is unknown, and parameters that are refused."""

from datetime import timedelta
from math import isclose

import pytest

from streams.domain.score.factors import Origin, figure
from streams.domain.score.readings import Input, Reading, next_staling, staleness, worst_of
from streams.domain.score.scales import Scale
from streams.domain.score.score import blend, contributions, score_of
from streams.domain.score.score_parameters import Factor
from streams.reference.score_parameter_file import load_score_parameters, parse_score_parameters
from tests.support.legal import T0
from tests.support.scores import UNKNOWN, exactly

PARAMETERS = load_score_parameters()
WEIGHTS = PARAMETERS.weights
FALLING = Scale(points=((0.25, 1.0), (0.5, 0.6), (1.0, 0.0)), because="test")


def test_the_score_is_the_formula_by_hand() -> None:
    """Two factors at one half: 1 - (1 - 0.6/2)(1 - 0.3/2), and the shares of the logarithm."""
    readings = {factor: exactly(0.0) for factor in Factor}
    readings |= {Factor.POLICY: exactly(0.5), Factor.CONCENTRATION: exactly(0.5)}
    score = score_of(readings, WEIGHTS)
    assert isclose(score.score_ratio, 1 - 0.7 * 0.85)
    assert isclose(sum(score.contributions.values()), score.score_ratio, abs_tol=1e-12)
    assert score.contributions[Factor.POLICY] > score.contributions[Factor.CONCENTRATION] > 0
    assert score.contributions[Factor.THIN_COVER] == 0
    assert isclose(score.low_ratio, score.score_ratio)
    assert isclose(score.high_ratio, score.score_ratio)


def test_a_score_of_nothing_at_all_is_zero_with_zero_contributions() -> None:
    """The logarithms add up to 0 then; a division by it would be no number."""
    assert contributions(dict.fromkeys(Factor, 0.0)) == dict.fromkeys(Factor, 0.0)
    assert blend([0.0, 0.0]) == 0.0


def test_an_unknown_factor_contributes_nothing_itself_but_raises_blindness_and_widens_the_interval() -> None:
    """Unknown is neither calm nor stress: it enters as not knowing."""
    calm = {factor: exactly(0.0) for factor in Factor}
    blind = {**calm, Factor.SUPPLY_STRESS: UNKNOWN}
    without, with_gap = score_of(calm, WEIGHTS), score_of(blind, WEIGHTS)
    assert with_gap.score_ratio > without.score_ratio
    assert with_gap.contributions[Factor.SUPPLY_STRESS] == 0
    assert with_gap.readings[Factor.BLINDNESS].unseen == ("supply_stress",)
    assert with_gap.low_ratio <= without.low_ratio
    assert with_gap.high_ratio >= WEIGHTS[Factor.SUPPLY_STRESS].weight_ratio


def test_blindness_of_no_factors_is_none() -> None:
    """Without a single other reading there is nothing to be blind about."""
    from streams.domain.score.score import blindness

    assert blindness({}, WEIGHTS).value == 0.0


def test_a_scale_reads_its_points_the_lines_between_and_the_ends_outside() -> None:
    """Half of the median is 0.6; three quarters lie half-way to calm; less than a quarter cannot be worse than 1."""
    assert FALLING.stress_ratio(0.5) == 0.6
    assert isclose(FALLING.stress_ratio(0.75), 0.3)
    assert FALLING.stress_ratio(0.1) == 1.0
    assert FALLING.stress_ratio(3.0) == 0.0
    assert FALLING.stress_interval(0.5, 2.0) == (0.0, 0.6)


@pytest.mark.parametrize(
    ("points", "why"),
    [
        (((0.0, 0.0),), "two points"),
        (((0.0, 0.0), (0.0, 1.0)), "figures"),
        (((0.0, 0.0), (1.0, 1.5)), "0..1"),
        (((0.0, 0.0), (1.0, 1.0), (2.0, 0.5)), "not both"),
    ],
)
def test_a_scale_that_is_none_is_refused(points: tuple[tuple[float, float], ...], why: str) -> None:
    """A scale that turned back would let a worse figure lower a factor."""
    with pytest.raises(ValueError, match=why):
        Scale(points=points, because="test")


def test_a_figure_goes_stale_in_two_steps() -> None:
    """Fresh within its rhythm, half stale within twice that, then stale; what has no rhythm does not age."""
    week = timedelta(days=7)
    ages = [timedelta(days=d) for d in (0, 6.9, 7, 13.9, 14, 400)]
    assert [staleness(T0, week, at=T0 + age) for age in ages] == [0.0, 0.0, 0.5, 0.5, 1.0, 1.0]
    assert staleness(None, week, at=T0) == 1.0
    assert staleness(None, None, at=T0) == 0.0


def known(value: float, *, low: float | None = None, age_days: float = 0.0, of: str = "a") -> Input:
    return Input(
        name="figure", of=of, low=value, high=value, low_stress_ratio=low, stress_ratio=value,
        published_at=T0 - timedelta(days=age_days), rhythm=timedelta(days=7),
    )  # fmt: skip


def test_the_worst_input_counts_and_the_freshest_decides_how_blind_the_factor_is() -> None:
    """An old stress stands until its own series answers it; one fresh eye still sees."""
    reading = worst_of([known(0.2), known(0.8, low=0.5, age_days=30, of="b")], at=T0)
    assert (reading.value, reading.low, reading.high, reading.blind_ratio) == (0.8, 0.5, 0.8, 0.0)
    assert [each.of for each in reading.inputs] == ["b", "a"]


def test_staleness_widens_the_interval_and_leaves_the_value() -> None:
    """A source that fell silent says as much as before, and is trusted less."""
    reading = worst_of([known(0.6, age_days=10)], at=T0)
    assert (reading.value, reading.low, reading.high, reading.blind_ratio) == (0.6, 0.3, 0.8, 0.5)


def test_without_a_known_input_a_factor_is_unknown_and_says_which_are_missing() -> None:
    """No input at all, or only withheld ones: 0..1, blind in full."""
    withheld = Input(name="hhi_ratio", of="mining", said="withheld")
    reading = worst_of([withheld], at=T0, unseen=("trade: nothing reported",))
    assert (reading.value, reading.low, reading.high, reading.blind_ratio) == (None, 0.0, 1.0, 1.0)
    assert reading.unseen == ("trade: nothing reported", "hhi_ratio of mining: withheld")


def test_the_next_staling_is_the_first_step_after_an_instant() -> None:
    """The score must be made anew on that instant; unknown inputs do not age."""
    inputs = [known(0.1, age_days=3), known(0.1, age_days=8, of="b"), Input(name="x", of="y", published_at=T0)]
    assert next_staling(inputs, after=T0) == T0 + timedelta(days=4)
    assert next_staling(inputs, after=T0 + timedelta(days=10)) == T0 + timedelta(days=11)
    assert next_staling(inputs, after=T0 + timedelta(days=11)) is None


def test_a_figure_becomes_an_input_with_both_ends_of_its_stress() -> None:
    """ ">95" stays an interval; an unknown figure stays unknown."""
    scale = PARAMETERS.scales["import_reliance_ratio"]
    origin = Origin(source="USGS", reference_period="2025", vintage="MCS 2026", published_at=T0)
    over_95 = figure("import_reliance_ratio", 0.95, 1.0, of="US", scale=scale, origin=origin)
    assert (over_95.low_stress_ratio, over_95.stress_ratio, over_95.source) == (0.95, 1.0, "USGS")
    exact = figure("import_reliance_ratio", 0.5, of="US", scale=scale, origin=origin)
    assert (exact.low, exact.high, exact.stress_ratio) == (0.5, 0.5, 0.5)
    missing = figure("import_reliance_ratio", None, of="US", scale=scale, origin=origin, said="withheld")
    assert (missing.low, missing.stress_ratio, missing.said) == (None, None, "withheld")


def test_rhythms_go_by_the_longest_fitting_name_of_a_vintage() -> None:
    """The EU study comes every three years, USGS every year."""
    assert PARAMETERS.rhythm("supply", vintage="EU CRM study 2023") == timedelta(days=1200)
    assert PARAMETERS.rhythm("supply", vintage="MCS 2026") == timedelta(days=400)
    assert PARAMETERS.rhythm("trade") == timedelta(days=45)


def shipped(**changes: tuple[str, str]) -> str:
    from streams.reference.loaders import read_text

    text = read_text("score_parameters.yaml")
    for old, new in changes.values():
        assert old in text
        text = text.replace(old, new, 1)
    return text


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("weight_ratio: 0.60", "weight_ratio: 1.0", "weight"),
        ("  policy: {weight_ratio", "  politics: {weight_ratio", "policy|politics"),
        ("far: 0.50, near: 1.00", "far: 1.00, near: 0.50", "comes nearer"),
        ("far: 0.35, near: 0.70", "far: -0.35, near: 0.70", "0..1"),
        ("ratio: 0.95", "ratio: 1.95", "0..1"),
        ("horizon_days_count: 180", "horizon_days_count: 0", "at least 1"),
        ("trade: {days_count: 45", "trade: {days_count: 0", "at least 1"),
        ("  trade: {days_count", "  trades: {days_count", "rhythms are missing: trade"),
        ("  hhi_ratio: {points", "  hhi: {points", "scales are missing: hhi_ratio"),
        ('version: "1"', "version: [", "score parameters"),
    ],
)
def test_parameters_that_cannot_be_are_refused_with_the_reason(old: str, new: str, why: str) -> None:
    """A slip of the pen in the YAML must not become a score."""
    with pytest.raises(ValueError, match=why):
        parse_score_parameters(shipped(only=(old, new)))


def test_a_factor_without_a_weight_is_refused() -> None:
    """A factor that silently weighs nothing would never be missed."""
    text = "\n".join(line for line in shipped().split("\n") if not line.startswith("  blindness:"))
    with pytest.raises(ValueError, match="weights are missing for blindness"):
        parse_score_parameters(text)


def test_a_reading_says_what_it_is() -> None:
    """Readings are values: two of the same content are equal."""
    assert exactly(0.5) == Reading(value=0.5, low=0.5, high=0.5, blind_ratio=0.0)


def test_rules_know_the_facts_that_a_score_has() -> None:
    """The typed catalogue of rules and the facts on the log must not drift apart."""
    from alerts.rules.facts import CATALOGUE
    from streams.domain.score.material_score import score_facts

    facts, _ = score_facts(score_of({f: exactly(0.5) for f in Factor}, WEIGHTS))
    assert facts.keys() == CATALOGUE["score"].keys() - {"material", "home", "synthetic"}
