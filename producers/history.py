"""Reading a directory of recorded events for a replay, in the order in which they were recorded."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from operator import attrgetter
from pathlib import Path

from streams.contracts.codec import decode_event
from streams.contracts.events import Event, family_of
from streams.contracts.reasons import DecodeError

_FIRST = {"policy": 0, "directive": 1}


class UnreadableHistoryError(ValueError):
    """A line of a history file is no event; names file, line and reason."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Instant:
    """Everything that was recorded at one instant, policy first."""

    at: datetime
    events: Sequence[Event]


def read_history(directory: Path) -> list[Event]:
    """Read all `*.jsonl` files of a directory (structured CloudEvents); raises `UnreadableHistoryError`."""
    files = sorted(directory.glob("*.jsonl"))
    if not files:
        raise UnreadableHistoryError(
            f"{directory} holds no .jsonl files; a history is structured CloudEvents, one a line"
        )
    events = []
    for path in files:
        for number, line in enumerate(path.read_bytes().splitlines(), 1):
            if line.strip():
                try:
                    events.append(decode_event(line))
                except DecodeError as error:
                    raise UnreadableHistoryError(f"{path.name}:{number}: {error}") from error
    return events


def instants(events: Sequence[Event], *, until: datetime) -> Iterator[Instant]:
    """Group events by the instant they were recorded at, up to and including `until`, in a fixed order."""
    chosen = [e for e in events if e.recorded_at <= until]
    chosen.sort(key=lambda e: (e.recorded_at, _FIRST.get(family_of(e.type), 2), e.type, e.source, e.id))
    for at, group in groupby(chosen, key=attrgetter("recorded_at")):
        yield Instant(at=at, events=tuple(group))
