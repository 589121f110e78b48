"""Durations of the rule language: `90d`, `12h`, `30m`, `45s`, and `45bd` for working days."""

import re
from dataclasses import dataclass
from datetime import timedelta

_DURATION = re.compile(r"^(\d{1,5})(bd|d|h|m|s)$")
_UNITS = {"d": 86_400, "h": 3_600, "m": 60, "s": 1}


class DurationError(ValueError):
    """A text that is no duration; the message says what to write instead."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Lead:
    """How long before a day a step begins: calendar days, or working days of a country."""

    days: int
    working: bool

    def __str__(self) -> str:
        return f"{self.days}{'bd' if self.working else 'd'}"


def _split(text: str) -> tuple[int, str]:
    found = _DURATION.match(text.strip())
    if found is None:
        raise DurationError(f"{text!r} is no duration: write a whole number and a unit, such as 90d, 12h, 30m or 45bd")
    return int(found.group(1)), found.group(2)


def parse_duration(text: str) -> timedelta:
    """Read `12h`, `30m`, `45s` or `7d` (24 hours each). Raise `DurationError` otherwise, also for working days."""
    count, unit = _split(text)
    if unit == "bd":
        raise DurationError(f"{text!r}: working days count only in `before` of a ladder; write days (d) or hours (h)")
    return timedelta(seconds=count * _UNITS[unit])


def parse_lead(text: str) -> Lead:
    """Read `90d` (calendar days) or `45bd` (working days). Raise `DurationError` otherwise."""
    count, unit = _split(text)
    if unit not in ("d", "bd"):
        raise DurationError(f"{text!r}: a ladder counts whole days; write {count}d or {count}bd")
    return Lead(days=count, working=unit == "bd")
