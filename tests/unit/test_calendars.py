"""Legal dates and working days."""

from datetime import UTC, date, datetime

import pytest

from streams.contracts.calendars import CalendarReason, calendar, calendar_of, working_days_before
from streams.contracts.dates import days_left, lapse_instant, last_day, legal_day, legal_instant, local_day, noon_of


def test_45_working_days_before_the_end_of_announcement_70_are_69_days() -> None:
    """The number of docs/domain.md 5: holidays of the issuing country, not a factor of 1.4."""
    found = working_days_before(date(2026, 11, 10), count=45, country="CN")
    assert found.day == date(2026, 9, 2)
    assert (date(2026, 11, 10) - found.day).days == 69
    assert found.reason is CalendarReason.PUBLISHED


def test_a_make_up_working_day_at_a_weekend_counts() -> None:
    """China works on some Saturdays and Sundays in exchange for a longer holiday."""
    china = calendar("CN")
    assert china.is_working_day(date(2026, 10, 10))
    assert not china.is_working_day(date(2026, 10, 7))
    assert not china.is_working_day(date(2026, 10, 17))


def test_a_count_beyond_the_published_holidays_says_so() -> None:
    """The make-up days of a year are published in the November before; later counts are estimates."""
    found = working_days_before(date(2027, 1, 10), count=45, country="CN")
    assert found.reason is CalendarReason.BEYOND_DATA
    assert found.data_until == date(2026, 12, 31)


def test_the_first_day_after_the_data_is_still_counted_on_published_days() -> None:
    """The day itself is not counted, so a span that ends on the last published day rests on published days."""
    assert working_days_before(date(2027, 1, 1), count=5, country="CN").reason is CalendarReason.PUBLISHED


def test_the_united_states_have_their_own_holidays() -> None:
    """An end of a US rule is counted in federal working days."""
    found = working_days_before(date(2026, 11, 10), count=45, country="US")
    assert found.day == date(2026, 9, 4)
    assert found.reason is CalendarReason.PUBLISHED


@pytest.mark.parametrize("count", [-1, 401])
def test_an_impossible_count_is_refused(count: int) -> None:
    """A typing error must not loop for years."""
    with pytest.raises(ValueError, match="count must be"):
        working_days_before(date(2026, 1, 1), count=count, country="CN")


def test_no_working_days_before_a_day_is_the_day() -> None:
    """Zero is the neutral element of counting."""
    assert working_days_before(date(2026, 10, 4), count=0, country="CN").day == date(2026, 10, 4)


def test_working_days_between_are_half_open() -> None:
    """Start counted, end not: two neighbouring spans add up."""
    china = calendar("CN")
    assert china.working_days_between(date(2026, 11, 2), end=date(2026, 11, 9)) == 5
    assert china.working_days_between(date(2026, 11, 9), end=date(2026, 11, 2)) == 0


def test_a_zone_names_the_calendar_of_its_law() -> None:
    """Measures carry a zone; an unknown one has no calendar rather than a wrong one."""
    china = calendar_of("Asia/Shanghai")
    assert china is not None
    assert china.country == "CN"
    assert calendar_of("UTC") is None


@pytest.mark.parametrize(
    ("ends_at", "inclusive", "last", "lapse"),
    [
        ("2026-11-10", True, date(2026, 11, 10), datetime(2026, 11, 10, 16, tzinfo=UTC)),
        ("2026-11-10", None, date(2026, 11, 10), datetime(2026, 11, 10, 16, tzinfo=UTC)),
        ("2026-11-10", False, date(2026, 11, 9), datetime(2026, 11, 9, 16, tzinfo=UTC)),
        ("2026-11-10T13:01", None, date(2026, 11, 10), datetime(2026, 11, 10, 5, 1, tzinfo=UTC)),
        ("2026-11-10T00:00", True, date(2026, 11, 9), datetime(2026, 11, 9, 16, tzinfo=UTC)),
    ],
)
def test_until_has_a_last_day_and_a_lapse(ends_at: str, inclusive: bool | None, last: date, lapse: datetime) -> None:
    """Inclusive, exclusive, not said, and to the minute are four different ends."""
    assert last_day(ends_at, ends_inclusive=inclusive) == last
    assert lapse_instant(ends_at, ends_inclusive=inclusive, zone="Asia/Shanghai") == lapse


def test_a_legal_date_counts_in_its_own_zone() -> None:
    """The same date begins thirteen hours apart in Shanghai and New York."""
    assert legal_instant("2026-11-10", zone="Asia/Shanghai") == datetime(2026, 11, 9, 16, tzinfo=UTC)
    assert legal_instant("2026-11-10", zone="America/New_York") == datetime(2026, 11, 10, 5, tzinfo=UTC)
    assert legal_day("2026-11-10T13:01") == date(2026, 11, 10)
    assert noon_of(date(2026, 7, 1), zone="America/New_York") == datetime(2026, 7, 1, 16, tzinfo=UTC)
    assert local_day(datetime(2026, 11, 9, 16, tzinfo=UTC), zone="Asia/Shanghai") == date(2026, 11, 10)


def test_days_left_are_whole_local_days() -> None:
    """Zero on the day itself, negative after it, and the day changes at local midnight."""
    last = date(2026, 11, 10)
    assert days_left(last, at=datetime(2026, 11, 10, 15, 59, tzinfo=UTC), zone="Asia/Shanghai") == 0
    assert days_left(last, at=datetime(2026, 11, 10, 16, tzinfo=UTC), zone="Asia/Shanghai") == -1
    assert days_left(last, at=datetime(2026, 10, 8, 4, tzinfo=UTC), zone="Asia/Shanghai") == 33
