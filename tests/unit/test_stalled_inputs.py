"""The alert about an input that time goes on without: one, from one partition, and its end when the input is back."""

from datetime import timedelta

import pytest

from alerts.engine.rules_core import RulesCore, decode_state, encode_state
from streams.contracts.alert import AlertState
from streams.runtime.stage_ports import Admitted, InMemoryStateStore
from tests.support.rule_road import T0, alerts_in, rules_with, threshold_rules
from tests.support.stores import recovered

SECOND = timedelta(seconds=1)


def test_it_is_told_once_by_one_partition_survives_a_restart_and_ends_with_the_return() -> None:
    """Operators must see that time goes on without something, and when that is over."""
    store = InMemoryStateStore()
    changes = []
    for n, stalled in enumerate([(), ("price.v1/3",), ("price.v1/3",), ("price.v1/3", "policy.v1/0"), ()]):
        store = recovered(store, encode=encode_state, decode=decode_state)
        core = RulesCore(partition=0, rules=threshold_rules(), store=store)
        outcome = core.process(Admitted(position=n, now=T0 + n * SECOND, stalled=stalled))
        changes += [(c.labels["input"], c.to_state, c.at - T0) for c in alerts_in(outcome.outputs)]
    assert changes == [
        ("price.v1/3", AlertState.FIRING, SECOND), ("policy.v1/0", AlertState.FIRING, 3 * SECOND),
        ("policy.v1/0", AlertState.OK, 4 * SECOND), ("price.v1/3", AlertState.OK, 4 * SECOND),
    ]  # fmt: skip


def test_other_partitions_say_nothing_of_it() -> None:
    """Each sees the same statements; four alerts about one input would be three too many."""
    core = RulesCore(partition=1, rules=threshold_rules(), store=InMemoryStateStore())
    assert not core.process(Admitted(position=0, now=T0, stalled=("price.v1/3",))).outputs


def test_no_rule_may_take_its_name() -> None:
    """Its alerts would be mixed with those of the rule."""
    with pytest.raises(ValueError, match="Monazite tells itself"):
        rules_with({"id": "input-stalled", "kind": "absence", "on": "price", "after": "5h", "severity": "warning"})
