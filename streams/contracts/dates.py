"""Legal dates: from a date on the wall of an instrument's zone to instants, last days and days left. Pure."""

from datetime import UTC, date, datetime, time, timedelta

from streams.contracts.identifiers import parse_legal_date, zone_of

NOON = time(12)


def instant_at(day: date, at: time, *, zone: str) -> datetime:
    """Return the UTC instant of a wall-clock time in an IANA zone."""
    return datetime.combine(day, at, tzinfo=zone_of(zone)).astimezone(UTC)


def legal_instant(text: str, *, zone: str) -> datetime:
    """Return the instant from which a legal date counts: the given minute, or the start of the local day. UTC."""
    day, at = parse_legal_date(text, field="date")
    return instant_at(day, at or time.min, zone=zone)


def legal_day(text: str) -> date:
    """Return the day of a legal date, dropping a time of day."""
    return parse_legal_date(text, field="date")[0]


def last_day(ends_at: str, *, ends_inclusive: bool | None) -> date:
    """Return the last day of what ends on a legal date.

    An "until" that the source does not explain (`None`) is read as inclusive: the day shown is the one in the text.
    An end with a time of day other than midnight has that day as its last.
    """
    day, at = parse_legal_date(ends_at, field="ends_at")
    if at is not None:
        return day - timedelta(days=1) if at == time.min else day
    return day - timedelta(days=1) if ends_inclusive is False else day


def lapse_instant(ends_at: str, *, ends_inclusive: bool | None, zone: str) -> datetime:
    """Return the first instant after an end: the given minute, else local midnight after the last day. UTC."""
    day, at = parse_legal_date(ends_at, field="ends_at")
    if at is not None:
        return instant_at(day, at, zone=zone)
    last = last_day(ends_at, ends_inclusive=ends_inclusive)
    return instant_at(last + timedelta(days=1), time.min, zone=zone)


def local_day(instant: datetime, *, zone: str) -> date:
    """Return the calendar day of an instant in an IANA zone."""
    return instant.astimezone(zone_of(zone)).date()


def noon_of(day: date, *, zone: str) -> datetime:
    """Return local noon of a day, which is what "as of" that day means for a measure of this zone. UTC."""
    return instant_at(day, NOON, zone=zone)


def days_left(last: date, *, at: datetime, zone: str) -> int:
    """Return whole local days from an instant to a last day: 0 on the day itself, negative after it."""
    return (last - local_day(at, zone=zone)).days
