"""What is skipped because it can change nothing changes nothing: over drawn rules, facts and logs."""

from datetime import timedelta
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.engine.evaluation_cache import dependencies_of, verdict_around
from alerts.lifecycle.evaluation import Alert
from alerts.rules.kinds.threshold import ThresholdRule
from alerts.rules.loader import shipped_rules
from streams.contracts.alert import AlertState
from streams.contracts.assessments import RiskAssessed
from tests.support.rule_road import T0, RuleRoad, as_item, price, rules_with

ON_PRICE: dict[str, Any] = {"kind": "threshold", "on": "price", "severity": "warning"}
LADDER = {
    **ON_PRICE, "id": "ladder", "fact": "last_amount", "severity": None, "resolve_when": "last_amount < 80.0",
    "above": [{"value": 100, "severity": "warning", "resolve": 90}, {"value": 200, "severity": "critical"}],
}  # fmt: skip
WHERE = {**ON_PRICE, "id": "where", "fact": "last_amount", "below": 90, "where": "assessor < assessor_gap_with"}
WHEN = {**ON_PRICE, "id": "when", "when": "thin == true || 2.0 * volatility_ratio > 1.0", "keep_firing_for": "10m"}
FLIPPED = {**ON_PRICE, "id": "flipped", "when": "100.0 < last_amount && !(volatility_ratio <= 0.5)", "for": "5m"}
NEWS = {**ON_PRICE, "id": "news", "fact": "last_amount", "above": 100, "occasion": ["reference_period"], "limit": 1,
        "resolve_after": "30m"}  # fmt: skip
AGED = {**ON_PRICE, "id": "aged", "fact": "volatility_ratio", "above": 0.5, "max_age": "25m", "missing": "keep"}
MISSING = {**ON_PRICE, "id": "missing", "fact": "volatility_ratio", "above": 0.5, "missing": "alert",
           "missing_severity": "info"}  # fmt: skip
SHOWN = {**ON_PRICE, "id": "shown", "when": "last_amount > 100.0 && synthetic == false"}
RULES = rules_with(*({k: v for k, v in rule.items() if v is not None}
                     for rule in (LADDER, WHERE, WHEN, FLIPPED, NEWS, AGED, MISSING, SHOWN)))  # fmt: skip
THRESHOLDS = [r for rules in (RULES, shipped_rules()) for r in rules.rules if isinstance(r, ThresholdRule)]

AMOUNTS = st.sampled_from([None, 70.0, 80.0, 85.0, 90.0, 95.0, 100.0, 101.0, 150.0, 200.0, 250.0])
FACTS = st.fixed_dictionaries(
    {}, optional={
        "last_amount": AMOUNTS, "volatility_ratio": st.sampled_from([None, 0.1, 0.5, 0.6, 1.0, "much"]),
        "thin": st.sampled_from([None, True, False]), "assessor_gap_with": st.sampled_from([None, "A", "Z"]),
        "assessor": st.sampled_from([None, "A", "Z"]),
        "reference_period": st.sampled_from([None, "2026-01", "2026-02"]),
    },
)  # fmt: skip
SERIES = st.sampled_from([{"basis": "FOB", "assessor": "M"}, {"basis": "CIF"}, {"assessor": "M", "basis": "FOB"}])
ASSESSMENTS = st.builds(
    lambda facts, labels, synthetic: msgspec.structs.replace(
        price(T0, None), facts=facts, labels=labels, synthetic=synthetic
    ),
    FACTS, SERIES, st.booleans(),
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 12), ASSESSMENTS), min_size=1, max_size=40))
def test_a_core_that_remembers_what_is_calm_says_what_one_says_that_remembers_nothing(
    drawn: list[tuple[int, RiskAssessed]],
) -> None:
    """The core made anew from its state before each assessment evaluates every rule; the log and state are the same."""
    lasting, forgetful = RuleRoad(RULES), RuleRoad(RULES)
    at = T0
    for number, (minutes, drawn_one) in enumerate(drawn):
        at += timedelta(minutes=minutes)
        assessed = msgspec.structs.replace(drawn_one, at=at, causes=(f"q{number}",))
        lasting.take(assessed)
        forgetful.restart()
        forgetful.take(assessed)
        assert lasting.outputs == forgetful.outputs
    assert dict(lasting.store.items()) == dict(forgetful.store.items())


def facts_near(rule: ThresholdRule) -> st.SearchStrategy[dict[str, Any]]:
    """Draw the facts a rule reads: its own limits, what lies beside them, and values of no expected type."""
    found = dependencies_of(rule)
    assert found is not None
    reads = found.firing
    odd = st.sampled_from([None, True, False, 0, 1, "x", "", float("nan"), float("inf")])
    drawn = {}
    for name in {*reads.limits, *reads.values}:
        limits = reads.limits.get(name, ())
        numbers = [step for limit in limits for step in (limit - 0.01, limit, limit + 0.01)]
        drawn[name] = st.one_of(odd, st.floats(-2, 300), st.sampled_from(numbers or [0.5]))
    return st.fixed_dictionaries({}, optional=drawn)


@settings(max_examples=400, deadline=None)
@given(st.data(), st.sampled_from([r for r in THRESHOLDS if dependencies_of(r) is not None]))
def test_within_the_calm_around_an_assessment_a_rule_says_the_same(data: st.DataObject, rule: ThresholdRule) -> None:
    """Verdict, level and occasion are all that decides whether an alert moves."""
    reads = dependencies_of(rule)
    assert reads is not None
    first, second = (
        RiskAssessed(material="dysprosium", aspect="price", at=T0, facts=data.draw(facts_near(rule))) for _ in range(2)
    )
    move_one: bool = data.draw(st.booleans())
    if reads.firing.limits and move_one:  # most draws differ in some fact: let only a number move
        name = data.draw(st.sampled_from(sorted(reads.firing.limits)))
        moved = {**first.facts, name: data.draw(st.floats(-2, 300))}
        second = msgspec.structs.replace(first, facts=moved)
    levels = [step.level for step in rule.limits.steps] if rule.limits is not None else [rule.level]
    priors = [Alert(fingerprint="f", rule=rule.id, labels={}, state=AlertState.FIRING, level=le) for le in levels]
    for prior in (None, *priors):
        one, other = (rule.evaluate(assessed, at=T0, prior=prior) for assessed in (first, second))
        assert one.next_at is None
        if verdict_around(reads.dependencies(one, prior=prior), first).contains(second):
            assert (one.verdict, one.level, one.occasion) == (other.verdict, other.level, other.occasion)


def test_a_number_that_moves_between_two_limits_is_calm_and_one_that_reaches_a_limit_is_not() -> None:
    """The property above would hold of a calm that never holds."""
    (ladder,) = (rule for rule in RULES.rules if rule.id == "ladder")
    reads = dependencies_of(ladder)
    assert reads is not None
    assert reads.outside.limits == {}
    assert reads.idle.limits == {"last_amount": (100.0, 200.0)}
    assert reads.firing.limits == {"last_amount": (80.0, 90.0, 100.0, 200.0)}
    assert verdict_around(reads.idle, price(T0, 95.0)).contains(price(T0, 70.0))
    assert not verdict_around(reads.firing, price(T0, 95.0)).contains(price(T0, 70.0))
    calm = verdict_around(reads.firing, price(T0, 150.0))
    assert calm.contains(price(T0, 101.0))
    assert not calm.contains(price(T0, 100.0))
    assert not calm.contains(price(T0, 200.0))
    assert not calm.contains(price(T0, None))
    assert not calm.contains(price(T0, 150.0, synthetic=True))


def test_what_an_expression_does_more_with_than_compare_counts_as_it_is() -> None:
    """Only a fact that stands alone beside a number, as a whole term, is known by the interval it is in."""
    reads = {rule.id: dependencies_of(rule) for rule in RULES.rules}
    when, flipped = reads["when"], reads["flipped"]
    assert when is not None
    assert when.firing.limits == {}
    assert when.firing.values == {"thin", "volatility_ratio"}
    assert flipped is not None
    assert flipped.firing.limits == {"volatility_ratio": (0.5,)}
    assert flipped.firing.values == {"last_amount"}
    assert reads["aged"] is None


def test_rules_that_cannot_change_are_not_evaluated_again() -> None:
    """The count says what was evaluated, not what was met."""
    road = RuleRoad(rules_with({**ON_PRICE, "id": "plain", "fact": "last_amount", "above": 100}))
    counts = road.core.counts
    road.take(price(T0, 10.0))
    road.take(price(T0 + timedelta(seconds=1), 20.0))
    assert counts.evaluations_count == 2
    road.take(*(price(T0 + timedelta(seconds=n), 30.0 + n) for n in range(2, 60)))
    assert counts.evaluations_count == 2
    road.take(price(T0 + timedelta(seconds=60), 101.0))
    assert counts.evaluations_count == 3


def test_an_item_is_read_in_full_though_nothing_it_says_can_change_an_alert() -> None:
    """A broken assessment is a dead letter however calm its entity is."""
    road = RuleRoad(rules_with({**ON_PRICE, "id": "plain", "fact": "last_amount", "above": 100}))
    for n in range(4):
        road.take(price(T0 + timedelta(seconds=n), 10.0))
    item = bytes(as_item(price(T0 + timedelta(seconds=9), 10.0))).replace(b'"FOB China"', b"7")
    assert len(road.refused(item)) == 1
