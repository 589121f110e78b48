"""The policy factor over the shipped measures: state, time to the next change, and who is targeted."""

from datetime import date, timedelta

import pytest

from streams.contracts.assessments import LegalState, MeasureAssessed
from streams.contracts.policy import Targets
from streams.domain.policy.measure_status import StatusQuestions
from streams.domain.score.factor_policy import (
    controls_on,
    next_pressure_at,
    policy_reading,
    pressure_ratio,
    reach_ratio,
)
from streams.domain.score.readings import Reading
from streams.reference import load_history
from streams.reference.score_parameter_file import load_score_parameters
from tests.support.legal import T0

PARAMETERS = load_score_parameters()
SCALE, HOMES = PARAMETERS.policy, PARAMETERS.homes
QUESTIONS = StatusQuestions(load_history("policy"))


def factor(material: str, home: str, day: str) -> Reading:
    """Read the factor of the history as of a day, as known on it."""
    on = date.fromisoformat(day)
    return policy_reading(
        controls_on(material, QUESTIONS.assess_all(as_of=on, known_at=on), scale=SCALE),
        home=home,
        homes=HOMES,
        scale=SCALE,
    )


def value(material: str, home: str, day: str) -> float:
    found = factor(material, home, day).value
    assert found is not None
    return found


def test_dysprosium_rises_with_18_of_2025_and_does_not_fall_in_the_truce() -> None:
    """18 of 2025 was never suspended: whoever shows dysprosium as free during the truce is wrong."""
    before, after = value("dysprosium", "US", "2025-04-03"), value("dysprosium", "US", "2025-04-04")
    assert after > before + 0.3
    assert value("dysprosium", "US", "2025-11-06") <= value("dysprosium", "US", "2025-11-12")
    assert value("dysprosium", "US", "2025-11-12") >= after


def test_holmium_rises_falls_part_of_the_way_rises_towards_the_end_and_again_when_it_lapses() -> None:
    """57 of 2025 from its announcement to an end that nothing follows."""
    days = ["2025-09-30", "2025-10-09", "2025-11-06", "2025-11-07", "2026-05-01", "2026-10-08", "2026-11-10"]
    september, announced, eve, truce, may, october, last = (value("holmium", "US", day) for day in days)
    assert september < truce < announced < eve
    assert truce == pytest.approx(may)
    assert may < october < last < value("holmium", "US", "2026-11-11")


def test_what_lapsed_unconfirmed_is_known_only_between_still_suspended_and_in_force() -> None:
    """Nobody can plan on it: the interval says so, and the words name the end that passed."""
    lapsed = factor("holmium", "US", "2026-11-20")
    assert lapsed.value is not None
    assert lapsed.low < lapsed.value < lapsed.high
    said = next(each.said for each in lapsed.inputs if each.of == "CN-2025-57")
    assert said == "licence requirement, lapsed unconfirmed, suspension ended 2026-11-10, nothing seen since"


def test_gallium_for_the_us_falls_by_less_than_it_rose() -> None:
    """The refusal of 46 of 2024 paragraph 2 is suspended, not gone, and the ordinary licence stays."""
    rise = value("gallium", "US", "2024-12-03") - value("gallium", "US", "2024-12-02")
    fall = value("gallium", "US", "2025-11-08") - value("gallium", "US", "2025-11-09")
    assert 0 < fall < rise


def test_a_ban_on_one_countrys_military_raises_that_home_alone() -> None:
    """Announcement 1 of 2026 is about Japan: samarium rises there, not in Brazil."""
    for home, rises in (("JP", True), ("BR", False), ("US", False)):
        before, after = value("samarium", home, "2026-01-05"), value("samarium", home, "2026-01-06")
        assert (after > before) is rises
        assert rises or after == before


def test_graphite_under_the_same_ban_weighs_less_than_gallium() -> None:
    """For graphite the paragraph asks stricter end-use checks only."""
    inputs = {
        material: next(
            each for each in factor(material, "US", "2025-01-15").inputs if each.of == "CN-2024-46-2"
        ).stress_ratio
        or 0.0
        for material in ("gallium", "natural-graphite")
    }
    assert 0 < inputs["natural-graphite"] < inputs["gallium"]


def test_a_union_is_hit_through_its_members_and_a_member_through_its_union() -> None:
    """Measures name the EU, or one of its countries."""
    named = Targets(scope="countries", countries=("DE",))
    assert reach_ratio(named, home="EU", homes=HOMES, scale=SCALE) == 1.0
    union = Targets(scope="countries", countries=("EU",))
    assert reach_ratio(union, home="DE", homes=HOMES, scale=SCALE) == 1.0
    assert reach_ratio(union, home="JP", homes=HOMES, scale=SCALE) == 0.0


def test_targets_that_the_source_does_not_give_count_as_this_home_and_leave_the_low_end_open() -> None:
    """Cautious in the value, honest in the interval."""
    assert reach_ratio(None, home="BR", homes=HOMES, scale=SCALE) == 1.0
    assert reach_ratio(Targets(scope="entities"), home="BR", homes=HOMES, scale=SCALE) == SCALE.reach["entities"].ratio
    reading = read(measure(targets=None))
    assert reading.low == 0.0
    assert reading.value == pytest.approx(0.6)
    reading = read(measure(targets=Targets(scope="military_end_use")))
    assert reading.low == 0.0
    assert reading.value == pytest.approx(0.6 * 0.35)


def measure(**fields: object) -> MeasureAssessed:
    given: dict[str, object] = {
        "measure": "CN-1", "at": T0, "state": LegalState.IN_FORCE, "previous_state": None, "zone": "UTC",
        "kind": "licence_requirement", "instrument": "One", "issuer": "Office", "materials": ("holmium",),
        "targets": Targets(), **fields,
    }  # fmt: skip
    return MeasureAssessed(**given)  # type: ignore[arg-type]


def read(*measures: MeasureAssessed, home: str = "US", material: str = "holmium") -> Reading:
    return policy_reading(controls_on(material, measures, scale=SCALE), home=home, homes=HOMES, scale=SCALE)


@pytest.mark.parametrize(
    "calm",
    [
        measure(kind="price_floor"),
        measure(state=LegalState.REPEALED),
        measure(materials=("cerium",)),
        measure(targets=Targets(scope="countries", countries=("JP",))),
        measure(measure="US-1"),
    ],
)
def test_what_is_no_control_of_the_material_for_the_home_does_not_enter(calm: MeasureAssessed) -> None:
    """Other kinds, dead states, other materials, other countries, and the home's own measures."""
    assert read(calm) == Reading(value=0.0, low=0.0, high=0.0, blind_ratio=0.0)


def test_an_empty_measure_book_is_unknown_not_free() -> None:
    """Nothing loaded is a gap; a book without a control on the material is an answer."""
    found = policy_reading((), home="US", homes=HOMES, scale=SCALE, seen_any=False)
    assert (found.value, found.blind_ratio) == (None, 1.0)


def test_pressure_runs_from_the_horizon_to_the_day_of_the_change() -> None:
    """180 days ahead nothing presses, then week by week, in the last fortnight day by day, on the last day in full."""
    ends = {
        days: measure(state=LegalState.SUSPENDED, legal_end=date.fromordinal(T0.date().toordinal() + days))
        for days in (-1, 0, 1, 13, 14, 15, 21, 90, 91, 180, 181)
    }
    found = {days: pressure_ratio(each, at=T0, scale=SCALE) * 180 for days, each in ends.items()}
    assert {days: round(180 - value) for days, value in found.items()} == {
        -1: 0, 0: 0, 1: 1, 13: 13, 14: 14, 15: 21, 21: 21, 90: 91, 91: 91, 180: 180, 181: 180,
    }  # fmt: skip


def test_the_next_change_of_pressure_is_the_midnight_at_which_it_differs() -> None:
    """Walk from half a year ahead to the day after: pressure moves at the instants named, and nowhere between."""
    suspended = measure(state=LegalState.SUSPENDED, legal_end=date.fromordinal(T0.date().toordinal() + 200))
    instants, now = [], T0
    while (following := next_pressure_at(suspended, at=now, scale=SCALE)) is not None:
        before = pressure_ratio(suspended, at=following - timedelta(seconds=1), scale=SCALE)
        assert before == pressure_ratio(suspended, at=now, scale=SCALE)
        assert before < pressure_ratio(suspended, at=following, scale=SCALE)
        instants.append(round((following - T0) / timedelta(days=1)))
        now = following
    assert instants == [25, *range(32, 187, 7), *range(187, 201)]
    assert pressure_ratio(measure(state=LegalState.SUSPENDED), at=T0, scale=SCALE) == 0.0
    assert next_pressure_at(measure(), at=T0, scale=SCALE) is None


def test_an_announced_measure_presses_until_its_day_of_effect() -> None:
    """Announced for tomorrow weighs nearly like one in force; without a day it weighs half."""
    tomorrow = measure(state=LegalState.ANNOUNCED, effective_on=date.fromordinal(T0.date().toordinal() + 1))
    assert (read(tomorrow).value or 0) == pytest.approx(0.6 * (1 - 0.5 / 180))
    assert (read(measure(state=LegalState.ANNOUNCED)).value or 0) == pytest.approx(0.3)


def test_a_second_control_never_lowers_the_factor_and_the_worst_is_shown_first() -> None:
    """Controls add up; what a reader sees first is what weighs most."""
    one = measure(kind="watch_listing")
    two = measure(measure="CN-2", kind="export_ban", causes=("e1", "e2"), effective_on=date(2025, 1, 1))
    reading = read(one, two)
    assert (reading.value or 0) == pytest.approx(1 - 0.6 * 0.05)
    assert [(each.of, each.event) for each in reading.inputs] == [("CN-2", "e2"), ("CN-1", None)]
    assert reading.inputs[0].reference_period == "2025-01-01"


def test_a_lapse_without_a_known_end_says_no_day() -> None:
    """A suspension that named no end cannot say when it ended."""
    lapsed = measure(state=LegalState.LAPSED_UNCONFIRMED)
    assert read(lapsed).inputs[0].said == "licence requirement, lapsed unconfirmed"
