"""What the gateway decides about each event of a request: pure, so that every answer has a reason."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum

import msgspec

from streams.contracts.codec import decode_event
from streams.contracts.events import Event, family_of
from streams.contracts.reasons import DecodeError, RejectReason
from streams.contracts.topics import FAMILY_TOPICS

MAX_AHEAD = timedelta(seconds=5)
"""How far ahead of the gateway's clock an event may say it was recorded; more would move time for everybody."""
LATE_AFTER = timedelta(days=1)
"""Recorded longer ago than this, an event is admitted and called late, so that the sender can notice."""


class EventStatus(StrEnum):
    """What became of one event of a request."""

    ACCEPTED = "accepted"
    LATE = "late"
    DUPLICATE = "duplicate"
    INVALID = "invalid"


class EventResult(msgspec.Struct, kw_only=True, omit_defaults=True):
    """The answer about one event; `pointer` is a JSON pointer into it, for invalid ones."""

    index: int
    status: EventStatus
    id: str | None = None
    source: str | None = None
    reason: str | None = None
    pointer: str | None = None
    detail: str | None = None


def examine(raw: bytes | msgspec.Raw, *, index: int, at: datetime) -> tuple[EventResult, Event | None]:
    """Decode one event; a missing `recordedtime` becomes `at`. The event is `None` where it is invalid."""
    try:
        event = decode_event(raw, recorded_at=at)
        if family_of(event.type) not in FAMILY_TOPICS or family_of(event.type) == "directive":
            raise DecodeError(
                reason=RejectReason.WRONG_TOPIC, field="/type", detail=f"{event.type} is not taken from outside"
            )
        if event.recorded_at > at + MAX_AHEAD:
            raise DecodeError(
                reason=RejectReason.OUT_OF_RANGE, field="/recordedtime", detail="recorded in the future; mend the clock"
            )
    except DecodeError as error:
        result = EventResult(
            index=index, status=EventStatus.INVALID, reason=error.reason.value, pointer=error.field, detail=error.detail
        )
        return result, None
    late = event.recorded_at < at - LATE_AFTER
    status = EventStatus.LATE if late else EventStatus.ACCEPTED
    return EventResult(index=index, status=status, id=event.id, source=event.source), event


def mark_duplicates(
    results: Sequence[EventResult], events: Sequence[Event | None], *, seen: Sequence[bool]
) -> list[Event]:
    """Mark what was seen before, or earlier in the request, as duplicate; return the events to publish."""
    fresh: list[Event] = []
    within: set[tuple[str, str]] = set()
    for result, event, was_seen in zip(results, events, seen, strict=True):
        if event is None:
            continue
        if was_seen or (event.source, event.id) in within:
            result.status = EventStatus.DUPLICATE
            continue
        within.add((event.source, event.id))
        fresh.append(event)
    return fresh
