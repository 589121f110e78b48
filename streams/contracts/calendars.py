"""Working-day calendars of the issuing countries, from the `holidays` library, with the day their data end.

China moves working days to weekends by a notice of the State Council each November for the next year; such days are
known only as far as the library has them. Beyond that the library still computes the fixed and lunar holidays, so a
count is an estimate and says so (`CalendarReason.BEYOND_DATA`).
"""

from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from functools import lru_cache

import holidays

_ONE_DAY = timedelta(days=1)
_FIRST_YEAR = 2020
"""Make-up days before the first shipped event are never asked for; the years bound what is computed."""

MAX_COUNT = 400


class CalendarReason(StrEnum):
    """Whether a working-day result rests on published holidays."""

    PUBLISHED = "published"
    BEYOND_DATA = "beyond_data"


@dataclass(frozen=True, kw_only=True, slots=True)
class WorkingDay:
    """A day found by counting working days, and whether the holidays it rests on are published."""

    day: date
    reason: CalendarReason
    data_until: date


class WorkingDayCalendar:
    """Working days of one country: weekdays without public holidays, plus make-up working days at weekends."""

    def __init__(self, country: str) -> None:
        self.country = country
        self._holidays = holidays.country_holidays(country)
        self._years: set[int] = set()
        self.data_until = self._find_data_until()

    def _load(self, year: int) -> None:
        if year not in self._years:
            self._holidays.get(date(year, 1, 1))
            self._years.add(year)

    def _find_data_until(self) -> date:
        """China: the last year with a published make-up day. Elsewhere holidays follow from the law alone."""
        if self.country != "CN":
            return date(self._holidays.end_year, 12, 31)
        year = _FIRST_YEAR
        while self._made_up(year + 1):
            year += 1
        return date(year, 12, 31)

    def _made_up(self, year: int) -> bool:
        self._load(year)
        return any(day.year == year for day in self._holidays.weekend_workdays)

    def is_working_day(self, day: date) -> bool:
        """Tell whether offices of the country work on a day."""
        self._load(day.year)
        return bool(self._holidays.is_working_day(day))

    def working_days_before(self, day: date, *, count: int) -> WorkingDay:
        """Return the latest day from which `count` working days fit before `day` (the day itself is not counted).

        `count` is 0 to 400. The result is `beyond_data` where the span reaches past the published holidays.
        """
        if not 0 <= count <= MAX_COUNT:
            raise ValueError(f"count must be 0 to {MAX_COUNT}, is {count}")
        found, left = day, count
        while left:
            found -= _ONE_DAY
            left -= self.is_working_day(found)
        return WorkingDay(day=found, reason=self._reason(day), data_until=self.data_until)

    def working_days_between(self, start: date, *, end: date) -> int:
        """Count the working days from `start` (counted) to `end` (not counted); 0 where `end` is not later."""
        return sum(self.is_working_day(start + timedelta(days=n)) for n in range(max(0, (end - start).days)))

    def _reason(self, latest: date) -> CalendarReason:
        return CalendarReason.PUBLISHED if latest <= self.data_until + _ONE_DAY else CalendarReason.BEYOND_DATA


_COUNTRY_OF_ZONE = {
    "Asia/Shanghai": "CN",
    "Asia/Hong_Kong": "CN",
    "America/New_York": "US",
    "America/Washington": "US",
    "Europe/Brussels": "BE",
}


@lru_cache(maxsize=8)
def calendar(country: str) -> WorkingDayCalendar:
    """Return the calendar of a country (ISO 3166 alpha-2); raises `NotImplementedError` where the library has none."""
    return WorkingDayCalendar(country)


def calendar_of(zone: str) -> WorkingDayCalendar | None:
    """Return the calendar of the country whose law runs in a zone, `None` where we know of none."""
    country = _COUNTRY_OF_ZONE.get(zone)
    return calendar(country) if country else None


def working_days_before(day: date, *, count: int, country: str) -> WorkingDay:
    """Return the latest day from which `count` working days of a country fit before `day`."""
    return calendar(country).working_days_before(day, count=count)
