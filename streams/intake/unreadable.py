"""Record batches that cannot be decoded: tried again, then skipped with their offsets, so that all behind them is read.

aiokafka (0.14) raises for such a batch from `getmany` at the same offset for ever, and what it had taken from other
partitions in the same call is gone with the exception. Here the iterator over a fetched result is guarded instead: it
ends before the batch, and after `ATTEMPTS` fetches of the same (a line may have damaged it) behind it.
"""

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.consumer.fetcher import FetchError, FetchResult
from aiokafka.errors import RecordTooLargeError

_log = structlog.get_logger(__name__)
ATTEMPTS = 3


@dataclass(frozen=True, kw_only=True, slots=True)
class UnreadableBatch:
    """Offsets that were skipped, both ends included, and what the decoder said."""

    place: TopicPartition
    first_offset: int
    last_offset: int
    detail: str


class UnreadableBatches:
    """Guards a consumer's fetched results and keeps what was skipped until it is taken."""

    def __init__(self) -> None:
        self._skipped: list[UnreadableBatch] = []
        self._failures: dict[TopicPartition, tuple[int, int]] = {}

    def guard(self, consumer: AIOKafkaConsumer) -> None:
        """Guard everything that a started consumer fetches from here on, and what it holds."""
        fetcher: Any = consumer._fetcher
        fetcher._records = _GuardedResults(self, fetcher._records)

    def take(self) -> list[UnreadableBatch]:
        """Return what was skipped since the last call."""
        skipped, self._skipped = self._skipped, []
        return skipped

    def forget(self) -> None:
        """Begin anew: whoever has the partitions next comes to the same batches."""
        self._skipped.clear()
        self._failures.clear()

    def guarded(self, place: TopicPartition, fetched: Any, highwater: int | None) -> Iterator[ConsumerRecord]:
        """Iterate over a fetched result up to a batch that cannot be decoded; skip it when it was tried often enough.

        The result ends there in any case: the next fetch begins at the right offset with the broker's list of aborted
        transactions for it.
        """
        batches = fetched._records = _Batches(fetched._records)
        try:
            yield from fetched._unpack_records()
        except Exception as error:  # noqa: BLE001 - a decoder raises what its codec raises: any of it is a bad batch
            first = fetched.next_fetch_offset
            end = batches.end_of_last()
            if end is not None and end == first:
                return  # all its records were read; what is wrong is behind them
            if not self._is_given_up(place, first):
                return
            following = decide_following_offset(first, told=end, next_base=batches.base_of_next(), highwater=highwater)
            fetched.next_fetch_offset = following
            self.skip(place, first, following - 1, f"{type(error).__name__}: {error}")

    def skip(self, place: TopicPartition, first: int, last: int, detail: str) -> None:
        """Note offsets that are not read."""
        self._skipped.append(UnreadableBatch(place=place, first_offset=first, last_offset=last, detail=detail))

    def _is_given_up(self, place: TopicPartition, first: int) -> bool:
        offset, count = self._failures.get(place, (first, 0))
        count = count + 1 if offset == first else 1
        self._failures[place] = (first, count)
        return count >= ATTEMPTS


def decide_following_offset(first: int, *, told: int | None, next_base: int | None, highwater: int | None) -> int:
    """Return the offset behind a batch whose first unread record is `first`.

    `next_base`, where the next batch of the same answer begins, counts before `told`, what the damaged header says of
    its end; where neither lies between `first` and the end of the partition, it is one offset on.
    """
    for candidate in (next_base, told):
        if candidate is not None and first < candidate and (highwater is None or candidate <= highwater):
            return candidate
    return first + 1


class _Batches:
    """The batches of one answer; remembers the last one handed out and looks one ahead."""

    def __init__(self, records: Any) -> None:
        self._records = records
        self._last: Any = None

    def has_next(self) -> bool:
        return bool(self._records.has_next())

    def next_batch(self) -> Any:
        self._last = None
        self._last = self._records.next_batch()
        return self._last

    def end_of_last(self) -> int | None:
        return None if self._last is None else int(self._last.next_offset)

    def base_of_next(self) -> int | None:
        try:
            return int(self._records.next_batch().base_offset) if self._records.has_next() else None
        except Exception:  # noqa: BLE001 - the next one is damaged too: its own fetch will tell
            return None


class _GuardedResults(OrderedDict[TopicPartition, Any]):
    """The fetcher's results by partition: each is guarded as it comes in."""

    def __init__(self, owner: UnreadableBatches, results: Any) -> None:
        self._owner = owner
        super().__init__()
        for place, result in results.items():
            self[place] = result

    def __setitem__(self, place: TopicPartition, result: Any) -> None:
        if isinstance(result, FetchError) and isinstance(result._error, RecordTooLargeError):
            # An answer that ends within its first batch; the fetcher goes one offset on by itself.
            first = result._error.args[2] if len(result._error.args) > 2 else -1
            self._owner.skip(place, first, first, "the answer ends within the batch")
            return
        if isinstance(result, FetchResult) and result._partition_records is not None:
            fetched = result._partition_records
            state = result._assignment.state_value(place)
            highwater = None if state is None else state.highwater
            fetched._records_iterator = self._owner.guarded(place, fetched, highwater)
        super().__setitem__(place, result)
