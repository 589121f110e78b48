"""When an admitted event was recorded: the broker's instant, or the one it brings where it is history."""

from datetime import UTC, datetime, timedelta

import msgspec

from streams.contracts.events import Event

HISTORY_AFTER = timedelta(days=1)
"""An event that says it was recorded longer ago than this is history, and keeps the instant it brings."""


def instant_of(appended_ms: int) -> datetime | None:
    """Return the instant of a segment's `at`; `None` for 0, where events bring their own (a replay)."""
    return datetime.fromtimestamp(appended_ms / 1000, UTC) if appended_ms else None


def as_recorded(event: Event, *, at: datetime | None) -> Event:
    """Return an event as it counts: recorded when the broker took it in (`at`), unless it is history or a replay.

    What a sender says of when it recorded something decides which figure is newer, so nothing but history may say it.
    """
    if at is None or at - event.recorded_at >= HISTORY_AFTER:
        return event
    return msgspec.structs.replace(event, recorded_at=at)
