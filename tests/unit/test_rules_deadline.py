"""Rule kind `deadline`: the ladder, moved and withdrawn ends, "passed and nothing followed", zones and calendars."""

from datetime import UTC, date, datetime, timedelta

import msgspec
import pytest

from alerts.notify.directive_requests import build_acknowledgement
from alerts.rules.durations import parse_lead
from alerts.rules.kinds.deadline import repeats, step_instant
from streams.contracts.alert import AlertState
from tests.support.rule_road import LADDER, RuleRoad, measure, rules_from

T0 = datetime(2026, 1, 1, tzinfo=UTC)
END = date(2026, 3, 31)
LAPSE = datetime(2026, 3, 31, 16, tzinfo=UTC)
SHANGHAI_30 = datetime(2026, 2, 28, 16, tzinfo=UTC)
SHANGHAI_7 = datetime(2026, 3, 23, 16, tzinfo=UTC)
SHANGHAI_0 = datetime(2026, 3, 30, 16, tzinfo=UTC)


def road() -> RuleRoad:
    return RuleRoad(rules_from(LADDER))


def lapsed(**fields: object) -> msgspec.Struct:
    return measure(LAPSE, state="lapsed_unconfirmed", cause="e1", **fields)  # type: ignore[arg-type]


def test_each_step_of_the_ladder_begins_at_local_midnight_and_moves_one_alert_up() -> None:
    """The alert is one per rule and measure: people follow a thread, not a pile."""
    it = road()
    it.take(measure(T0))
    it.take(LAPSE - timedelta(seconds=1))
    assert [(c.at, c.step, c.severity) for c in it.changes()] == [
        (SHANGHAI_30, "30d", "info"),
        (SHANGHAI_7, "7d", "warning"),
        (SHANGHAI_0, "0d", "critical"),
    ]
    assert len({c.fingerprint for c in it.changes()}) == 1
    assert [c.values["days_left"] for c in it.changes()] == [30.0, 7.0, 0.0]


def test_an_end_learned_of_late_begins_at_its_present_step() -> None:
    """Steps that were over before anybody knew are not news."""
    it = road()
    (change,) = it.take(measure(datetime(2026, 3, 27, tzinfo=UTC)))
    assert (change.step, change.at) == ("7d", datetime(2026, 3, 27, tzinfo=UTC))


def test_a_passed_end_repeats_daily_at_local_midnight_while_nothing_follows() -> None:
    """Silence after the end is the case this product exists for."""
    it = road()
    it.take(measure(SHANGHAI_0))
    it.take(lapsed())  # type: ignore[arg-type]
    it.take(LAPSE + timedelta(days=3))
    passed = [c for c in it.changes() if c.step == "passed"]
    assert [c.at for c in passed] == [LAPSE + timedelta(days=n) for n in range(4)]
    assert len({c.alert for c in passed}) == 4
    assert {c.from_state for c in passed} == {AlertState.FIRING}


def test_an_acknowledgement_stops_the_repeats_and_its_withdrawal_starts_them_again() -> None:
    """Somebody has taken it; the next change of the alert itself is told all the same."""
    it = road()
    it.take(measure(SHANGHAI_0))
    (first,) = it.take(lapsed())  # type: ignore[arg-type]
    given = build_acknowledgement(first.fingerprint, by="ada")
    it.direct(given, at=LAPSE + timedelta(hours=1))
    assert it.take(LAPSE + timedelta(days=5)) == []
    back_at = LAPSE + timedelta(days=5, hours=1)
    assert [c.at for c in it.direct(msgspec.structs.replace(given, withdrawn=True), at=back_at)] == [back_at]
    assert [c.at for c in it.take(LAPSE + timedelta(days=6))] == [LAPSE + timedelta(days=6)]
    (over,) = it.take(measure(LAPSE + timedelta(days=6, hours=1), state="in_force"))
    assert over.to_state is AlertState.OK


def test_repeats_go_on_after_an_acknowledgement_taken_back_whatever_fell_due_meanwhile() -> None:
    """Seen: one that fell due under the acknowledgement was told, and all later ones were lost until a restart."""
    it = road()
    it.take(measure(SHANGHAI_0))
    (first,) = it.take(lapsed())  # type: ignore[arg-type]
    given = build_acknowledgement(first.fingerprint, by="ada")
    it.direct(given, at=LAPSE + timedelta(hours=1))
    assert it.take(LAPSE + timedelta(hours=39)) == []
    (late,) = it.direct(msgspec.structs.replace(given, withdrawn=True), at=LAPSE + timedelta(hours=40))
    assert (late.reason, late.at) == ("repeated", LAPSE + timedelta(hours=40))
    days = [LAPSE + timedelta(days=n) for n in (2, 3, 4)]
    assert [c.at for c in it.take(LAPSE + timedelta(days=4, hours=1))] == days


def test_an_extension_that_leaves_the_ladder_resolves_the_alert() -> None:
    """The suspension goes on: what fired about its old end is over, and says what the end is now."""
    it = road()
    it.take(measure(SHANGHAI_7))
    (over,) = it.take(measure(SHANGHAI_7 + timedelta(hours=1), legal_end=date(2027, 3, 31), cause="e2"))
    assert (over.from_state, over.to_state, over.severity) == (AlertState.FIRING, AlertState.OK, None)
    assert "2027-03-31" in over.summary
    assert over.causes == ("e2",)
    assert it.take(datetime(2027, 3, 1, 16, tzinfo=UTC))[0].step == "30d"


def test_an_end_moved_later_within_the_ladder_steps_down_at_once() -> None:
    """A lower step is good news about the same alert, not a new one."""
    it = road()
    it.take(measure(SHANGHAI_0))
    (change,) = it.take(measure(SHANGHAI_0 + timedelta(hours=1), legal_end=date(2026, 4, 20), cause="e2"))
    assert (change.step, change.severity, change.to_state) == ("30d", "info", AlertState.FIRING)


def test_an_end_moved_earlier_steps_up_at_once() -> None:
    """Waiting for the next step would lose the days that count."""
    it = road()
    it.take(measure(SHANGHAI_30))
    (change,) = it.take(measure(SHANGHAI_30 + timedelta(hours=1), legal_end=date(2026, 3, 5), cause="e2"))
    assert change.step == "7d"


def test_an_end_moved_within_one_step_is_told() -> None:
    """The step is the same, the day is not."""
    it = road()
    it.take(measure(SHANGHAI_30))
    (change,) = it.take(measure(SHANGHAI_30 + timedelta(hours=1), legal_end=date(2026, 3, 29), cause="e2"))
    assert (change.step, change.occasion) == ("30d", "legal_end 2026-03-29")


def test_an_end_confirmed_twice_changes_nothing() -> None:
    """The same end by another event is no news."""
    it = road()
    it.take(measure(SHANGHAI_30))
    assert it.take(measure(SHANGHAI_30 + timedelta(hours=1), cause="e2")) == []


def test_a_withdrawn_end_resolves() -> None:
    """An instrument that takes the end away leaves nothing to count down to."""
    it = road()
    it.take(measure(SHANGHAI_30))
    (over,) = it.take(measure(SHANGHAI_30 + timedelta(hours=1), legal_end=None))
    assert over.to_state is AlertState.OK


def test_a_claimed_end_does_not_move_the_ladder() -> None:
    """A statement has no legal force (docs/domain.md 5)."""
    it = road()
    it.take(measure(SHANGHAI_30))
    assert it.take(measure(SHANGHAI_30 + timedelta(hours=1), claimed=[date(2027, 1, 10)])) == []
    assert [c.at for c in it.take(SHANGHAI_7)] == [SHANGHAI_7]


@pytest.mark.parametrize(
    ("day", "lead", "zone", "instant"),
    [
        (date(2028, 3, 1), "1d", "Asia/Shanghai", datetime(2028, 2, 28, 16, tzinfo=UTC)),
        (date(2027, 1, 10), "30d", "Asia/Shanghai", datetime(2026, 12, 10, 16, tzinfo=UTC)),
        (date(2026, 11, 9), "7d", "America/New_York", datetime(2026, 11, 2, 5, tzinfo=UTC)),
        (date(2026, 11, 9), "14d", "America/New_York", datetime(2026, 10, 26, 4, tzinfo=UTC)),
        (date(2026, 3, 10), "3d", "America/New_York", datetime(2026, 3, 7, 5, tzinfo=UTC)),
        (date(2026, 3, 10), "1d", "America/New_York", datetime(2026, 3, 9, 4, tzinfo=UTC)),
    ],
    ids=["leap day", "year end", "after the autumn change", "before it", "before the spring change", "after it"],
)
def test_a_step_is_local_midnight_over_leap_days_year_ends_and_daylight_saving(
    day: date, lead: str, zone: str, instant: datetime
) -> None:
    """A step an hour off is on the wrong day for somebody."""
    assert step_instant(parse_lead(lead), day=day, zone=zone) == instant


def test_working_days_skip_spring_festival_and_count_make_up_days() -> None:
    """45 working days are no factor of 1.4 (docs/domain.md 5): National Day week lies before this end."""
    begins = step_instant(parse_lead("45bd"), day=date(2026, 11, 10), zone="Asia/Shanghai")
    # 69 days, as docs/domain.md 5 counts: local midnight of 2 September
    assert begins == datetime(2026, 9, 1, 16, tzinfo=UTC)


def test_daily_repeats_stay_at_midnight_across_daylight_saving() -> None:
    """Repeats of a New York deadline follow the wall clock: 04:00 UTC in summer, 05:00 in winter."""
    over_at = datetime(2026, 10, 31, 4, tzinfo=UTC)
    assert repeats(over_at, every=timedelta(days=1), zone="America/New_York", at=over_at)[1].hour == 4
    count, following = repeats(
        over_at, every=timedelta(days=1), zone="America/New_York", at=datetime(2026, 11, 2, 5, tzinfo=UTC)
    )
    assert (count, following) == (2, datetime(2026, 11, 3, 5, tzinfo=UTC))


def test_before_an_assessment_says_that_it_lapsed_the_last_step_holds() -> None:
    """Only assess says what became of a measure; the rule does not guess from the date."""
    it = road()
    it.take(measure(SHANGHAI_0))
    assert it.take(LAPSE + timedelta(hours=1)) == []
