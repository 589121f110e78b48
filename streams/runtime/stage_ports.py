"""The border between the runtime and the cores: plain types, importable without Faust, Kafka or Redis.

A core never sees a Kafka record. It is handed what the runtime admitted (repeats already dropped), a store that holds
the state of its partition, and answers with outputs. Live workers, tests, backtest and what-if drive the same cores.
"""

from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol, TypeAlias, runtime_checkable

import msgspec

from streams.contracts.records import Segment


class StateStore(Protocol):
    """State of one partition. Values are immutable: a core replaces them, so that the runtime can roll back."""

    def get(self, key: bytes) -> Any:
        """Return the value of a key, `None` where there is none."""

    def put(self, key: bytes, value: Any) -> None:
        """Set the value of a key."""

    def delete(self, key: bytes) -> None:
        """Remove a key; removing one that is not there is no error."""

    def items(self) -> Iterable[tuple[bytes, Any]]:
        """Iterate over a snapshot of all keys and values."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Admitted:
    """One source record as a core sees it.

    `position` is the offset in `signals` it goes back to. `segments` and `ticks` come from `signals` only, `items`
    (events in structured form) from the logs behind it. `recorded_at` is the broker's time stamp, for metrics only.
    `now` is the watermark after the record, `None` where none is known: then the events bring their instants, in order,
    and are the time. `item_counts`: how many of `items` each event or timer before gave, empty for one each. `stalled`:
    the inputs that time goes on without. `more`: this is part number `part` of its position, and others may follow;
    `now` bounds the time of what is in it and is reached with the last part.
    """

    position: int
    segments: Sequence[Segment] = ()
    ticks: Sequence[datetime] = ()
    items: Sequence[msgspec.Raw] = ()
    recorded_at: datetime | None = None
    now: datetime | None = None
    item_counts: Sequence[int] = ()
    stalled: Sequence[str] = ()
    part: int = 0
    more: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class DeadLetter:
    """Something a stage could not use: the original bytes, and why.

    `field` is a JSON pointer into the value; `index` the place within a batch record, `None` for the whole record.
    """

    value: bytes | None
    reason: str
    field: str
    detail: str
    key: bytes | None = None
    headers: Sequence[tuple[str, bytes]] = ()
    index: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What a core made of one record: events in structured form for the next log, and dead letters.

    `output_counts`: how many of the outputs each event or timer gave, in order; empty for one each. `duplicate_count`:
    events that were taken before; `conflict_count`: those whose identity stands for another body, which are among the
    dead letters too.
    """

    outputs: Sequence[bytes] = ()
    output_counts: Sequence[int] = ()
    dead_letters: Sequence[DeadLetter] = ()
    duplicate_count: int = 0
    conflict_count: int = 0


Steps: TypeAlias = Generator[None, None, Outcome]
"""The work on one record in steps: between two of them other work of the process may run, but none on this state."""


def outcome_of(steps: Steps) -> Outcome:
    """Take all steps at once."""
    while True:
        try:
            next(steps)
        except StopIteration as ended:
            outcome: Outcome = ended.value
            return outcome


class PartitionCore(Protocol):
    """A core of one partition, made anew whenever the partition becomes ready; it builds its heaps from the state.

    A core whose records may take long has `steps` too (`SteppingCore`).
    """

    def process(self, admitted: Admitted) -> Outcome:
        """Take one record; deterministic in the state and the record."""


@runtime_checkable
class SteppingCore(Protocol):
    """A core that takes a record in steps; taken at once they are what `process` does."""

    def steps(self, admitted: Admitted) -> Steps:
        """Take one record; it is taken when the steps are at their end."""


class InMemoryStateStore:
    """A dictionary as a state store, for tests, backtest and what-if."""

    def __init__(self) -> None:
        self._values: dict[bytes, Any] = {}

    def get(self, key: bytes) -> Any:
        """Return the value of a key, `None` where there is none."""
        return self._values.get(key)

    def put(self, key: bytes, value: Any) -> None:
        """Set the value of a key."""
        self._values[key] = value

    def delete(self, key: bytes) -> None:
        """Remove a key."""
        self._values.pop(key, None)

    def items(self) -> Iterable[tuple[bytes, Any]]:
        """Iterate over a snapshot."""
        return tuple(self._values.items())
