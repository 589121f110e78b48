"""Missing and stale facts, failed evaluations, flapping, steps with their own end, and limits."""

from datetime import timedelta
from typing import Any

import pytest

from alerts.rules.ruleset import OVER_LIMIT
from streams.contracts.alert import AlertChanged
from streams.contracts.assessments import Fact, RiskAssessed
from tests.support.rule_road import T0, RuleRoad, price, rules_with, threshold_rules

MINUTE = timedelta(minutes=1)
LADDER = [{"value": 100, "severity": "warning"}, {"value": 200, "severity": "critical"}]


def states(road: RuleRoad) -> list[tuple[str, str]]:
    return [(c.from_state.value, c.to_state.value) for c in road.changes()]


@pytest.mark.parametrize(
    ("policy", "told"),
    [
        ("mark", [("ok", "pending"), ("pending", "no_data")]),
        ("keep", [("ok", "pending")]),
        ("ok", [("ok", "pending"), ("pending", "ok")]),
        ("alert", [("ok", "pending"), ("pending", "firing")]),
    ],
)
def test_the_four_policies_for_missing_facts_while_pending(policy: str, told: list[tuple[str, str]]) -> None:
    """The writer of the rule says what a gap means before it fires; none of them fires early or resolves."""
    road = RuleRoad(threshold_rules(missing=policy, **{"for": "10m"}))
    road.take(price(T0, 101.0), price(T0 + MINUTE, None), T0 + 60 * MINUTE)
    assert states(road) == told


@pytest.mark.parametrize("policy", ["mark", "keep", "ok", "alert"])
def test_no_policy_ends_a_firing_alert(policy: str) -> None:
    """A gap never resolves an alert (promise 4)."""
    road = RuleRoad(threshold_rules(missing=policy, max_age="1h"))
    road.take(price(T0, 101.0), price(T0 + MINUTE, None), T0 + timedelta(days=9))
    assert states(road) == [("ok", "firing")]


def test_under_keep_the_wait_goes_on_when_the_facts_come_back() -> None:
    """The last known value is taken to hold; only known facts fire."""
    road = RuleRoad(threshold_rules(missing="keep", **{"for": "10m"}))
    road.take(price(T0, 101.0), price(T0 + MINUTE, None), T0 + 60 * MINUTE, price(T0 + 61 * MINUTE, 102.0))
    assert [(c.to_state.value, c.at) for c in road.changes()][1:] == [("firing", T0 + 61 * MINUTE)]


def test_under_alert_missing_facts_fire_and_real_ones_end_it() -> None:
    """Where silence is the danger, it counts as met."""
    road = RuleRoad(threshold_rules(missing="alert", missing_severity="critical"))
    road.take(price(T0, 99.0), price(T0 + MINUTE, None), price(T0 + 2 * MINUTE, 98.0))
    assert states(road) == [("ok", "firing"), ("firing", "ok")]
    assert (road.changes()[0].severity, road.changes()[0].step) == ("critical", "missing")


def test_facts_older_than_max_age_are_stale_at_that_instant_until_new_ones_come() -> None:
    """Yesterday's price is no price."""
    road = RuleRoad(threshold_rules(max_age="1h"))
    road.take(price(T0, 99.0), price(T0 + 30 * MINUTE, 98.0), T0 + timedelta(days=2))
    assert [(c.to_state.value, c.at) for c in road.changes()] == [("stale", T0 + 90 * MINUTE)]
    road.take(price(T0 + timedelta(days=3), 99.0))
    assert states(road)[-1] == ("stale", "ok")


def test_what_is_clearing_on_stale_facts_is_firing_again() -> None:
    """It is not known to be clear any more: time alone does not end it."""
    road = RuleRoad(threshold_rules(max_age="1h", keep_firing_for="2h"))
    road.take(price(T0, 101.0), price(T0 + MINUTE, 99.0), T0 + timedelta(days=2))
    assert states(road) == [("ok", "firing"), ("firing", "clearing"), ("clearing", "firing")]


def test_stale_facts_under_alert_fire_with_words() -> None:
    """An alert without a text helps nobody."""
    road = RuleRoad(threshold_rules(max_age="1h", missing="alert"))
    road.take(price(T0, 99.0), T0 + timedelta(days=2))
    assert [(c.to_state.value, c.summary) for c in road.changes()] == [("firing", "dysprosium unknown")]


def test_an_evaluation_that_fails_is_an_error_and_resolves_nothing() -> None:
    """Division by a known zero is neither true nor false, and not a gap either."""
    division = threshold_rules(
        fact=None, above=None, when="int(last_amount) / (int(last_amount) - 50) > 1", resolve_when=None
    )
    road = RuleRoad(division)
    road.take(price(T0, 10.0), price(T0 + MINUTE, 50.0), price(T0 + 2 * MINUTE, 51.0), price(T0 + 3 * MINUTE, 50.0))
    assert states(road) == [("ok", "error"), ("error", "firing")]


def test_flapping_is_damped_until_it_was_over_for_all_of_the_window() -> None:
    """An alert that comes and goes all day is one alert."""
    road = RuleRoad(threshold_rules(flap={"times": 3, "within": "1h"}))
    for n in range(6):
        road.take(price(T0 + 2 * n * MINUTE, 101.0), price(T0 + (2 * n + 1) * MINUTE, 99.0))
    assert states(road)[:5] == [
        ("ok", "firing"),
        ("firing", "ok"),
        ("ok", "firing"),
        ("firing", "ok"),
        ("ok", "firing"),
    ]
    assert set(states(road)[5:]) == {("firing", "clearing"), ("clearing", "firing")}
    assert road.changes()[-1].reason == "damped"
    road.take(T0 + timedelta(hours=5))
    assert (road.changes()[-1].to_state.value, road.changes()[-1].at) == ("ok", T0 + 71 * MINUTE)


def test_gaps_while_clearing_do_not_count_as_flapping() -> None:
    """Facts that come and go say nothing of the condition: the alert ends after its own wait, undamped."""
    road = RuleRoad(threshold_rules(flap={"times": 2, "within": "1h"}, keep_firing_for="10m"))
    road.take(price(T0, 101.0), price(T0 + MINUTE, 99.0), price(T0 + 2 * MINUTE, None), price(T0 + 3 * MINUTE, 99.0))
    road.take(T0 + timedelta(hours=2))
    assert states(road)[2:] == [("clearing", "firing"), ("firing", "clearing"), ("clearing", "ok")]
    assert [(c.reason, c.at) for c in road.changes()][2:] == [
        ("kept_through_gap", T0 + 2 * MINUTE), ("waiting_to_clear", T0 + 3 * MINUTE),
        ("clear_for_long_enough", T0 + 13 * MINUTE),
    ]  # fmt: skip


def test_each_step_of_a_ladder_has_its_own_end() -> None:
    """Critical holds down to 180, warning down to 80."""
    steps = [{**LADDER[0], "resolve": 80}, {**LADDER[1], "resolve": 180}]
    road = RuleRoad(threshold_rules(above=steps, severity=None))
    for n, amount in enumerate([150.0, 210.0, 185.0, 170.0, 90.0, 79.0, 90.0]):
        road.take(price(T0 + n * MINUTE, amount))
    assert [(c.severity, c.values["last_amount"]) for c in road.changes()] == [
        ("warning", 150.0), ("critical", 210.0), ("warning", 170.0), (None, 79.0),
    ]  # fmt: skip


def test_a_step_may_end_by_a_condition_of_its_own() -> None:
    """What ends a step need not be the fact that began it."""
    steps = [{"value": 100, "severity": "warning", "resolve_when": "volume_share_ratio > 0.5"}]
    road = RuleRoad(threshold_rules(above=steps, severity=None))
    for n, (amount, share) in enumerate([(101.0, 0.1), (50.0, 0.1), (50.0, None), (50.0, 0.6)]):
        facts: dict[str, Fact] = {"last_amount": amount, "volume_share_ratio": share}
        road.take(RiskAssessed(material="dysprosium", aspect="price", at=T0 + n * MINUTE, facts=facts))
    assert [(c.to_state.value, c.at) for c in road.changes()] == [("firing", T0), ("ok", T0 + 3 * MINUTE)]


def limited(limit: int = 2) -> RuleRoad:
    rule: dict[str, Any] = {"id": "high", "kind": "threshold", "on": "price", "fact": "last_amount", "above": LADDER,
                            "limit": limit, "annotations": {"summary": "{material}"}}  # fmt: skip
    return RuleRoad(rules_with(rule))


def quote(minute: int, material: str, amount: float) -> RiskAssessed:
    return RiskAssessed(material=material, aspect="price", at=T0 + minute * MINUTE, facts={"last_amount": amount})


def of(road: RuleRoad, rule: str = "high") -> list[AlertChanged]:
    return [c for c in road.changes() if c.rule == rule]


def test_over_its_limit_a_rule_tells_the_first_to_come_and_one_alert_says_how_many_are_held_back() -> None:
    """Nothing is dropped in silence, and what was told stays told."""
    road = limited()
    for n, (material, amount) in enumerate([("yttrium", 150.0), ("terbium", 150.0), ("cerium", 150.0)]):
        road.take(quote(n, material, amount))
    road.take(T0 + 5 * MINUTE)
    assert [c.labels["material"] for c in of(road)] == ["yttrium", "terbium"]
    (over,) = of(road, OVER_LIMIT)
    assert (over.values["held"], over.values["firing"], over.labels) == (1.0, 3.0, {"rule": "high", "partition": "0"})
    road.take(quote(6, "dysprosium", 250.0), T0 + 7 * MINUTE)
    assert of(road)[2:] == []
    road.take(quote(8, "yttrium", 1.0))
    assert [(c.labels["material"], c.to_state.value, c.reason) for c in of(road)[2:]] == [
        ("yttrium", "ok", "condition_over"), ("dysprosium", "firing", "within_limit"),
    ]  # fmt: skip


def test_what_is_said_of_a_limit_is_as_severe_as_the_worst_it_holds_back_whatever_is_restarted() -> None:
    """What is held back goes on changing; a restart between has nothing to find out."""
    whole, restarted = limited(1), limited(1)
    for n, amount in enumerate([150.0, 250.0, 150.0]):
        for road in (whole, restarted):
            road.take(quote(0, "yttrium", 150.0), quote(n, "cerium", amount), T0 + n * MINUTE)
        restarted.restart()
    assert [c.severity for c in of(whole, OVER_LIMIT)] == ["warning", "critical", "warning"]
    assert restarted.outputs == whole.outputs


def test_when_there_is_room_what_was_held_back_is_told_and_the_alert_about_it_ends() -> None:
    """Held is not gone."""
    road = limited(1)
    road.take(quote(0, "yttrium", 150.0), quote(1, "cerium", 150.0), T0 + 2 * MINUTE)
    road.restart()
    road.take(quote(3, "yttrium", 1.0), T0 + 4 * MINUTE)
    assert [(c.labels["material"], c.to_state.value) for c in of(road)] == [
        ("yttrium", "firing"), ("yttrium", "ok"), ("cerium", "firing"),
    ]  # fmt: skip
    assert [c.to_state.value for c in of(road, OVER_LIMIT)] == ["firing", "ok"]
    road.take(quote(5, "cerium", 1.0))
    assert of(road)[-1].to_state.value == "ok"


def test_what_was_held_back_and_is_over_was_never_told_and_ends_in_silence() -> None:
    """A resolved notice about an alert nobody heard of would only puzzle."""
    road = limited(1)
    road.take(quote(0, "yttrium", 150.0), quote(1, "cerium", 150.0), quote(2, "cerium", 1.0), T0 + 4 * MINUTE)
    assert [c.labels["material"] for c in of(road)] == ["yttrium"]


def test_what_was_pending_or_without_data_and_is_held_back_is_not_left_so_for_others() -> None:
    """Others would wait for ever for what became of it."""
    rule: dict[str, Any] = {"id": "high", "kind": "threshold", "on": "price", "fact": "last_amount", "above": 100.0,
                            "severity": "warning", "limit": 1, "for": "10m"}  # fmt: skip
    road = RuleRoad(rules_with(rule))
    road.take(quote(0, "yttrium", 150.0), quote(1, "cerium", 150.0), T0 + 20 * MINUTE)
    assert [(c.labels["material"], c.to_state.value, c.reason) for c in of(road)][2:] == [
        ("yttrium", "firing", "met_for_long_enough"), ("cerium", "ok", "over_limit"),
    ]  # fmt: skip
    road.take(quote(21, "yttrium", 1.0), T0 + 30 * MINUTE)
    assert [(c.labels["material"], c.from_state.value, c.to_state.value) for c in of(road)][4:] == [
        ("yttrium", "firing", "ok"), ("cerium", "ok", "firing"),
    ]  # fmt: skip
