"""The order of what happens within one instant changes nothing: not the log, not the state."""

from datetime import datetime, timedelta
from typing import Any, TypeAlias

from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.adapters.rules import encode_state
from alerts.lifecycle.evaluation import Alert
from streams.contracts.alert import AlertChanged
from streams.contracts.assessments import Fact, MeasureAssessed, RiskAssessed
from tests.support.rule_road import T0, RuleRoad, measure, rules_with

WAITS = {"for": "2h", "keep_firing_for": "3h"}
LEVEL = {"id": "level", "kind": "threshold", "on": "price", "fact": "last_amount", "resolve_when": "last_amount < 90.0",
         "above": [{"value": 100, "severity": "warning"}, {"value": 200, "severity": "critical"}]}  # fmt: skip
WAITING = {**LEVEL, **WAITS, "id": "waiting", "flap": {"times": 2, "within": "9h"}, "missing": "keep", "max_age": "8h"}
MOVE = {"id": "move", "kind": "change", "on": "price", "fact": "last_amount", "over": 2, "above": 0.2,
        "severity": "info", "missing": "alert"}  # fmt: skip
SILENT = {"id": "silent", "kind": "absence", "on": "price", "after": "5h", "severity": "warning"}
FEWER = {"id": "fewer", "kind": "threshold", "on": "trade", "fact": "to_trailing_median_ratio", "below": 0.5,
         "severity": "warning"}  # fmt: skip
UNANSWERED = {"id": "unanswered", "kind": "sequence", "on": "price", "first": "last_amount > 200.0", "then_on": "trade",
              "then": "to_trailing_median_ratio < 0.5", "by": ["material"], "within": "4h",
              "severity": "warning"}  # fmt: skip
ENDS = {"id": "ends", "kind": "deadline", "on": "measure", "date": "legal_end",
        "ladder": [{"before": "1d", "severity": "info"}, {"before": "0d", "severity": "critical"}],
        "passed": {"severity": "critical", "repeat": "1d", "when": 'state == "lapsed_unconfirmed"'}}  # fmt: skip
BOTH = {"id": "both", "kind": "composite", "of": ["level", "move"], "needs": "all", "severity": "critical"}
SHARED = {"id": "shared", "kind": "composite", "of": ["waiting", "fewer"], "needs": "any", "by": ["material"],
          "severity": "warning", **WAITS}  # fmt: skip
ABOVE = {"id": "above", "kind": "composite", "of": ["shared", "fewer", "unanswered", "silent"], "by": ["material"],
         "needs": [{"count": 1, "severity": "info"}, {"count": 3, "severity": "critical"}]}  # fmt: skip
RULES = rules_with(LEVEL, WAITING, MOVE, SILENT, FEWER, UNANSWERED, ENDS, BOTH, SHARED, ABOVE)
LIMITED = rules_with(
    {**LEVEL, "limit": 1}, {**WAITING, "limit": 1}, {**MOVE, "limit": 1}, {**FEWER, "limit": 1}, {**SILENT, "limit": 2},
    {**UNANSWERED, "limit": 1}, {**BOTH, "limit": 1}, {**SHARED, "limit": 1}, ABOVE,
)  # fmt: skip

Item: TypeAlias = RiskAssessed | MeasureAssessed | datetime
Log: TypeAlias = list[list[Item]]
MATERIALS = ("dysprosium", "gallium", "yttrium")
AMOUNTS = st.sampled_from([50.0, 95.0, 120.0, 150.0, 250.0, None])
RATIOS = st.sampled_from([0.2, 0.9, None])
STATES = st.sampled_from(["suspended", "lapsed_unconfirmed", "in_force"])


def _assessed(aspect: str, material: str, at: datetime, fact: str, value: Fact) -> RiskAssessed:
    cause = f"{aspect}-{material}-{at.isoformat()}"
    return RiskAssessed(
        material=material, aspect=aspect, at=at, labels={}, facts={fact: value}, causes=(cause,)  # type: ignore[arg-type]
    )  # fmt: skip


@st.composite
def instants(draw: st.DrawFn) -> Log:
    """Give what happens instant by instant: each entity is heard of at most once in each."""
    log: Log = []
    at = T0
    for hours in draw(st.lists(st.integers(1, 6), min_size=1, max_size=10)):
        at += timedelta(hours=hours)
        prices = draw(st.dictionaries(st.sampled_from(MATERIALS), AMOUNTS, max_size=3))
        trades = draw(st.dictionaries(st.sampled_from(MATERIALS[:2]), RATIOS, max_size=2))
        states = draw(st.dictionaries(st.sampled_from(["CN-1", "CN-2"]), STATES, max_size=2))
        ends = draw(st.integers(0, 3))
        log.append([
            *(_assessed("price", m, at, "last_amount", a) for m, a in prices.items()),
            *(_assessed("trade", m, at, "to_trailing_median_ratio", r) for m, r in trades.items()),
            *(measure(at, state=s, measure=m, legal_end=(T0 + timedelta(days=ends)).date(), cause=m)
              for m, s in states.items()),
            *([at] if draw(st.booleans()) else []),
        ])  # fmt: skip
    return log


def walked(log: Log, rules: Any) -> RuleRoad:
    road = RuleRoad(rules)
    for instant in log:
        for item in instant:
            road.take(item)
    road.take(T0 + timedelta(hours=6 * len(log), days=3))
    return road


def by_instant(road: RuleRoad) -> list[AlertChanged]:
    """The log with the changes of one instant in order of rule and fingerprint, as a backtest gives it."""
    return sorted(road.changes(), key=lambda c: (c.at, c.rule, c.fingerprint))


def state_of(road: RuleRoad) -> dict[bytes, bytes]:
    """The whole state, but for blank alerts of rules that read time: an answer in the instant of its question leaves
    one or none, and both mean that nothing is awaited."""
    return {
        key: encode_state(value)
        for key, value in road.store.items()
        if not (isinstance(value, Alert) and value.rule in {"ends", "silent", "unanswered"} and _is_blank(value))
    }


def _is_blank(alert: Alert) -> bool:
    return alert == Alert(fingerprint=alert.fingerprint, rule=alert.rule, labels=alert.labels)


@settings(max_examples=60, deadline=None)
@given(instants(), st.data())
def test_the_order_within_an_instant_changes_neither_the_log_nor_the_state(log: Log, data: st.DataObject) -> None:
    """Events of one instant have no order in the world; what stands first in the log is chance."""
    shuffled = [list(data.draw(st.permutations(instant))) for instant in log]
    one, other = walked(log, RULES), walked(shuffled, RULES)
    assert by_instant(one) == by_instant(other)
    assert state_of(one) == state_of(other)


@settings(max_examples=60, deadline=None)
@given(instants(), st.data())
def test_over_a_limit_the_order_within_an_instant_changes_neither_the_log_nor_the_state(
    log: Log, data: st.DataObject
) -> None:
    """Who is told of those that compete for a limit is decided once, when the instant is over."""
    shuffled = [list(data.draw(st.permutations(instant))) for instant in log]
    one, other = walked(log, LIMITED), walked(shuffled, LIMITED)
    assert by_instant(one) == by_instant(other)
    assert state_of(one) == state_of(other)


def _shown(change: AlertChanged) -> tuple[Any, ...]:
    return (change.rule, change.to_state, change.severity, change.step, change.values)


SOURCES = rules_with({**WAITS, "id": "quiet", "kind": "absence", "on": "source", "severity": "warning", "after": "4h"})


@st.composite
def spoken(draw: st.DrawFn) -> Log:
    """Give instants in which series of one material are heard of from two sources."""
    log: Log = []
    at = T0
    for hours in draw(st.lists(st.integers(1, 6), min_size=1, max_size=8)):
        at += timedelta(hours=hours)
        heard = draw(st.sets(st.tuples(st.sampled_from("abc"), st.sampled_from(["one", "two"])), max_size=4))
        log.append([
            RiskAssessed(material="gallium", aspect="price", at=at, labels={"basis": basis}, sources=(source,),
                         facts={"last_amount": 1.0}, causes=(f"{basis}-{source}-{at.isoformat()}",))
            for basis, source in sorted(heard)
        ])  # fmt: skip
    return log


@settings(max_examples=60, deadline=None)
@given(spoken(), st.data())
def test_the_order_within_an_instant_does_not_change_when_a_source_is_silent(log: Log, data: st.DataObject) -> None:
    """Several series share the alert of their source: only which of them is named as the cause is chance."""
    shuffled = [list(data.draw(st.permutations(instant))) for instant in log]
    one, other = by_instant(walked(log, SOURCES)), by_instant(walked(shuffled, SOURCES))
    assert [_told(c) for c in one] == [_told(c) for c in other]


def _told(change: AlertChanged) -> tuple[Any, ...]:
    return (change.at, change.labels, change.from_state, change.reason, change.occasion, *_shown(change))
