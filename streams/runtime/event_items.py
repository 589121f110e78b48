"""The events of a record, decoded for a core: what is refused becomes a dead letter, nothing beside it is lost."""

from collections.abc import Callable, Iterable

import msgspec

from streams.contracts.codec import decode_event
from streams.contracts.events import Event
from streams.contracts.reasons import DecodeError
from streams.runtime.stage_ports import DeadLetter


def take_events(items: Iterable[msgspec.Raw], take: Callable[[Event], None]) -> list[DeadLetter]:
    """Decode each item and hand it to `take`; return the dead letters of those that either refused (`DecodeError`)."""
    dead: list[DeadLetter] = []
    for index, raw in enumerate(items):
        try:
            take(decode_event(raw))
        except DecodeError as error:
            dead.append(refused_item(raw, error, index=index))
    return dead


def refused_item(raw: msgspec.Raw | bytes, error: DecodeError, *, index: int) -> DeadLetter:
    """Return the dead letter of one item of a record, with field and reason."""
    return DeadLetter(value=bytes(raw), reason=error.reason.value, field=error.field, detail=error.detail, index=index)
