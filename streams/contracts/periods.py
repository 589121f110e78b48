"""Reference periods and editions: what cannot be known yet, and what cannot restate what, is refused."""

import re
from datetime import datetime, timedelta
from typing import Any

from streams.contracts.reasons import FieldError, RejectReason

_QUARTERS = {"Q1": "01", "Q2": "04", "Q3": "07", "Q4": "10", "H1": "01", "H2": "07"}
_DAY = timedelta(days=1)
"""A day in Auckland begins half a day before it does in UTC."""
_EDITION = re.compile(r"(\d{4})(?:-(\d{2}))?(?:-(\d{2}))?")


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
