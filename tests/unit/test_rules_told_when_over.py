"""An alert that begins to fire is told when its instant is over: once, as it fires in the end, or not at all."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from alerts.adapters.rules import encode_state
from alerts.lifecycle.evaluation import Alert
from alerts.rules.ruleset import OVER_LIMIT
from alerts.subscriptions.requests import build_acknowledgement
from streams.contracts.alert import AlertChanged
from streams.contracts.assessments import Fact, RiskAssessed
from streams.contracts.directive import DirectiveGiven
from tests.support.rule_road import T0, RuleRoad, alerts_in, rule_set, rules_with

MINUTE = timedelta(minutes=1)
HIGH: dict[str, Any] = {"id": "high", "kind": "threshold", "on": "price", "fact": "last_amount",
                        "above": [{"value": 100, "severity": "warning"}, {"value": 200, "severity": "critical"}],
                        "annotations": {"summary": "{material} {value:number}"}}  # fmt: skip


def quote(minute: float, amount: Fact, material: str = "gallium") -> RiskAssessed:
    cause = f"{material}-{minute}-{amount}"
    return RiskAssessed(
        material=material, aspect="price", at=T0 + minute * MINUTE, facts={"last_amount": amount}, causes=(cause,)
    )  # fmt: skip


def road_with(**fields: Any) -> RuleRoad:
    return RuleRoad(rules_with({**HIGH, **fields}))


def on_the_log(road: RuleRoad) -> list[AlertChanged]:
    return alerts_in(road.outputs)


def steps(changes: list[AlertChanged]) -> list[tuple[str, str, str]]:
    return [(c.from_state.value, c.to_state.value, c.reason) for c in changes]


def test_it_is_on_the_log_once_time_has_moved_on_and_carries_its_own_instant() -> None:
    """Until then worse may come, for which it would be held back."""
    road = road_with()
    road.take(quote(0, 150.0))
    assert on_the_log(road) == []
    road.take(quote(1, 150.0, "yttrium"))
    (told,) = on_the_log(road)
    assert (told.at, told.summary, told.causes, told.reason) == (
        T0, "gallium 150", ("gallium-0-150.0",), "condition_met",
    )  # fmt: skip


def test_what_fires_and_ends_in_one_instant_is_never_told() -> None:
    """There is nothing to do about it, and a notice of both would only puzzle."""
    road = road_with()
    road.take(quote(0, 150.0), quote(0, 50.0), T0 + MINUTE)
    assert on_the_log(road) == []


def test_a_step_up_within_the_instant_is_told_once_with_the_last_step() -> None:
    """It began in that instant, at the worse step for all who read of it."""
    road = road_with()
    road.take(quote(0, 150.0), quote(0, 250.0), T0 + MINUTE)
    (told,) = on_the_log(road)
    assert (steps([told]), told.severity, told.summary) == (
        [("ok", "firing", "condition_met")], "critical", "gallium 250",
    )  # fmt: skip


def test_it_is_told_from_the_state_that_others_know_with_the_reason_of_its_beginning() -> None:
    """The end of a wait is no matter of limits."""
    road = road_with(**{"for": "10m"})
    road.take(quote(0, 150.0), T0 + 10 * MINUTE, T0 + 11 * MINUTE)
    assert steps(on_the_log(road)) == [("ok", "pending", "waiting_out_for"),
                                       ("pending", "firing", "met_for_long_enough")]  # fmt: skip


def test_what_begins_to_clear_in_the_instant_of_its_beginning_is_told_as_both() -> None:
    """It fires on, for those who read alerts, so they must know of it, and why it is about to end."""
    road = road_with(**{"for": "10m", "keep_firing_for": "5m"})
    road.take(quote(0, 150.0), quote(10, 50.0), T0 + 20 * MINUTE)
    told = on_the_log(road)[1:]
    assert steps(told) == [
        ("pending", "firing", "met_for_long_enough"), ("firing", "clearing", "waiting_to_clear"),
        ("clearing", "ok", "clear_for_long_enough"),
    ]  # fmt: skip
    assert [(c.at, c.values["last_amount"]) for c in told[:2]] == [
        (T0 + 10 * MINUTE, 150.0), (T0 + 10 * MINUTE, 50.0),
    ]  # fmt: skip


def test_what_clears_and_is_met_again_within_the_instant_is_told_once() -> None:
    """For others it only began."""
    road = road_with(keep_firing_for="5m")
    road.take(quote(0, 150.0), quote(0, 50.0), quote(0, 250.0), T0 + MINUTE)
    assert steps(on_the_log(road)) == [("ok", "firing", "condition_met")]


def test_what_there_is_no_room_for_is_told_later_as_within_the_limit() -> None:
    """Only what was held when an earlier instant was over is told for that reason."""
    road = road_with(limit=1)
    road.take(quote(0, 150.0, "yttrium"), quote(0, 250.0), quote(1, 50.0), T0 + 2 * MINUTE)
    told = [c for c in on_the_log(road) if c.rule != OVER_LIMIT]
    assert [(c.labels["material"], c.to_state.value, c.reason, c.at) for c in told] == [
        ("gallium", "firing", "condition_met", T0), ("gallium", "ok", "condition_over", T0 + MINUTE),
        ("yttrium", "firing", "within_limit", T0 + MINUTE),
    ]  # fmt: skip


@pytest.mark.parametrize("killed_after", [1, 2, 3])
def test_a_kill_between_an_instant_and_its_settling_says_the_same(killed_after: int) -> None:
    """What is to be said is in the state."""
    items: list[RiskAssessed | datetime] = [
        quote(0, 150.0, "yttrium"), quote(0, 250.0), quote(0, 210.0, "cerium"), T0 + MINUTE,
    ]  # fmt: skip
    whole, killed = road_with(limit=2), road_with(limit=2)
    for n, item in enumerate(items, 1):
        whole.take(item)
        killed.take(item)
        if n == killed_after:
            killed.restart()
    assert killed.outputs == whole.outputs
    assert [c.to_state.value for c in on_the_log(whole)] == ["firing", "firing", "firing"]


def test_nothing_of_it_stays_in_the_state_once_it_is_told() -> None:
    """The words are kept for an instant alone."""
    road = road_with(limit=1)
    road.take(quote(0, 150.0, "yttrium"), quote(0, 250.0))
    assert sum(bool(value.untold) for _, value in road.store.items() if isinstance(value, Alert)) == 2
    road.take(T0 + MINUTE)
    assert not [value for _, value in road.store.items() if isinstance(value, Alert) and value.untold]
    assert all(b"untold" not in encode_state(value) for _, value in road.store.items())


@pytest.mark.parametrize("directive", [build_acknowledgement("none", by="ada"), rule_set({**HIGH, "id": "other"})])
def test_what_people_say_finds_it_told(directive: DirectiveGiven) -> None:
    """Nobody takes an alert, and no edit closes one, before it is told."""
    road = road_with()
    road.take(quote(0, 150.0))
    road.direct(directive, at=T0 + MINUTE)
    assert steps(on_the_log(road))[0] == ("ok", "firing", "condition_met")


def test_a_rule_that_is_removed_in_the_instant_takes_what_was_not_told_with_it() -> None:
    """Nobody knew of it."""
    road = road_with()
    road.take(quote(0, 150.0))
    road.direct(rule_set({**HIGH, "id": "other", "above": 500.0, "severity": "info"}), at=T0)
    road.take(T0 + MINUTE)
    assert on_the_log(road) == []


RISES: dict[str, Any] = {"id": "rises", "kind": "sequence", "on": "price", "first": "last_amount > 100.0",
                         "then": "last_amount < 50.0", "within": "10d", "severity": "warning"}  # fmt: skip


@pytest.mark.parametrize("by", ["rule set", "rule file"])
def test_a_shared_rule_may_group_by_other_labels_while_its_instant_is_open(by: str) -> None:
    """What was open under the old labels is gone; a partition must not stand still over it."""
    road = RuleRoad(rules_with({**RISES, "by": ["material"]}))
    other = {**RISES, "by": ["material", "basis"]}
    road.take(quote(0, 150.0))
    if by == "rule set":
        road.take(rule_set(other), at=T0)
    else:
        road.rules = rules_with(other)
        road.restart()
    road.take(T0 + MINUTE, quote(2, 150.0), T0 + 3 * MINUTE)
    assert on_the_log(road) == []
