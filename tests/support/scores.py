"""Builders of readings for tests."""

from streams.domain.score.readings import Reading

UNKNOWN = Reading(value=None, low=0.0, high=1.0, blind_ratio=1.0)


def exactly(value: float) -> Reading:
    """Return a reading that is known exactly, and fresh."""
    return Reading(value=value, low=value, high=value, blind_ratio=0.0)
