"""Cuts into records and kills anywhere, also within one instant, change nothing: not the log, not the state."""

from datetime import datetime, timedelta
from typing import TypeAlias

from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.engine.rules_core import encode_state
from alerts.rules.ruleset import Rules
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


def state_of(road: RuleRoad) -> dict[bytes, bytes]:
    """The whole state, in its bytes."""
    return {key: encode_state(value) for key, value in road.store.items()}


QUIET = {**WAITS, "id": "quiet", "kind": "absence", "on": "source", "severity": "warning", "after": "4h",
         "annotations": {"summary": "{source} {data}", "resolved": "{source} {data}"}}  # fmt: skip
TOLD_APART = {"id": "made-up", "kind": "threshold", "on": "source", "when": "synthetic", "severity": "info",
              "max_age": "9h"}  # fmt: skip
HEARD = {"id": "heard", "kind": "sequence", "on": "source", "first": "synthetic", "then": "!synthetic", "within": "5h",
         "severity": "info"}  # fmt: skip
OVER_SOURCES = {"id": "over", "kind": "composite", "of": ["quiet", "made-up"], "needs": "any", "by": ["material"],
                "severity": "info"}  # fmt: skip
AMONG_SOURCES = {**HEARD, "id": "among-sources", "by": ["material"], "within": "3h"}
ANSWERED = {"id": "answered", "kind": "sequence", "on": "price", "first": 'basis == "a"', "then_on": "source",
            "then": "!synthetic", "by": ["material"], "within": "5h", "severity": "info"}  # fmt: skip
SPOKEN = (QUIET, TOLD_APART, HEARD, AMONG_SOURCES, ANSWERED)
SOURCES = rules_with(*SPOKEN, OVER_SOURCES)
SOURCES_LIMITED = rules_with(*({**rule, "limit": 1} for rule in SPOKEN), OVER_SOURCES)


@st.composite
def spoken(draw: st.DrawFn) -> Log:
    """Give instants in which series of two materials are heard of from two sources."""
    log: Log = []
    at = T0
    series = st.tuples(st.sampled_from(MATERIALS[:2]), st.sampled_from("abc"))
    words = st.tuples(st.sets(st.sampled_from(["one", "two"]), min_size=1), st.booleans())
    for hours in draw(st.lists(st.integers(1, 6), min_size=1, max_size=8)):
        at += timedelta(hours=hours)
        heard = draw(st.dictionaries(series, words, max_size=5))
        log.append([
            RiskAssessed(material=material, aspect="price", at=at, labels={"basis": basis},
                         sources=tuple(sorted(sources)), facts={"last_amount": 1.0}, synthetic=synthetic,
                         causes=(f"{basis}-{material}-{at.isoformat()}",))
            for (material, basis), (sources, synthetic) in sorted(heard.items())
        ])  # fmt: skip
    return log


TOGETHER = {**UNANSWERED, "id": "together", "resolve_after": "20h",
            "annotations": {"summary": "{material} {basis} {awaited_since}", "resolved": "{material}"}}  # fmt: skip
OCCASIONS = {**TOGETHER, **WAITS, "id": "occasions", "occasion": ["observations_count"], "within": "7h"}
AMONG = {"id": "among", "kind": "sequence", "on": "price", "first": "last_amount > 200.0", "then": "last_amount < 60.0",
         "by": ["material"], "within": "3h", "severity": "critical"}  # fmt: skip
OVER_GROUPS = {"id": "over", "kind": "composite", "of": ["together", "among"], "needs": "any", "by": ["material"],
               "severity": "info"}  # fmt: skip
GROUPS = rules_with(TOGETHER, OCCASIONS, AMONG, OVER_GROUPS)
GROUPS_LIMITED = rules_with(*({**rule, "limit": 1} for rule in (TOGETHER, OCCASIONS, AMONG)), OVER_GROUPS)


@st.composite
def grouped(draw: st.DrawFn) -> Log:
    """Give instants in which up to three series of a material ask and answer, and two flows of trade answer too."""
    log: Log = []
    at = T0
    price = st.tuples(st.sampled_from(MATERIALS[:2]), st.sampled_from("abc"))
    asked = st.tuples(st.sampled_from([50.0, 120.0, 250.0, 300.0, None]), st.sampled_from([1.0, 2.0]))
    flow = st.tuples(st.sampled_from(MATERIALS[:2]), st.sampled_from(["exports", "imports"]))
    for hours in draw(st.lists(st.integers(1, 6), min_size=1, max_size=8)):
        at += timedelta(hours=hours)
        prices = draw(st.dictionaries(price, asked, max_size=4))
        flows = draw(st.dictionaries(flow, RATIOS, max_size=2))
        log.append([
            *(RiskAssessed(material=m, aspect="price", at=at, labels={"basis": b}, causes=(f"{b}-{m}-{at}",),
                           facts={"last_amount": amount, "observations_count": count})
              for (m, b), (amount, count) in prices.items()),
            *(RiskAssessed(material=m, aspect="trade", at=at, labels={"flow": f}, causes=(f"{f}-{m}-{at}",),
                           facts={"to_trailing_median_ratio": ratio})
              for (m, f), ratio in flows.items()),
        ])  # fmt: skip
    return log


DRAWN = st.one_of(
    st.tuples(grouped(), st.sampled_from([GROUPS, GROUPS_LIMITED])),
    st.tuples(spoken(), st.sampled_from([SOURCES, SOURCES_LIMITED])),
    st.tuples(instants(), st.sampled_from([RULES, LIMITED])),
)


@settings(max_examples=150, deadline=None)
@given(DRAWN, st.data())
def test_a_kill_anywhere_within_an_instant_says_the_same(drawn: tuple[Log, Rules], data: st.DataObject) -> None:
    """What is not decided yet is in the state."""
    log, rules = drawn
    items = [item for instant in log for item in instant]
    killed_after = data.draw(st.sets(st.integers(0, len(items)), max_size=4))
    whole, killed = RuleRoad(rules), RuleRoad(rules)
    for n, item in enumerate([*items, T0 + timedelta(days=9)]):
        if n in killed_after:
            killed.restart()
        whole.take(item)
        killed.take(item)
    assert killed.outputs == whole.outputs
    assert state_of(killed) == state_of(whole)


@settings(max_examples=150, deadline=None)
@given(DRAWN)
def test_the_evaluation_cache_changes_nothing(drawn: tuple[Log, Rules]) -> None:
    """A skipped evaluation is one that would have left its alert as it is, for every kind of rule."""
    log, rules = drawn
    cached, evaluated = RuleRoad(rules), RuleRoad(rules, cached=False)
    for item in [*(item for instant in log for item in instant), T0 + timedelta(days=9)]:
        cached.take(item)
        evaluated.take(item)
    assert cached.outputs == evaluated.outputs
    assert state_of(cached) == state_of(evaluated)


@settings(max_examples=150, deadline=None)
@given(DRAWN)
def test_one_record_says_what_many_say(drawn: tuple[Log, Rules]) -> None:
    """How the log was cut into records leaves no trace; every event is decided on by itself."""
    log, rules = drawn
    items = [item for instant in log for item in instant]
    one, many = RuleRoad(rules), RuleRoad(rules)
    one.take(*items, T0 + timedelta(days=9))
    for item in [*items, T0 + timedelta(days=9)]:
        many.take(item)
    assert one.outputs == many.outputs
    assert state_of(one) == state_of(many)
