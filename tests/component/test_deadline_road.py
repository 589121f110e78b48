"""Legal ends from the event to the alert: assess and rules in line, over every odd day of the calendar."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from alerts.backtest import backtest
from alerts.rules.ruleset import Rules
from streams.contracts.alert import AlertChanged
from streams.contracts.events import Event
from tests.support.legal import T0, act, claim
from tests.support.rule_road import rules_with

NEW_YORK, SHANGHAI = "America/New_York", "Asia/Shanghai"


def ladder(*before: str) -> Rules:
    return rules_with({
        "id": "ladder", "kind": "deadline", "on": "measure", "date": "legal_end",
        "where": 'state in ["suspended", "lapsed_unconfirmed"]',
        "ladder": [{"before": each, "severity": "warning"} for each in before],
        "passed": {"severity": "critical", "repeat": "1d", "when": 'state == "lapsed_unconfirmed"'},
    })  # fmt: skip


def recorded(day: date) -> int:
    """Count the days from T0 at which something is recorded."""
    return (datetime.combine(day, T0.timetz()) - T0).days


def suspended(ends_at: str, *, zone: str, since: date, name: str = "s", **fields: Any) -> list[Event]:
    """Impose a measure and suspend it until an end, both recorded on one day."""
    day = recorded(since)
    return [
        act("i", measure="M-1", action="impose", day=day, zone=zone, effective_at=since.isoformat()),
        act(name, measure="S-1", action="suspend", amends=("M-1",), day=day + 1, zone=zone, ends_at=ends_at, **fields),
    ]


def log_of(events: list[Event], rules: Rules, *, until: datetime) -> list[AlertChanged]:
    return [c for c in backtest(events, until=until, rules=rules) if c.labels["measure"] == "M-1"]


def steps(events: list[Event], rules: Rules, *, until: datetime) -> list[tuple[str | None, datetime]]:
    return [(c.step, c.at) for c in log_of(events, rules, until=until)]


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("ends_at", "zone", "before", "expected"),
    [
        pytest.param(
            "2026-11-09", NEW_YORK, ("14d", "7d", "0d"),
            [("14d", "2026-10-26T04:00"), ("7d", "2026-11-02T05:00"), ("0d", "2026-11-09T05:00"),
             ("passed", "2026-11-10T05:00"), ("passed", "2026-11-11T05:00")],
            id="New York leaves daylight saving",
        ),
        pytest.param(
            "2026-03-10", NEW_YORK, ("3d", "1d", "0d"),
            [("3d", "2026-03-07T05:00"), ("1d", "2026-03-09T04:00"), ("0d", "2026-03-10T04:00"),
             ("passed", "2026-03-11T04:00"), ("passed", "2026-03-12T04:00")],
            id="New York enters daylight saving",
        ),
        pytest.param(
            "2026-11-01", NEW_YORK, ("0d",),
            [("0d", "2026-11-01T04:00"), ("passed", "2026-11-02T05:00"), ("passed", "2026-11-03T05:00")],
            id="the last day has 25 hours",
        ),
        pytest.param(
            "2026-03-08", NEW_YORK, ("0d",),
            [("0d", "2026-03-08T05:00"), ("passed", "2026-03-09T04:00"), ("passed", "2026-03-10T04:00")],
            id="the last day has 23 hours",
        ),
        pytest.param(
            "2026-10-31", NEW_YORK, ("0d",),
            [("0d", "2026-10-31T04:00"), ("passed", "2026-11-01T04:00"), ("passed", "2026-11-02T05:00")],
            id="repeats across the change",
        ),
        pytest.param(
            "2028-02-29", SHANGHAI, ("1d", "0d"),
            [("1d", "2028-02-27T16:00"), ("0d", "2028-02-28T16:00"), ("passed", "2028-02-29T16:00"),
             ("passed", "2028-03-01T16:00")],
            id="the end is a leap day",
        ),
        pytest.param(
            "2028-03-01", SHANGHAI, ("1d", "0d"),
            [("1d", "2028-02-28T16:00"), ("0d", "2028-02-29T16:00"), ("passed", "2028-03-01T16:00"),
             ("passed", "2028-03-02T16:00")],
            id="a step is a leap day",
        ),
        pytest.param(
            "2027-03-01", SHANGHAI, ("1d", "0d"),
            [("1d", "2027-02-27T16:00"), ("0d", "2027-02-28T16:00"), ("passed", "2027-03-01T16:00"),
             ("passed", "2027-03-02T16:00")],
            id="no leap year",
        ),
        pytest.param(
            "2026-12-31", NEW_YORK, ("0d",),
            [("0d", "2026-12-31T05:00"), ("passed", "2027-01-01T05:00"), ("passed", "2027-01-02T05:00")],
            id="the end is the last day of the year",
        ),
        pytest.param(
            "2027-01-10", SHANGHAI, ("30d", "0d"),
            [("30d", "2026-12-10T16:00"), ("0d", "2027-01-09T16:00"), ("passed", "2027-01-10T16:00"),
             ("passed", "2027-01-11T16:00")],
            id="the ladder crosses the year end",
        ),
        pytest.param(
            "2026-02-27", SHANGHAI, ("5bd", "0d"),
            # back from the 27th: 26, 25, 24, then Spring Festival from the 15th to the 23rd, Saturday 14 is worked, 13
            [("5bd", "2026-02-12T16:00"), ("0d", "2026-02-26T16:00"), ("passed", "2026-02-27T16:00"),
             ("passed", "2026-02-28T16:00")],
            id="Spring Festival, and the Saturday worked before it",
        ),
        pytest.param(
            "2026-03-02", SHANGHAI, ("2bd", "1bd"),
            # Saturday 28 February is worked for Spring Festival, Sunday 1 March is not
            [("2bd", "2026-02-26T16:00"), ("1bd", "2026-02-27T16:00"), ("passed", "2026-03-02T16:00"),
             ("passed", "2026-03-03T16:00")],
            id="a make-up working day at a weekend counts",
        ),
    ],
)  # fmt: skip
def test_the_ladder_of_an_end_over_odd_days(
    ends_at: str, zone: str, before: tuple[str, ...], expected: list[tuple[str, str]]
) -> None:
    """A step on the wrong day is a filing missed; every instant is midnight on the wall of the measure's zone."""
    since = date.fromisoformat(ends_at) - timedelta(days=50)
    at = [(step, utc(instant)) for step, instant in expected]
    events = suspended(ends_at, zone=zone, since=since, ends_inclusive=True)
    assert steps(events, ladder(*before), until=at[-1][1]) == at
    assert steps(events, ladder(*before), until=at[-1][1] - timedelta(seconds=1)) == at[:-1]


@pytest.mark.parametrize(
    ("ends_at", "inclusive", "last_day_at", "lapse_at"),
    [
        ("2026-11-10", True, "2026-11-09T16:00", "2026-11-10T16:00"),
        ("2026-11-10", None, "2026-11-09T16:00", "2026-11-10T16:00"),
        ("2026-11-10", False, "2026-11-08T16:00", "2026-11-09T16:00"),
        ("2026-11-10T13:01", None, "2026-11-09T16:00", "2026-11-10T05:01"),
        ("2026-11-10T00:00", True, "2026-11-08T16:00", "2026-11-09T16:00"),
    ],
    ids=["inclusive", "not said", "exclusive", "to the minute", "midnight begins the day after"],
)
def test_an_end_inclusive_exclusive_and_to_the_minute(
    ends_at: str, inclusive: bool | None, last_day_at: str, lapse_at: str
) -> None:
    """'Until' has two readings, and a day between them."""
    events = suspended(ends_at, zone=SHANGHAI, since=date(2026, 9, 1), ends_inclusive=inclusive)
    assert steps(events, ladder("0d"), until=utc(lapse_at)) == [("0d", utc(last_day_at)), ("passed", utc(lapse_at))]


def moved(**fields: Any) -> list[AlertChanged]:
    """Suspend until 31 March, in a ladder of 30 and 7 days, and on 10 March let another act follow."""
    before = suspended("2026-03-31", zone=SHANGHAI, since=date(2026, 1, 10), ends_inclusive=True)
    after = act("e", **{"measure": "S-1", "day": recorded(date(2026, 3, 10)), "zone": SHANGHAI, **fields})
    return log_of([*before, after], ladder("30d", "7d"), until=datetime(2026, 3, 20, tzinfo=UTC))


FIRED = ("30d", utc("2026-02-28T16:00"))
MOVED_AT = datetime(2026, 3, 10, tzinfo=UTC)


def test_an_end_that_moves_earlier_steps_up_at_once_and_passes_earlier() -> None:
    """The days that count are those to the new end."""
    changes = moved(action="extend", ends_at="2026-03-16", ends_inclusive=True)
    assert [(c.step, c.at) for c in changes[:3]] == [FIRED, ("7d", MOVED_AT), ("passed", utc("2026-03-16T16:00"))]
    assert [c.occasion for c in changes[:2]] == ["legal_end 2026-03-31", "legal_end 2026-03-16"]


def test_an_end_that_moves_later_is_told_and_out_of_the_ladder_it_resolves() -> None:
    """One alert goes on or ends; there is never a second one beside it."""
    within = moved(action="extend", ends_at="2026-04-05", ends_inclusive=True)
    assert [(c.step, c.at, c.occasion) for c in within] == [
        (*FIRED, "legal_end 2026-03-31"), ("30d", MOVED_AT, "legal_end 2026-04-05"),
    ]  # fmt: skip
    beyond = moved(action="extend", ends_at="2027-03-31", ends_inclusive=True)
    assert [(c.to_state.value, c.at) for c in beyond] == [("firing", FIRED[1]), ("ok", MOVED_AT)]
    assert len({c.fingerprint for c in (*within, *beyond)}) == 1


@pytest.mark.parametrize(
    "fields",
    [{"action": "repeal"}, {"action": "impose", "measure": "M-1", "effective_at": "2026-03-10"}],
    ids=["the suspension is repealed", "the measure is imposed again"],
)
def test_an_end_that_is_withdrawn_resolves_and_never_passes(fields: dict[str, Any]) -> None:
    """Without an end there is nothing to count down to."""
    assert [(c.to_state.value, c.at) for c in moved(**fields)] == [("firing", FIRED[1]), ("ok", MOVED_AT)]


def test_an_end_confirmed_twice_is_told_once() -> None:
    """Another instrument, and another one, that name the same end are no news."""
    again = moved(action="extend", ends_at="2026-03-31", ends_inclusive=True)
    assert [(c.step, c.at) for c in again] == [FIRED]
    before = suspended("2026-03-31", zone=SHANGHAI, since=date(2026, 1, 10), ends_inclusive=True)
    confirmed = [
        act(
            f"c{n}",
            measure="S-1",
            action="extend",
            ends_at="2026-03-31",
            ends_inclusive=True,
            zone=SHANGHAI,
            day=70 + n,
        )
        for n in range(2)
    ]
    told = steps([*before, *confirmed], ladder("30d", "7d"), until=utc("2026-03-31T16:00"))
    assert told == [FIRED, ("7d", utc("2026-03-23T16:00")), ("passed", utc("2026-03-31T16:00"))]


def test_a_claimed_end_moves_no_step() -> None:
    """A statement has no legal force, whether it is earlier or later than the end."""
    events = suspended("2026-03-31", zone=SHANGHAI, since=date(2026, 1, 10), ends_inclusive=True)
    claims = [claim(f"c{n}", claim_id=f"C-{n}", about=("M-1",), day=65, claimed_end_at=day)
              for n, day in enumerate(["2026-03-12", "2027-01-10"])]  # fmt: skip
    until = utc("2026-03-31T16:00")
    expected = [FIRED, ("7d", utc("2026-03-23T16:00")), ("passed", until)]
    assert steps([*events, *claims], ladder("30d", "7d"), until=until) == expected
