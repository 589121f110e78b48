"""Rule kind `change`: over observations and over time, absolute, relative and in standard deviations."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from alerts.rules.kinds.change import ChangeRule
from alerts.rules.loader import RuleFileError
from alerts.rules.memory import MAX_SAMPLES, Samples
from streams.contracts.alert import AlertState
from tests.support.rule_road import T0, RuleRoad, price, rules_with

DAY = timedelta(days=1)


def change(**fields: Any) -> dict[str, Any]:
    rule = {"id": "moved", "kind": "change", "on": "price", "fact": "last_amount", "over": 3, "above": 0.25,
            "severity": "warning", "annotations": {"summary": "{value:percent} {change} {base}"}, **fields}  # fmt: skip
    return {name: value for name, value in rule.items() if value is not None}


def walk(amounts: Sequence[float | None], **fields: Any) -> RuleRoad:
    road = RuleRoad(rules_with(change(**fields)))
    for n, amount in enumerate(amounts):
        road.take(price(T0 + n * DAY, amount))
    return road


def test_over_observations_it_compares_with_the_one_so_many_ago() -> None:
    """Three observations ago it was 100; 126 is 26% more."""
    (fired,) = walk([100.0, 90.0, 95.0, 126.0]).changes()
    assert fired.values == {"last_amount": 126.0, "change": 0.26, "base": 100.0}
    assert fired.summary.startswith("+26%")


def test_before_there_are_enough_observations_nothing_is_said() -> None:
    """Too few samples are unknown, never zero."""
    assert walk([100.0, 200.0, 300.0]).changes() == []


def test_over_a_time_it_compares_with_the_newest_that_is_old_enough() -> None:
    """Observations do not come evenly: the base is at least ten days old, and no older than it must be."""
    road = RuleRoad(rules_with(change(over="10d")))
    road.take(price(T0, 100.0), price(T0 + 2 * DAY, 200.0), price(T0 + 13 * DAY, 240.0))
    assert road.changes() == []
    road.take(price(T0 + 14 * DAY, 260.0))
    assert [c.values["base"] for c in road.changes()] == [200.0]


def test_an_absolute_fall_is_in_the_unit_of_the_fact() -> None:
    """A fall of 30 below -25."""
    (fired,) = walk([100.0, 99.0, 98.0, 70.0], above=None, below=-25.0, **{"as": "absolute"}).changes()
    assert fired.values["change"] == -30.0


def test_a_z_score_counts_deviations_from_the_mean_of_the_observations_before() -> None:
    """Mean 100, deviation of the sample 1.58; 104 is 2.5 of them away, 103 is 1.9."""
    calm = [98.0, 99.0, 100.0, 101.0, 102.0]
    assert walk([*calm, 103.0], over=5, above=2.0, **{"as": "z_score"}).changes() == []
    (fired,) = walk([*calm, 104.0], over=5, above=2.0, **{"as": "z_score"}).changes()
    assert fired.values["change"] == pytest.approx(4 / 2.5**0.5)


def test_without_any_deviation_a_z_score_is_unknown() -> None:
    """Assessed prices repeat for weeks (docs/domain.md 9): a first move after that has no scale."""
    assert walk([100.0] * 5 + [101.0], over=5, above=2.0, **{"as": "z_score"}).changes() == []


def test_from_a_base_of_zero_no_ratio_is_said() -> None:
    """Nothing is a percentage of nothing."""
    assert walk([0.0, 1.0, 1.0, 5.0]).changes() == []


def test_a_corrected_observation_is_not_another_one() -> None:
    """The same reference period again replaces the figure; it must not push the base out of reach."""
    road = RuleRoad(rules_with(change(over=1, observation="reference_period")))
    for n, (period, amount) in enumerate([("01", 100.0), ("02", 110.0), ("02", 130.0)]):
        assessed = price(T0 + n * DAY, amount)
        road.take(type(assessed)(**{**{f: getattr(assessed, f) for f in assessed.__struct_fields__},
                                    "facts": {**assessed.facts, "reference_period": period}}))  # fmt: skip
    assert [c.values["change"] for c in road.changes()] == [0.3]


def test_a_gap_neither_counts_as_an_observation_nor_resolves() -> None:
    """Unknown is a state of its own."""
    road = walk([100.0, 100.0, 100.0, 130.0, None, 131.0])
    assert [c.to_state for c in road.changes()] == [AlertState.FIRING]


def test_memory_is_bounded_for_years_of_observations_each_minute() -> None:
    """A window of time is kept in parts, and still reaches back as far as it must."""
    (rule,) = rules_with(change(over="30d")).rules
    assert isinstance(rule, ChangeRule)
    memory = None
    for n in range(30_000):
        at = T0 + n * timedelta(minutes=5)
        memory = rule.observe(memory, price(at, float(n)), at=at)
    assert isinstance(memory, Samples)
    assert 200 < len(memory.samples) <= MAX_SAMPLES
    assert memory.samples[-1].at - memory.samples[0].at >= 30 * DAY
    assert memory.samples[-1].at - memory.samples[0].at < 31 * DAY


def test_what_it_remembers_survives_a_restart() -> None:
    """Kill and replay at any event gives the same log."""
    road = walk([100.0, 90.0, 95.0])
    road.restart()
    assert [c.values["base"] for c in road.take(price(T0 + 3 * DAY, 126.0))] == [100.0]


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"fact": "assessor"}, "no number of price"),
        ({"on": "measure", "fact": "state"}, "has no numbers on a measure"),
        ({"over": "0d"}, "no time"),
        ({"over": 401}, "400"),
        ({"over": 3, "as": "z_score"}, "at least 5"),
        ({"above": None}, "exactly one"),
        ({"observation": "nope"}, "no fact of price"),
    ],
)
def test_what_makes_no_sense_is_refused_at_load(fields: dict[str, Any], says: str) -> None:
    """The writer hears of it before the night it matters."""
    with pytest.raises(RuleFileError, match=says):
        rules_with(change(**fields))
