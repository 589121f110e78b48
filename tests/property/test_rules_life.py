"""Properties of the life of an alert over drawn price histories with gaps."""

import itertools
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from streams.contracts.alert import AlertState
from tests.support.rule_road import T0, RuleRoad, price, threshold_rules

LADDER = [{"value": 100, "severity": "warning"}, {"value": 200, "severity": "critical"}]
RULES = threshold_rules(
    above=LADDER, severity=None, keep_firing_for="20m", resolve_when="last_amount < 90.0", **{"for": "10m"}
)
FOR, KEEP = timedelta(minutes=10), timedelta(minutes=20)
AMOUNTS = st.sampled_from([50.0, 95.0, 150.0, 250.0, None])
HISTORIES = st.lists(st.tuples(st.integers(1, 15), AMOUNTS), min_size=1, max_size=25)


def walk(history: list[tuple[int, float | None]], *, quiet: timedelta = timedelta(0)) -> RuleRoad:
    road, at = RuleRoad(RULES), T0
    for minutes, amount in history:
        at += timedelta(minutes=minutes)
        road.take(price(at, amount))
    road.take(at + quiet)
    return road


@settings(max_examples=150, deadline=None)
@given(HISTORIES)
def test_it_never_fires_before_for_and_never_ends_before_keep_firing_for(
    history: list[tuple[int, float | None]],
) -> None:
    """The two waits are promises about time, whatever the observations do."""
    changes = walk(history, quiet=timedelta(days=1)).changes()
    for before, after in itertools.pairwise(changes):
        assert before.to_state is after.from_state
        if (after.from_state, after.to_state) == (AlertState.PENDING, AlertState.FIRING):
            assert after.at - before.at >= FOR
        if after.to_state is AlertState.OK and after.from_state is AlertState.CLEARING:
            assert after.at - before.at >= KEEP
        assert (after.from_state, after.to_state) != (AlertState.FIRING, AlertState.OK)


@settings(max_examples=150, deadline=None)
@given(HISTORIES)
def test_after_unknown_facts_no_passing_of_time_fires_resolves_or_steps_down(
    history: list[tuple[int, float | None]],
) -> None:
    """A gap is neither good nor bad (promise 4)."""
    road = walk([*history, (1, None)])
    assert road.take(T0 + timedelta(days=300)) == []


@settings(max_examples=80, deadline=None)
@given(HISTORIES)
def test_a_restart_after_the_last_observation_changes_nothing(history: list[tuple[int, float | None]]) -> None:
    """Timers are in the state, not in the process."""
    whole, cut = walk(history), walk(history)
    cut.restart()
    assert whole.take(T0 + timedelta(days=300)) == cut.take(T0 + timedelta(days=300))
