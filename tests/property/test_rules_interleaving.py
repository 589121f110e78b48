"""Any order in which inputs are read tells the same alerts, timers and composites included (promise 1)."""

from datetime import datetime, timedelta
from typing import TypeAlias

from hypothesis import given, settings
from hypothesis import strategies as st

from streams.contracts.alert import AlertChanged
from streams.contracts.assessments import MeasureAssessed, RiskAssessed
from tests.property.test_rules_instant import BOTH, ENDS, FEWER, LEVEL, MOVE, SILENT, WAITING, WAITS
from tests.support.rule_road import T0, RuleRoad, measure, rules_with

ANY = {"id": "any", "kind": "composite", "of": ["waiting", "fewer"], "needs": "any", "by": ["material"],
       "severity": "warning", **WAITS}  # fmt: skip
ABOVE = {"id": "above", "kind": "composite", "of": ["any", "fewer", "silent"], "by": ["material"],
         "needs": [{"count": 1, "severity": "info"}, {"count": 3, "severity": "critical"}]}  # fmt: skip
RULES = rules_with(LEVEL, WAITING, MOVE, SILENT, FEWER, ENDS, BOTH, ANY, ABOVE)
END = T0 + timedelta(days=9)

Item: TypeAlias = RiskAssessed | MeasureAssessed
Inputs: TypeAlias = list[list[Item]]


def _price(at: datetime, material: str, amount: float | None) -> Item:
    return RiskAssessed(material=material, aspect="price", at=at, labels={}, facts={"last_amount": amount},
                        causes=(f"p-{material}-{at.isoformat()}",))  # fmt: skip


def _trade(at: datetime, material: str, ratio: float | None) -> Item:
    return RiskAssessed(material=material, aspect="trade", at=at, labels={},
                        facts={"to_trailing_median_ratio": ratio},
                        causes=(f"t-{material}-{at.isoformat()}",))  # fmt: skip


@st.composite
def inputs(draw: st.DrawFn) -> Inputs:
    """Give what three input partitions hold: prices, trade, and measures; no two events of one instant."""
    held: Inputs = [[], [], []]
    at = T0
    for minutes in draw(st.lists(st.integers(1, 300), min_size=1, max_size=18)):
        at += timedelta(minutes=minutes)
        place = draw(st.integers(0, 2))
        material = draw(st.sampled_from(["dysprosium", "gallium"]))
        if place == 0:
            held[0].append(_price(at, material, draw(st.sampled_from([50.0, 95.0, 120.0, 150.0, 250.0, None]))))
        elif place == 1:
            held[1].append(_trade(at, material, draw(st.sampled_from([0.2, 0.9, None]))))
        else:
            ends = T0 + timedelta(days=draw(st.integers(0, 3)))
            state = draw(st.sampled_from(["suspended", "lapsed_unconfirmed", "in_force"]))
            held[2].append(measure(at, state=state, measure="CN-1", legal_end=ends.date(), cause=at.isoformat()))
    return held


def _told(road: RuleRoad) -> list[AlertChanged]:
    return sorted(road.changes(), key=lambda c: (c.fingerprint, c.at, c.alert))


def _watermark(left: Inputs) -> datetime:
    """Everything before the first event that is not read yet was read."""
    return min([END, *(items[0].at - timedelta(milliseconds=1) for items in left if items)])


@settings(max_examples=200, deadline=None)
@given(inputs(), st.data())
def test_the_order_in_which_inputs_are_read_changes_no_alert(held: Inputs, data: st.DataObject) -> None:
    """One input read late, after a kill or a standstill, and its events are judged as if they had been read in time."""
    in_time = RuleRoad(RULES)
    for item in sorted((item for items in held for item in items), key=lambda item: item.at):
        in_time.take(item, watermark=item.at)
    in_time.take(watermark=END)
    left = [list(items) for items in held]
    other, watermark = RuleRoad(RULES), T0
    while any(left):
        items = data.draw(st.sampled_from([items for items in left if items]))
        count = data.draw(st.integers(1, min(3, len(items))))
        record, items[:count] = items[:count], []
        reached = _watermark(left)
        if data.draw(st.booleans()):  # a statement may come later than it could
            watermark = max(watermark, reached)
        if data.draw(st.integers(0, 4)) == 0:
            other.restart()
        other.take(*record, watermark=watermark)
    other.take(watermark=END)
    assert _told(other) == _told(in_time)
