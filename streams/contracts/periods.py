"""Reference periods and editions: what is on no calendar, what cannot be known yet, and what cannot restate what."""

import re
from calendar import monthrange
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Any, NamedTuple

from streams.contracts.reasons import FieldError, RejectReason

_QUARTERS = {"Q1": "01", "Q2": "04", "Q3": "07", "Q4": "10", "H1": "01", "H2": "07"}
_DAY = timedelta(days=1)
"""A day in Auckland begins half a day before it does in UTC."""
_EDITION = re.compile(r"(\d{4})(?:-(\d{2}))?(?:-(\d{2}))?")


_MONTHS = {"H1": (1, 6), "H2": (7, 12), "Q1": (1, 3), "Q2": (4, 6), "Q3": (7, 9), "Q4": (10, 12)}


class Days(NamedTuple):
    """First and last day of a period."""

    first: date
    last: date


@lru_cache(maxsize=8192)
def days_of(period: str) -> Days:
    """Return the days of a reference period such as `2025`, `2025-H1`, `2025-Q3`, `2025-04`, `2025-04-09`.

    Raises `ValueError` for what is no period of the calendar, such as `2025-13` or `2025-02-30`.
    """
    if len(period) == 10:
        day = date.fromisoformat(period)
        return Days(day, day)
    year, part = int(period[:4]), period[5:]
    start, end = _MONTHS.get(part) or ((int(part), int(part)) if part else (1, 12))
    return Days(date(year, start, 1), date(year, end, monthrange(year, end)[1]))


def check_calendar(period: str, *, field: str) -> None:
    """Refuse a period that is not on the calendar, as its field."""
    try:
        days_of(period)
    except ValueError as error:
        raise FieldError(
            reason=RejectReason.OUT_OF_RANGE, field=field, detail=f"{period!r} is no period of the calendar"
        ) from error


def first_day(period: str) -> str:
    """Return the first day a reference period may hold, as a text that compares with an ISO date."""
    if len(period) == 7 and not period[5].isdigit():
        return f"{period[:4]}-{_QUARTERS[period[5:]]}"
    return period


def check_period(data: Any, *, at: datetime) -> None:
    """Refuse a figure of a period that had not begun at the instant at which it came in, as its field.

    A period that runs (this year so far) is let pass. Looks at `reference_period` and `actual_period`.
    """
    for field in ("reference_period", "actual_period"):
        period = getattr(data, field, None)
        if period is None or first_day(period) <= _latest_day(at):
            continue
        raise FieldError(
            reason=RejectReason.OUT_OF_RANGE,
            field=field,
            detail=f"{period} had not begun when this came in ({at.isoformat()})",
        )


def _latest_day(instant: datetime) -> str:
    """Return the last local day anywhere on earth at an instant; the calendar ends with the year 9999."""
    return (instant + _DAY if instant.year < 9999 else instant).date().isoformat()


def check_vintage(vintage: str, *, amends: str) -> None:
    """Refuse an edition that amends a later one, by the last date in each name ("MCS 2025", "register 2026-09").

    Names without a date cannot be compared and are let pass.
    """
    mine, theirs = _EDITION.findall(vintage), _EDITION.findall(amends)
    if mine and theirs and mine[-1] < theirs[-1]:
        raise FieldError(
            reason=RejectReason.DATE_ORDER,
            field="vintage",
            detail=f"{vintage!r} is older than {amends!r}, which it is said to amend",
        )
