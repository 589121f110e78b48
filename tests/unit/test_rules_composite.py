"""Rule kind `composite`: and, or, k of n over other rules, by entity or group; circles refused."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from alerts.rules.loader import RuleFileError
from streams.contracts.alert import AlertChanged, AlertState
from streams.contracts.assessments import Fact, RiskAssessed
from tests.support.rule_road import T0, RuleRoad, price, rules_with

MINUTE = timedelta(minutes=1)


def high(name: str, above: float, **fields: Any) -> dict[str, Any]:
    return {"id": name, "kind": "threshold", "on": "price", "fact": "last_amount", "above": above,
            "severity": "info", **fields}  # fmt: skip


def low_volume(**fields: Any) -> dict[str, Any]:
    return {"id": "volume", "kind": "threshold", "on": "trade", "fact": "to_trailing_median_ratio", "below": 0.5,
            "severity": "info", **fields}  # fmt: skip


def both(**fields: Any) -> dict[str, Any]:
    rule = {"id": "both", "kind": "composite", "of": ["a", "b"], "needs": "all", "severity": "critical",
            "annotations": {"summary": "{holding} {count} of {threshold}, {labels}"}, **fields}  # fmt: skip
    return {name: value for name, value in rule.items() if value is not None}


def trade(at: datetime, ratio: Fact, *, material: str = "dysprosium", exporter: str = "CN") -> RiskAssessed:
    return RiskAssessed(
        material=material, aspect="trade", at=at, labels={"exporter": exporter},
        facts={"to_trailing_median_ratio": ratio}, causes=(f"t-{at.isoformat()}",),
    )  # fmt: skip


def of_both(road: RuleRoad) -> list[AlertChanged]:
    return [c for c in road.changes() if c.rule == "both"]


def test_all_fires_when_every_rule_fires_for_the_same_entity_at_that_instant() -> None:
    """It is decided when the instant is over, and carries the instant."""
    road = RuleRoad(rules_with(high("a", 10.0), high("b", 20.0), both()))
    road.take(price(T0, 15.0), T0 + MINUTE)
    assert of_both(road) == []
    road.take(price(T0 + 2 * MINUTE, 25.0), T0 + 3 * MINUTE)
    (fired,) = of_both(road)
    assert (fired.at, fired.severity, fired.to_state) == (T0 + 2 * MINUTE, "critical", AlertState.FIRING)
    assert fired.values == {"a": True, "b": True}
    assert fired.summary.startswith("a, b 2 of 2")
    assert fired.causes
    assert fired.materials == ("dysprosium",)
    road.take(price(T0 + 4 * MINUTE, 15.0), T0 + 5 * MINUTE)
    assert of_both(road)[-1].to_state is AlertState.OK


def test_any_needs_one_and_a_ladder_of_counts_steps_up() -> None:
    """Two of three is worse than one of three."""
    needs = [{"count": 1, "severity": "info"}, {"count": 2, "severity": "critical"}]
    rules = rules_with(
        high("a", 10.0), high("b", 20.0), high("c", 30.0), both(of=["a", "b", "c"], needs=needs, severity=None)
    )
    road = RuleRoad(rules)
    road.take(price(T0, 15.0), price(T0 + MINUTE, 25.0), price(T0 + 2 * MINUTE, 5.0), T0 + 9 * MINUTE)
    assert [(c.severity, c.step) for c in of_both(road)] == [("info", "1 of 3"), ("critical", "2 of 3"), (None, None)]


def test_rules_on_different_entities_meet_by_a_label() -> None:
    """A price that rises while the exports of the same material fall is worse than either."""
    rules = rules_with(high("a", 10.0), low_volume(), both(of=["a", "volume"], by=["material"]))
    road = RuleRoad(rules)
    road.take(price(T0, 15.0), trade(T0, 0.4, material="yttrium"), T0 + MINUTE)
    assert of_both(road) == []
    road.take(trade(T0 + 2 * MINUTE, 0.4), T0 + 3 * MINUTE)
    assert [c.labels for c in of_both(road)] == [{"material": "dysprosium"}]


def test_unknown_decides_nothing() -> None:
    """One that fires and one without data: it may be, or not. A firing composite goes on firing."""
    road = RuleRoad(rules_with(high("a", 10.0), low_volume(), both(of=["a", "volume"], by=["material"])))
    road.take(price(T0, 15.0), trade(T0, 0.9), trade(T0 + MINUTE, None), T0 + 2 * MINUTE)
    assert [c.rule for c in road.changes()] == ["a", "volume"]
    road.take(trade(T0 + 3 * MINUTE, 0.1), T0 + 4 * MINUTE)
    road.take(trade(T0 + 5 * MINUTE, None), T0 + 6 * MINUTE)
    assert [c.to_state for c in of_both(road)] == [AlertState.FIRING]


def test_each_event_of_an_instant_is_decided_on_by_itself_in_the_order_of_the_log() -> None:
    """A batch of events has one instant: what held between two of them held, and is not swallowed."""
    for order, told in ((1, []), (-1, ["firing", "ok"])):
        road = RuleRoad(rules_with(high("a", 10.0), low_volume(), both(of=["a", "volume"], by=["material"])))
        road.take(price(T0, 15.0), trade(T0, 0.9))
        at = T0 + MINUTE
        road.take(*[price(at, 5.0), trade(at, 0.1)][::order])
        assert [c.to_state.value for c in of_both(road)] == told


def test_it_is_decided_as_the_watermark_passes_also_after_a_restart() -> None:
    """Until then another input may say something of that instant; the members themselves are told at once."""
    road = RuleRoad(rules_with(high("a", 10.0), high("b", 20.0), both()))
    assert [c.rule for c in road.take(price(T0, 25.0), watermark=T0 - MINUTE)] == ["a", "b"]
    road.restart()
    assert road.take(watermark=T0 - timedelta(milliseconds=1)) == []
    assert [(c.rule, c.at) for c in road.take(watermark=T0)] == [("both", T0)]


def test_what_comes_late_by_another_input_is_decided_on_in_its_place() -> None:
    """A trade that ends before a price begins is no composite, though it is read after it."""
    road = RuleRoad(rules_with(high("a", 10.0), low_volume(), both(of=["a", "volume"], by=["material"])))
    road.take(trade(T0, 0.1), watermark=T0)
    road.take(price(T0 + 2 * MINUTE, 15.0), watermark=T0)
    road.take(trade(T0 + MINUTE, 0.9), watermark=T0 + MINUTE)
    road.take(watermark=T0 + 5 * MINUTE)
    assert of_both(road) == []


def test_a_composite_waits_out_its_for() -> None:
    """The life is that of any alert."""
    road = RuleRoad(rules_with(high("a", 10.0), high("b", 20.0), both(**{"for": "10m"})))
    road.take(price(T0, 25.0), T0 + 60 * MINUTE)
    assert [(c.to_state.value, c.at) for c in of_both(road)] == [("pending", T0), ("firing", T0 + 10 * MINUTE)]


def test_the_wait_of_a_composite_runs_on_while_its_inputs_fire_through_a_gap() -> None:
    """It reads alerts, not facts: what fires goes on firing through a gap, for people and for it."""
    road = RuleRoad(rules_with(high("a", 10.0), high("b", 20.0), both(**{"for": "10m"})))
    road.take(price(T0, 25.0), price(T0 + MINUTE, None), T0 + 60 * MINUTE)
    assert {c.to_state for c in road.changes() if c.rule != "both"} == {AlertState.FIRING}
    assert [(c.to_state.value, c.at) for c in of_both(road)] == [("pending", T0), ("firing", T0 + 10 * MINUTE)]


def test_a_gap_below_a_composite_neither_begins_nor_ends_its_wait_well() -> None:
    """An input that waits and loses its facts makes the composite unknown: it does not fire, however long."""
    waits = {"for": "5m"}
    road = RuleRoad(rules_with(high("a", 10.0), low_volume(**waits),
                               both(of=["a", "volume"], needs="any", by=["material"]),
                               both(id="all", of=["a", "volume"], by=["material"], **waits)))  # fmt: skip
    road.take(price(T0, 15.0), trade(T0, 0.1), trade(T0 + MINUTE, None), T0 + timedelta(days=9))
    assert [(c.rule, c.to_state.value) for c in road.changes() if c.rule != "a"] == [
        ("both", "firing"), ("volume", "pending"), ("volume", "no_data"),
    ]  # fmt: skip
    road.take(price(T0 + timedelta(days=10), None), T0 + timedelta(days=20))
    assert [c.to_state for c in of_both(road)] == [AlertState.FIRING]


def test_a_composite_over_a_composite_settles_in_the_same_instant() -> None:
    """The one above is decided after the one below."""
    above = both(id="above", of=["both", "a"])
    road = RuleRoad(rules_with(above, both(), high("a", 10.0), high("b", 20.0)))
    road.take(price(T0, 25.0), T0 + MINUTE)
    assert [(c.rule, c.at) for c in road.changes()][-2:] == [("both", T0), ("above", T0)]


@pytest.mark.parametrize(
    ("rules", "says"),
    [
        ([both()], "no rule of this set"),
        ([high("a", 1.0), both(of=["a", "both"])], "names the rule itself"),
        ([high("a", 1.0), both(of=["a", "other"]), both(id="other", of=["a", "both"])], "leads back to itself"),
        ([high("a", 1.0), low_volume(), both(of=["a", "volume"])], "is needed"),
        ([high("a", 1.0), low_volume(), both(of=["a", "volume"], by=["assessor"])], "must hold one of"),
        ([high("a", 1.0), low_volume(), both(of=["a", "volume"], by=["material", "assessor"])], "no label of trade"),
        ([high("a", 1.0), high("b", 1.0), both(needs=3)], "at most 2"),
        ([high("a", 1.0), high("b", 1.0), both(of=["a", "a"])], "twice"),
        ([high("a", 1.0), *(both(id=f"c{n}", of=[f"c{n + 1}" if n < 11 else "a"], needs="any") for n in range(12))],
         "more than 8"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused_at_load(rules: list[dict[str, Any]], says: str) -> None:
    """Recursion between composites would never end; a group without a home would be spread over partitions."""
    with pytest.raises(RuleFileError, match=says):
        rules_with(*rules)


def test_layers_of_composites_load_without_walking_every_way_down() -> None:
    """Eight layers of sixteen have 268 million ways down: to walk them all holds the loader for minutes."""
    layers = [
        {"id": f"c{layer}-{n}", "kind": "composite", "needs": "any", "severity": "info",
         "of": [f"c{layer + 1}-{m}" for m in range(16)] if layer < 7 else ["a"]}
        for layer in range(8) for n in range(16)
    ]  # fmt: skip
    assert rules_with(high("a", 1.0), *layers).depths["c0-0"] == 8
