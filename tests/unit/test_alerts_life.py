"""The life of an alert: `for`, `keep_firing_for`, hysteresis, ladders, news, and gaps that resolve nothing."""

from datetime import timedelta
from pathlib import Path

from alerts.lifecycle.alert_transitions import ROWS_OF, TRANSITIONS, Guard, mermaid
from alerts.lifecycle.evaluation import Verdict
from streams.contracts.alert import AlertState
from tests.support.rule_road import T0, RuleRoad, measure, price, rules_from, threshold_rules

MINUTE = timedelta(minutes=1)
LADDER = [{"value": 100, "severity": "warning"}, {"value": 200, "severity": "critical"}]


def states(road: RuleRoad) -> list[tuple[str, str]]:
    return [(c.from_state.value, c.to_state.value) for c in road.changes()]


def test_every_state_and_verdict_has_rows_that_end_with_one_that_always_holds() -> None:
    """A state machine with a hole ends the worker on the day the hole is met."""
    assert set(ROWS_OF) == {(s, v) for s in AlertState for v in Verdict}
    for rows in ROWS_OF.values():
        assert rows
        assert rows[-1].guard is Guard.ALWAYS
        assert all(r.guard is not Guard.ALWAYS for r in rows[:-1])


def test_no_row_leads_from_unknown_facts_to_ok() -> None:
    """A gap never resolves an alert (promise 4)."""
    assert not [r for r in TRANSITIONS if r.verdict is Verdict.UNKNOWN and r.to is AlertState.OK]


def test_firing_ends_only_for_facts_that_say_so_or_news_that_is_old() -> None:
    """An alert that ends by itself hides what it was about."""
    ends = [r for r in TRANSITIONS if r.state is AlertState.FIRING and r.to is AlertState.OK]
    assert all(r.verdict is Verdict.CLEAR or r.guard is Guard.EXPIRED for r in ends)


def test_the_diagram_names_every_state() -> None:
    """The README's picture is drawn from the table."""
    assert all(state.value in mermaid() for state in AlertState)
    readme = Path(__file__).resolve().parents[2] / "alerts" / "README.md"
    assert f"```mermaid\n{mermaid()}\n```" in readme.read_text()


def test_without_for_it_fires_at_once_and_resolves_at_once() -> None:
    """The plain rule."""
    road = RuleRoad(threshold_rules())
    road.take(price(T0, 99.0), price(T0 + MINUTE, 101.0), price(T0 + 2 * MINUTE, 100.0))
    assert states(road) == [("ok", "firing"), ("firing", "ok")]
    fired, over = road.changes()
    assert fired.values == {"last_amount": 101.0}
    assert fired.thresholds == {"last_amount": 100.0}
    assert over.values == {"last_amount": 100.0}


def test_with_for_it_fires_when_the_time_is_over_at_that_instant() -> None:
    """The instant is that of the event time, however late the tick comes."""
    road = RuleRoad(threshold_rules(**{"for": "10m"}))
    road.take(price(T0, 101.0))
    road.take(T0 + timedelta(hours=3))
    assert [(c.to_state, c.at) for c in road.changes()] == [
        (AlertState.PENDING, T0),
        (AlertState.FIRING, T0 + 10 * MINUTE),
    ]


def test_a_condition_that_does_not_last_never_fires() -> None:
    """That is what `for` is for."""
    road = RuleRoad(threshold_rules(**{"for": "10m"}))
    road.take(price(T0, 101.0), price(T0 + 9 * MINUTE, 99.0), price(T0 + 11 * MINUTE, 101.0), T0 + 20 * MINUTE)
    assert states(road) == [("ok", "pending"), ("pending", "ok"), ("ok", "pending")]


def test_a_gap_while_pending_ends_the_waiting_without_firing() -> None:
    """Facts that are gone cannot have held for all of `for`."""
    road = RuleRoad(threshold_rules(**{"for": "10m"}))
    road.take(price(T0, 101.0), price(T0 + MINUTE, None), T0 + 60 * MINUTE)
    assert states(road) == [("ok", "pending"), ("pending", "no_data")]


def test_a_gap_keeps_a_firing_alert_firing() -> None:
    """Unknown is a state of its own; it is neither good nor bad."""
    road = RuleRoad(threshold_rules(resolve_after="10d"))
    road.take(price(T0, 101.0), price(T0 + MINUTE, None), T0 + timedelta(days=9))
    assert states(road) == [("ok", "firing")]


def test_a_gap_while_clearing_goes_back_to_firing_and_time_alone_does_not_end_it() -> None:
    """What was clearing is not known to be clear any more."""
    road = RuleRoad(threshold_rules(keep_firing_for="10m"))
    road.take(price(T0, 101.0), price(T0 + MINUTE, 99.0), price(T0 + 2 * MINUTE, None), T0 + timedelta(days=9))
    assert states(road) == [("ok", "firing"), ("firing", "clearing"), ("clearing", "firing")]


def test_keep_firing_for_holds_the_end_back() -> None:
    """A price that dips for a moment is one alert."""
    road = RuleRoad(threshold_rules(keep_firing_for="10m"))
    road.take(price(T0, 101.0), price(T0 + MINUTE, 99.0), price(T0 + 5 * MINUTE, 101.0), price(T0 + 6 * MINUTE, 99.0))
    road.take(T0 + 60 * MINUTE)
    assert [c.to_state.value for c in road.changes()] == ["firing", "clearing", "firing", "clearing", "ok"]
    assert road.changes()[-1].at == T0 + 16 * MINUTE


def test_resolve_when_makes_a_band_in_which_it_keeps_firing() -> None:
    """Hysteresis: around the limit it would flap."""
    road = RuleRoad(threshold_rules(resolve_when="last_amount < 90.0"))
    road.take(price(T0, 101.0), price(T0 + MINUTE, 95.0), price(T0 + 2 * MINUTE, 89.0), price(T0 + 3 * MINUTE, 95.0))
    assert states(road) == [("ok", "firing"), ("firing", "ok")]


def test_a_ladder_steps_up_at_once_and_down_after_the_delay() -> None:
    """Worse is told at once, better when it has lasted."""
    road = RuleRoad(threshold_rules(above=LADDER, severity=None, keep_firing_for="10m"))
    road.take(price(T0, 150.0), price(T0 + MINUTE, 250.0), price(T0 + 2 * MINUTE, 150.0))
    assert [c.severity for c in road.changes()] == ["warning", "critical"]
    road.take(T0 + 60 * MINUTE)
    assert (road.changes()[-1].severity, road.changes()[-1].at) == ("warning", T0 + 12 * MINUTE)


def test_what_is_met_again_on_a_lower_step_while_clearing_steps_down_by_time_alone() -> None:
    """Without another event it would stay critical for as long as none comes: a month, for customs figures."""
    road = RuleRoad(threshold_rules(above=LADDER, severity=None, keep_firing_for="20m"))
    road.take(price(T0, 250.0), price(T0 + MINUTE, 50.0), price(T0 + 2 * MINUTE, 150.0), T0 + timedelta(days=1))
    assert [(c.to_state.value, c.severity, c.reason, c.at) for c in road.changes()][2:] == [
        ("firing", "critical", "waiting_to_step_down", T0 + 2 * MINUTE),
        ("firing", "warning", "stepped_down", T0 + 22 * MINUTE),
    ]  # fmt: skip


def test_a_gap_while_waiting_to_step_down_keeps_the_higher_step() -> None:
    """A gap is no improvement either."""
    road = RuleRoad(threshold_rules(above=LADDER, severity=None, keep_firing_for="10m"))
    road.take(price(T0, 250.0), price(T0 + MINUTE, 150.0), price(T0 + 2 * MINUTE, None), T0 + timedelta(days=9))
    assert [c.severity for c in road.changes()] == ["critical"]


def test_a_fact_that_was_never_known_is_no_change() -> None:
    """The first thirty observations of every series have no change over thirty; that is no news."""
    road = RuleRoad(threshold_rules())
    assert road.take(price(T0, None)) == []
    assert road.take(price(T0 + MINUTE, 1.0), price(T0 + 2 * MINUTE, None))[0].to_state is AlertState.NO_DATA


NEWS = """
groups:
- name: test
  rules:
  - id: imposed
    kind: threshold
    on: measure
    when: state == "in_force" && previous_state != "in_force"
    resolve_when: state != "in_force"
    resolve_after: 14d
    severity: critical
    occasion: [effective_on]
    annotations: {summary: "{measure} {state}"}
"""


def test_news_stays_through_other_assessments_and_ages_out() -> None:
    """A claim about a measure an hour later must not close the news that it is in force."""
    road = RuleRoad(rules_from(NEWS))
    road.take(measure(T0, state="in_force", legal_end=None, previous_state="announced"))
    assert road.take(measure(T0 + MINUTE, state="in_force", legal_end=None, previous_state="in_force")) == []
    (over,) = road.take(T0 + timedelta(days=30))
    assert (over.to_state, over.at) == (AlertState.OK, T0 + timedelta(days=14))
    assert "old news" in over.summary


def test_news_ends_when_the_control_does() -> None:
    """A suspended control is no control in force."""
    road = RuleRoad(rules_from(NEWS))
    road.take(measure(T0, state="in_force", legal_end=None, previous_state="announced"))
    (over,) = road.take(measure(T0 + MINUTE, state="suspended", previous_state="in_force"))
    assert over.to_state is AlertState.OK
