"""Rule kind `absence`: per source and per entity, each with its own rhythm, in event time."""

from datetime import timedelta
from typing import Any

import pytest

from alerts.rules.loader import RuleFileError
from streams.contracts.alert import AlertState
from tests.support.rule_road import T0, RuleRoad, measure, price, rules_with

DAY = timedelta(days=1)


def silent(**fields: Any) -> dict[str, Any]:
    rule = {"id": "silent", "kind": "absence", "on": "price", "after": "10d", "severity": "warning",
            "annotations": {"summary": "{material} {silent_days} days since {last_heard_at}"}, **fields}  # fmt: skip
    return {name: value for name, value in rule.items() if value is not None}


def test_it_fires_when_the_silence_is_too_long_at_that_instant_and_ends_when_heard_again() -> None:
    """The instant is one of event time, however late the tick comes."""
    road = RuleRoad(rules_with(silent()))
    road.take(price(T0, 1.0))
    assert road.take(T0 + 10 * DAY - timedelta(seconds=1)) == []
    (fired,) = road.take(T0 + 30 * DAY)
    assert (fired.at, fired.to_state, fired.values["silent_days"]) == (T0 + 10 * DAY, AlertState.FIRING, 10.0)
    (over,) = road.take(price(T0 + 31 * DAY, 1.0))
    assert over.to_state is AlertState.OK


def test_a_gap_in_ticks_does_not_fire_when_the_next_event_came_in_time() -> None:
    """While the road stood still nothing was silent: the log says what came, and when."""
    road = RuleRoad(rules_with(silent()))
    road.take(price(T0, 1.0))
    assert road.take(price(T0 + 9 * DAY, 1.0)) == []
    assert road.take(T0 + 18 * DAY) == []


def test_each_series_is_watched_by_itself() -> None:
    """One that goes on must not hide one that stopped."""
    road = RuleRoad(rules_with(silent()))
    road.take(price(T0, 1.0))
    road.take(price(T0, 1.0).__class__(material="yttrium", aspect="price", at=T0, facts={"last_amount": 1.0}))
    road.take(price(T0 + 9 * DAY, 1.0))
    assert [c.labels["material"] for c in road.take(T0 + 11 * DAY)] == ["yttrium"]


def test_a_ladder_of_silences_steps_up() -> None:
    """A week late is a nuisance, a month late is blindness."""
    steps = [{"value": "10d", "severity": "warning"}, {"value": "30d", "severity": "critical"}]
    road = RuleRoad(rules_with(silent(after=steps, severity=None)))
    road.take(price(T0, 1.0), T0 + 50 * DAY)
    assert [(c.at, c.severity) for c in road.changes()] == [
        (T0 + 10 * DAY, "warning"),
        (T0 + 30 * DAY, "critical"),
    ]


def test_a_rhythm_is_learned_from_the_entity_itself() -> None:
    """A monthly series is not late after ten days, a daily one is not given more than `after`."""
    road = RuleRoad(rules_with(silent(learn={"times": 2, "gaps": 4})))
    for n in range(5):
        road.take(price(T0 + n * 30 * DAY, 1.0))
    last = T0 + 120 * DAY
    before = len(road.changes())
    assert road.take(last + 59 * DAY) == []
    assert [c.at for c in road.take(last + 61 * DAY)] == [last + 60 * DAY]
    assert before == 6  # until three gaps were known, `after` held: fired and resolved three times


def test_a_source_is_watched_by_what_it_speaks_of_and_has_its_own_rhythm() -> None:
    """The one that publishes yearly is not late after ten days."""
    rule = silent(on="source", rhythms={"USGS": "400d"}, annotations={"summary": "{source} {aspect} {silent_days}"})
    road = RuleRoad(rules_with(rule))
    road.take(price(T0, 1.0, sources=("SMM",)), price(T0, 1.0, sources=("USGS", "SMM")))
    changes = road.take(T0 + 500 * DAY)
    assert [(c.labels["source"], c.at) for c in changes] == [("SMM", T0 + 10 * DAY), ("USGS", T0 + 400 * DAY)]
    assert changes[0].labels == {"source": "SMM", "aspect": "price", "material": "dysprosium"}
    assert road.take(price(T0 + 501 * DAY, 1.0, sources=("SMM",)))[0].to_state is AlertState.OK


def test_what_where_leaves_out_is_not_watched() -> None:
    """A measure that was repealed has nothing more to say."""
    rule = silent(on="measure", where='state == "suspended"', annotations={"summary": "{measure}"})
    road = RuleRoad(rules_with(rule))
    road.take(measure(T0))
    assert len(road.take(T0 + 11 * DAY)) == 1
    assert [c.to_state for c in road.take(measure(T0 + 12 * DAY, state="repealed"))] == [AlertState.OK]
    assert road.take(T0 + 99 * DAY) == []


def test_a_restart_keeps_who_was_heard_when() -> None:
    """Kill and replay at any event gives the same log."""
    road = RuleRoad(rules_with(silent()))
    road.take(price(T0, 1.0))
    road.restart()
    assert [c.at for c in road.take(T0 + 11 * DAY)] == [T0 + 10 * DAY]


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"after": "0d"}, "over zero"),
        ({"after": [{"value": "30d", "severity": "info"}, {"value": "10d", "severity": "info"}], "severity": None},
         "shortest silence"),
        ({"severity": None}, "give `severity`"),
        ({"rhythms": {"USGS": "400d"}}, "on: source"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused_at_load(fields: dict[str, Any], says: str) -> None:
    """The writer hears of it before the night it matters."""
    with pytest.raises(RuleFileError, match=says):
        rules_with(silent(**fields))


@pytest.mark.parametrize("restarted", [False, True])
def test_a_step_up_at_the_instant_at_which_the_news_is_old_still_lets_it_end(*, restarted: bool) -> None:
    """One instant is both the end of the second silence and the age of the first; it must not be lost in between."""
    road = RuleRoad(rules_with(silent(
        after=[{"value": "30d", "severity": "info"}, {"value": "60d", "severity": "warning"}], severity=None,
        resolve_after="30d",
    )))  # fmt: skip
    road.take(price(T0, 1.0))
    for number in range(1, 100):
        road.take(T0 + number * DAY)
        if restarted and number == 80:
            road.restart()
    assert [(c.at, c.to_state.value, c.reason) for c in road.changes()] == [
        (T0 + 30 * DAY, "firing", "condition_met"), (T0 + 60 * DAY, "firing", "stepped_up"),
        (T0 + 60 * DAY, "ok", "news_aged"),
    ]  # fmt: skip
