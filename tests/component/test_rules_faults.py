"""Faults of rules: no record is refused for one, no other rule suffers, and no partition is left without rules."""

from dataclasses import fields
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from alerts.engine.rule_set_in_force import rule_set_in_force
from alerts.engine.rules_core import RulesCore, decode_state, encode_state
from alerts.engine.rules_state import RULES_KEY, RulesInForce
from alerts.lifecycle.evaluation import Evaluation
from alerts.notify.directive_requests import build_rule_set, directive_event, withdraw_rule_set
from alerts.rules.kinds.threshold import ThresholdRule
from alerts.rules.memory import RuleMemory
from alerts.rules.ruleset import Rules, rules_of
from streams.assess.assess_core import AssessCore
from streams.contracts.alert import AlertChanged, AlertState
from streams.contracts.assessments import Fact, RiskAssessed
from streams.contracts.codec import encode_event
from streams.contracts.directive import DirectiveGiven
from streams.contracts.records import Segment
from streams.runtime.stage_ports import Admitted, InMemoryStateStore, Outcome
from tests.support.rule_road import (
    T0,
    RuleRoad,
    alerts_in,
    as_item,
    measure,
    price,
    rule_set,
    rules_from,
    rules_with,
)
from tests.support.stores import recovered

CASES = Path(__file__).parents[1] / "cases" / "rules"
MINUTE = timedelta(minutes=1)
HIGH: dict[str, Any] = {"kind": "threshold", "on": "price", "fact": "last_amount", "above": 100.0}
UNFIT = {**HIGH, "id": "unfit", "severity": "critical", "annotations": {
    "summary": "{observations_count:number} seen", "resolved": "{observations_count:days} over"}}  # fmt: skip
HEALTHY = {**HIGH, "id": "healthy", "severity": "warning", "annotations": {"summary": "{value:number}"}}


def quote(minute: int, amount: Fact, **facts: Fact) -> RiskAssessed:
    return RiskAssessed(
        material="gallium", aspect="price", at=T0 + minute * MINUTE, facts={"last_amount": amount, **facts},
        causes=(f"q-{minute}",),
    )  # fmt: skip


class Partition:
    """A rules core with its state and everything it said."""

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self.store = InMemoryStateStore()
        self.core = RulesCore(partition=0, rules=rules, store=self.store)

    def process(self, *items: Any, at: Any = None) -> Outcome:
        return self.core.process(Admitted(position=0, items=[as_item(item, at=at) for item in items]))

    def take(self, *items: Any, at: Any = None) -> list[AlertChanged]:
        outcome = self.process(*items, at=at)
        assert not outcome.dead_letters, outcome.dead_letters
        return alerts_in(outcome.outputs)

    def restart(self) -> None:
        self.store = recovered(self.store, encode=encode_state, decode=decode_state)
        self.core = RulesCore(partition=0, rules=self.rules, store=self.store)


def told(changes: list[AlertChanged]) -> list[tuple[str, str, str]]:
    return sorted((change.rule, change.to_state.value, change.summary) for change in changes)


def test_a_text_whose_format_does_not_fit_is_told_with_the_value_as_it_is() -> None:
    """Firing and resolved; it was the state `error` and nobody was told, and a resolved text refused the record."""
    partition = Partition(rules_with(UNFIT, HEALTHY))
    fired = partition.take(quote(0, 150.0, observations_count="many"))
    assert told(fired) == [("healthy", "firing", "150"), ("unfit", "firing", "many seen")]
    over = partition.take(quote(1, 50.0, observations_count="many"))
    assert told(over) == [("healthy", "ok", "Resolved: 150"), ("unfit", "ok", "Resolved: many over")]
    assert partition.core.counts.errors["unfit"] >= 2
    assert partition.core.counts.errors["healthy"] == 0


class Stumbling(ThresholdRule):
    """A rule with a fault of its own."""

    def evaluate(self, *_: Any, **__: Any) -> Evaluation:
        """Fail in a way nobody thought of."""
        raise KeyError("nobody thought of this")


class Forgetful(ThresholdRule):
    """A rule that cannot take note."""

    keeps_memory = True

    def observe(self, *_: Any, **__: Any) -> RuleMemory | None:
        """Fail in a way nobody thought of."""
        raise TypeError("nobody thought of this")


@pytest.mark.parametrize("kind", [Stumbling, Forgetful])
def test_a_rule_that_fails_refuses_no_record_and_takes_no_other_with_it(kind: type[ThresholdRule]) -> None:
    """Its alert is in the state `error` at most; what other rules say of the same record is told."""
    rules = rules_with({**UNFIT, "id": "failing"}, HEALTHY)
    (failing, healthy) = rules.rules
    assert isinstance(failing, ThresholdRule)
    broken = kind(**{each.name: getattr(failing, each.name) for each in fields(failing)})
    partition = Partition(rules_of([broken, healthy]))
    changes = partition.take(quote(0, 150.0, observations_count=1.0))
    assert ("healthy", "firing", "150") in told(changes)
    states = {change.rule: change.to_state.value for change in changes}
    assert states["failing"] == ("error" if kind is Stumbling else "firing")
    assert partition.core.counts.errors["failing"] >= 1


def test_a_set_that_is_refused_leaves_the_rules_before_it_in_force_and_is_kept_with_its_reason() -> None:
    """Whoever applied it must see that it is not in force, and why."""
    partition = Partition(rules_with({**HEALTHY, "id": "shipped"}))
    partition.take(rule_set(HEALTHY), at=T0)
    refused = build_rule_set('{"groups": 1}', content_hash="x", by="eve")
    outcome = partition.process(refused, quote(5, 150.0), at=T0 + MINUTE)
    assert [letter.reason for letter in outcome.dead_letters] == ["out_of_range"]
    assert told(alerts_in(outcome.outputs)) == [("healthy", "firing", "150")]
    partition.restart()
    standing = rule_set_in_force(partition.store.get, partition.rules).standing
    assert (standing.source, standing.by, standing.rule_count) == ("applied", "ada", 1)
    assert standing.refused is not None
    assert (standing.refused.by, standing.refused.at) == ("eve", T0 + MINUTE)
    assert "groups" in standing.refused.reason
    assert partition.take(rule_set({**HEALTHY, "above": 120.0}), at=T0 + 2 * MINUTE) == []
    assert rule_set_in_force(partition.store.get, partition.rules).standing.refused is None


def forget_how_to_read(partition: Partition) -> None:
    """Let the set in force be one that this version refuses, as after an upgrade."""
    known = partition.store.get(RULES_KEY)
    assert isinstance(known, RulesInForce)
    partition.store.put(RULES_KEY, msgspec.structs.replace(known, text='{"groups": [{"name": "old", "rules": 1}]}'))


@pytest.mark.parametrize(("sets", "source"), [(1, "shipped"), (2, "previous")])
def test_an_applied_set_that_a_new_version_refuses_blocks_no_partition(sets: int, source: str) -> None:
    """The worker ended at every start, and no other set could reach it."""
    partition = Partition(rules_with({**HEALTHY, "id": "shipped"}))
    for number in range(sets):
        partition.take(rule_set({**HEALTHY, "id": f"set-{number}"}), at=T0 + number * MINUTE)
    forget_how_to_read(partition)
    partition.restart()
    standing = rule_set_in_force(partition.store.get, partition.rules).standing
    assert standing.source == source
    assert standing.refused is not None
    assert [change.rule for change in partition.take(quote(5, 150.0))] == ["shipped" if sets == 1 else "set-0"]
    mended: DirectiveGiven = rule_set(HEALTHY) if sets == 1 else withdraw_rule_set(by="ada")
    changes = partition.take(mended, at=T0 + 6 * MINUTE)
    assert ("healthy" if sets == 1 else "shipped", "firing", "150") in told(changes)
    partition.restart()
    standing = rule_set_in_force(partition.store.get, partition.rules).standing
    assert (standing.source, standing.refused) == ("applied" if sets == 1 else "shipped", None)


def test_an_applied_set_reaches_the_rules_through_assess() -> None:
    """A directive is rewritten on its way; a fault there dead-lettered every rule set and nobody saw it."""
    assess = AssessCore(partition=0, partitions=1, store=InMemoryStateStore())
    event = directive_event(rule_set(HEALTHY), at=T0)
    at = int((T0 + MINUTE).timestamp() * 1000)
    raw = msgspec.Raw(encode_event(event))
    segment = Segment(topic="directives", partition=0, offset=0, indexes=[0], events=[raw], at=at)
    outcome = assess.process(Admitted(position=0, segments=[segment], now=T0 + MINUTE))
    assert not outcome.dead_letters
    partition = Partition(rules_with({**HEALTHY, "id": "shipped"}))
    items = [msgspec.Raw(output) for output in outcome.outputs]
    refused = partition.core.process(Admitted(position=0, items=items, now=T0 + MINUTE)).dead_letters
    assert refused == []
    assert rule_set_in_force(partition.store.get, partition.rules).standing.source == "applied"
    assert [change.rule for change in partition.take(quote(2, 150.0))] == ["healthy"]


@pytest.mark.parametrize("name", ["poison", "poison2"])
def test_a_set_whose_texts_cannot_be_rendered_refuses_no_record_and_its_other_rules_go_on(name: str) -> None:
    """It was accepted at load, refused each record at its end, and ended the worker again and again."""
    road = RuleRoad(rules_from((CASES / f"{name}.yaml").read_text()))
    road.take(measure(T0), price(T0, 150.0))
    road.take(measure(T0 + MINUTE, state="lapsed_unconfirmed"), price(T0 + MINUTE, 50.0), T0 + 9 * MINUTE)
    ended = {change.rule for change in road.changes() if change.to_state is AlertState.OK}
    fired = {change.rule for change in road.changes() if change.to_state is AlertState.FIRING}
    assert {"poison", "healthy"} <= ended if name == "poison" else {"healthy"} <= ended
    assert fired >= ({"poison", "healthy"} if name == "poison" else {"healthy", "healthy-measure"})
