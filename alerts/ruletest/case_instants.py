"""Instants of a test: offsets from its start (`5d`, `1d12h`, `0`), dates and RFC 3339 instants; steps of a series."""

import re
from calendar import monthrange
from datetime import UTC, date, datetime, timedelta

_OFFSET = re.compile(r"^(?:(\d{1,6})d)?(?:(\d{1,6})h)?(?:(\d{1,7})m)?(?:(\d{1,8})s)?$")
_STEP = re.compile(r"^(\d{1,5})(mo|d|h|m|s)$")
_UNITS = {"d": 86_400, "h": 3_600, "m": 60, "s": 1}
LONGEST = timedelta(days=110_000)
"""A test spans at most three hundred years, as promtool's do."""


class InstantError(ValueError):
    """A text that is no instant, offset or step; the message says what to write."""


def parse_start(text: str | int) -> datetime:
    """Read a date (midnight UTC), an RFC 3339 instant with its offset, or seconds since 1970. Raise `InstantError`."""
    try:
        if isinstance(text, int):
            return datetime.fromtimestamp(text, UTC)
        if len(text) == 10:
            day = date.fromisoformat(text)
            return datetime(day.year, day.month, day.day, tzinfo=UTC)
        instant = datetime.fromisoformat(text)
    except (ValueError, OverflowError, OSError) as error:
        raise InstantError(f"{text!r} is no instant: write 2026-01-01 or 2026-01-01T09:30:00Z") from error
    if instant.tzinfo is None:
        raise InstantError(f"{text!r} has no offset: write 2026-01-01T09:30:00Z, or +08:00 for the wall of Shanghai")
    return instant.astimezone(UTC)


def parse_instant(text: str | int, *, start: datetime) -> datetime:
    """Read an offset from `start`, a date or an instant. Raise `InstantError`, also for what is out of reach."""
    if text in (0, "0"):
        return start
    found = _OFFSET.match(text) if isinstance(text, str) and text else None
    if found is not None:
        days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
        instant = start + min(LONGEST * 2, timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds))
    elif isinstance(text, int):
        raise InstantError(f"{text!r} has no unit: write {text}d, {text}h, {text}m or {text}s after the start")
    else:
        try:
            instant = parse_start(text)
        except InstantError as error:
            raise InstantError(
                f"{text!r} is no instant: write an offset from the start (5d, 1d12h), 2026-01-01 or "
                "2026-01-01T09:30:00Z"
            ) from error
    if not start <= instant <= start + LONGEST:
        raise InstantError(f"{text!r} is before the start of the test, or more than 110,000 days after it")
    return instant


def nth_instant(start: datetime, *, step: str, n: int) -> datetime:
    """Return the instant of sample `n` of a series with a step such as `1d` or `1mo` (calendar months)."""
    found = _STEP.match(step)
    if found is None or int(found[1]) == 0:
        raise InstantError(f"{step!r} is no step: write 1d, 6h, 30m, 15s, or 1mo for calendar months")
    if found[2] != "mo":
        return start + timedelta(seconds=int(found[1]) * _UNITS[found[2]]) * n
    months = start.year * 12 + start.month - 1 + int(found[1]) * n
    year, month = months // 12, months % 12 + 1
    return start.replace(year=year, month=month, day=min(start.day, monthrange(year, month)[1]))


def in_words(instant: datetime, *, start: datetime) -> str:
    """Say an instant both ways: its offset from the start, and on the clock."""
    left = int((instant - start).total_seconds())
    parts = []
    for unit, seconds in _UNITS.items():
        count, left = divmod(left, seconds)
        if count:
            parts.append(f"{count}{unit}")
    return f"{''.join(parts) or '0'} ({instant:%Y-%m-%dT%H:%M:%SZ})"
