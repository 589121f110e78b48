"""Records read and not yet admitted, and up to which instant they may be admitted. Pure: instants are arguments.

Inputs that are behind are caught up in the order of their append times, across all partitions of a worker: nothing goes
on that is later than what was read of any other that is behind. An input at its end holds nobody back, so what comes
alone waits for nothing.
"""

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from aiokafka import ConsumerRecord, TopicPartition

from streams.intake.broker_clock import JUMP_MS
from streams.intake.fetch_times import FetchAnswer

SILENT_AFTER_SECONDS = 5.0
"""An input of which nothing came for so long although there is more, or no answer at all, is not spoken of."""
MARGIN_MS = 100
"""A record is stamped before it can be read (appended, replicated): 9 ms were seen on a busy node."""
LOG_APPEND_TIME = 1
"""`timestamp_type` of a record that the broker stamped."""


class Held(NamedTuple):
    """A record and its instant, in milliseconds since 1970."""

    at: int
    record: ConsumerRecord


class Reach(NamedTuple):
    """How far a worker has read its inputs.

    `frontier`: what is held up to this instant may go on; `None` for all. `up_to`: everything that the broker had up to
    this instant is held or has gone on, 0 for not known. `inputs`: the partitions for which that is so.
    """

    frontier: int | None
    up_to: int
    inputs: tuple[TopicPartition, ...]


class HeldRecords:
    """The inputs of one worker since its last assignment."""

    def __init__(self) -> None:
        self._held: dict[TopicPartition, deque[Held]] = {}
        self._last_at: dict[TopicPartition, int] = {}
        self._heard_at: dict[TopicPartition, float] = {}
        self._stated: dict[TopicPartition, int] = {}

    def assign(self, places: Iterable[TopicPartition], *, now: float) -> None:
        """Begin anew with the partitions of an assignment; `now` is a monotonic instant in seconds."""
        self._held = {place: deque() for place in places}
        self._last_at = {}
        self._heard_at = dict.fromkeys(self._held, now)
        self._stated = {}

    @property
    def places(self) -> tuple[TopicPartition, ...]:
        """Return the partitions of the assignment, in order."""
        return tuple(sorted(self._held))

    @property
    def holds_any(self) -> bool:
        """Tell whether a record waits for another input."""
        return any(self._held.values())

    def count(self, place: TopicPartition) -> int:
        """Return how many records of a partition are held."""
        return len(self._held.get(place, ()))

    def add(
        self, place: TopicPartition, records: Iterable[ConsumerRecord], *, now: float, broker_ms: int | None
    ) -> None:
        """Hold records of a partition; `broker_ms` is the broker's clock, `None` where it is not known.

        An instant is the broker's stamp. One that lies long before what was stated of the partition already comes from
        a clock that was set back, and a stamp of the producer counts only where it is not ahead of the broker's clock
        and not before what was stated: such records count as of what was stated. Instants of a partition never go back.
        """
        held = self._held.setdefault(place, deque())
        self._heard_at[place] = now
        last, stated = self._last_at.get(place, 0), self._stated.get(place, 0)
        for record in records:
            at = record.timestamp
            if record.timestamp_type != LOG_APPEND_TIME:
                if broker_ms is not None and not 0 <= at <= broker_ms:
                    at = broker_ms
                at = max(at, stated)
            elif at < stated - JUMP_MS:  # a few milliseconds late is no clock: those keep their instant
                at = stated
            last = max(at, last)
            held.append(Held(last, record))
        self._last_at[place] = last

    def reach(
        self,
        *,
        position: Callable[[TopicPartition], int | None],
        answered: Mapping[TopicPartition, FetchAnswer],
        broker_at: Callable[[float], int | None],
        now: float,
    ) -> Reach:
        """Say how far the inputs were read, given positions and answers; `broker_at` reads the broker's clock."""
        frontier: int | None = None
        stated: int | None = None
        inputs: list[TopicPartition] = []
        for place in self.places:
            answer, held, at_offset = answered.get(place), self._held[place], position(place)
            is_at_end = answer is not None and at_offset is not None and at_offset >= answer.end
            if answer is not None and is_at_end:
                self._heard_at[place] = max(self._heard_at[place], answer.sent_at)
            if now - self._heard_at[place] > SILENT_AFTER_SECONDS and not held:
                continue
            inputs.append(place)
            if answer is not None and is_at_end:
                at = max((broker_at(answer.sent_at) or 0) - MARGIN_MS, 0)
                at = min(at, held[0].at - 1) if held else at
            else:
                last = self._last_at.get(place, 0)
                at = max(last - 1, 0)
                frontier = last if frontier is None else min(frontier, last)
            stated = at if stated is None else min(stated, at)
        return Reach(frontier, stated or 0, tuple(inputs))

    def take(self, frontier: int | None) -> list[Held]:
        """Return the held records up to the frontier, in order of their instants."""
        taken: list[Held] = []
        for held in self._held.values():
            while held and (frontier is None or held[0].at <= frontier):
                taken.append(held.popleft())
        taken.sort(key=lambda each: (each.at, each.record.topic, each.record.partition, each.record.offset))
        return taken

    def stated(self, up_to: int, places: Iterable[TopicPartition]) -> None:
        """Take note of what was stated of some partitions: what is read of them later is not before it."""
        for place in places:
            self._stated[place] = max(self._stated.get(place, 0), up_to)
