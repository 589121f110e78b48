"""The oracle of the chaos runs sees what differs; an oracle that cannot fail proves nothing."""

from datetime import timedelta
from typing import Any

from tests.chaos.comparison import compare
from tests.chaos.explanation import MOVED, SAME_INSTANT, UNPAIRED
from tests.chaos.faults import soak_plan
from tests.support.measures import T0, alert_changed

UNTIL = T0 + timedelta(hours=1)


def test_equal_logs_in_another_order_are_equal() -> None:
    """Partitions are read in any order."""
    log = [alert_changed(f"f{n}") for n in range(3)]
    made = compare(log, reversed(log), until=UNTIL)
    assert (made.equal, made.differing(single_input=True), made.doubled) == (3, 0, 0)


def test_a_change_on_one_road_alone_differs() -> None:
    """Lost on one road, or too many on the other: both count."""
    both, lost, extra = alert_changed("both"), alert_changed("lost"), alert_changed("extra")
    made = compare([both, lost], [both, extra], until=UNTIL)
    count = made.rules["deferral-end"]
    assert (count.equal, count.only_first, count.only_second) == (1, 1, 1)
    assert made.differing(single_input=True) == 2
    assert {row["alert"] for row in made.differences} == {lost.alert, extra.alert}


def test_another_instant_severity_or_text_under_the_same_id_differs() -> None:
    """The id alone does not make two changes equal."""
    one = alert_changed()
    other: dict[str, Any] = {"at": T0 + timedelta(milliseconds=1), "severity": "info", "summary": "other"}
    for field, value in other.items():
        made = compare([one], [alert_changed(**{field: value})], until=UNTIL)
        assert made.rules["deferral-end"].fields == {field: 1}


def test_what_comes_after_the_end_is_left_out_and_what_comes_twice_is_counted() -> None:
    """One road may be ahead of the other when the logs are read."""
    late = alert_changed("late", at=UNTIL + timedelta(seconds=1))
    one = alert_changed()
    made = compare([one, alert_changed(), late], [one], until=UNTIL)
    assert (made.first_count, made.doubled, made.differing(single_input=True)) == (1, 1, 0)


def test_differences_are_put_in_pairs() -> None:
    """The same change at another instant, the same instant under another id, and what has no partner."""
    first = [alert_changed(alert="a1"), alert_changed("moved", alert="m1"), alert_changed("alone", alert="x")]
    second = [alert_changed(alert="a2"), alert_changed("moved", alert="m2", at=T0 + timedelta(seconds=2))]
    made = compare(first, second, until=UNTIL)
    assert made.rules["deferral-end"].explained == {SAME_INSTANT: 1, MOVED: 1, UNPAIRED: 1}


def test_a_soak_has_every_fault_and_is_the_same_for_a_seed() -> None:
    """A run that failed can be run again."""
    plans = [[(step.at, step.what) for step in soak_plan(seed=seed, seconds=480, count=22)] for seed in (7, 7, 8)]
    assert plans[0] == plans[1] != plans[2]
    begun = [what for _, what in plans[0] if what.split()[0] in ("kill", "stop", "join", "empty")]
    assert len(begun) == 22
    assert {"kill intake", "kill scoring", "kill alerts", "kill broker", "stop broker", "join intake-2",
            "empty Redis"} <= set(begun)  # fmt: skip
    assert plans[0][-1][0] < 520
