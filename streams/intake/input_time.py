"""What an intake worker knows of time: the broker's clock, and how far each of its inputs was read."""

from collections import deque
from collections.abc import Mapping
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from streams.runtime.clock import monotonic_seconds

JUMP_MS = 5_000
BELIEVED_AFTER_SECONDS = 30.0
WINDOW_SECONDS = 10.0
SILENT_AFTER_SECONDS = 5.0
MARGIN_MS = 100
"""A record is stamped before it can be read (appended, replicated): seen 9 ms on a busy node."""


class BrokerClock:
    """A lower bound of the broker's clock by the monotonic one here; the wall clock of this machine has no say.

    A clock that jumped ahead is believed when it stood there for `BELIEVED_AFTER_SECONDS`: until then time goes on at
    the pace of the monotonic clock, so that it never stops and no passing error moves it for good.
    """

    def __init__(self) -> None:
        self._seen: deque[tuple[float, float]] = deque()
        self._jumped_at: float | None = None
        self.jumps = 0

    def observe(self, broker_ms: float, seconds: float) -> None:
        """Take note that the broker's clock stood at or beyond `broker_ms` at a monotonic instant."""
        offset = broker_ms - seconds * 1000
        known = self._offset()
        if known is not None and offset - known > JUMP_MS:
            if self._jumped_at is None:
                self._jumped_at = seconds
                self.jumps += 1
            if seconds - self._jumped_at < BELIEVED_AFTER_SECONDS:
                return
            self._seen.clear()
        self._jumped_at = None
        while self._seen and self._seen[-1][1] <= offset:  # the largest of the window stands first
            self._seen.pop()
        self._seen.append((seconds, offset))
        while self._seen and self._seen[0][0] < seconds - WINDOW_SECONDS:
            self._seen.popleft()

    def at(self, seconds: float) -> int | None:
        """Return the broker's milliseconds at a monotonic instant, `None` where nothing was observed yet."""
        offset = self._offset()
        return None if offset is None else int(seconds * 1000 + offset)

    def _offset(self) -> float | None:
        return self._seen[0][1] if self._seen else None


class FetchTimes:
    """When the last answered fetch of each partition was sent, and the end it told: what came before it was there.

    The instant of the answer would not do: a process that is stopped between the answer and a look at the clock would
    take the end of then for the end of now. Wraps `_proc_fetch_request` of aiokafka's fetcher (0.14).
    """

    def __init__(self, consumer: AIOKafkaConsumer) -> None:
        self.answered: dict[TopicPartition, tuple[float, int]] = {}
        fetcher: Any = consumer._fetcher
        original = fetcher._proc_fetch_request

        async def timed(assignment: Any, node_id: Any, request: Any) -> Any:
            states = {}
            for topic, partitions in request.topics:
                for partition, *_ in partitions:
                    tp = TopicPartition(topic, partition)
                    state = assignment.state_value(tp)
                    if state is not None:
                        state.timestamp = None
                        states[tp] = state
            sent = monotonic_seconds()
            result = await original(assignment, node_id, request)
            for tp, state in states.items():
                if state.timestamp is not None and state.highwater is not None:
                    self.answered[tp] = (sent, state.highwater)
            return result

        fetcher._proc_fetch_request = timed


class HeldRecords:
    """Records read and not yet admitted, by input partition, and up to which instant they may be admitted.

    Inputs that are behind are caught up in the order of their append times, across partitions: nothing goes on that is
    later than what was read of any other that is behind. An input at its end holds nobody back.
    """

    def __init__(self) -> None:
        self.held: dict[TopicPartition, deque[tuple[int, ConsumerRecord]]] = {}
        self.last_ms: dict[TopicPartition, int] = {}
        self.heard: dict[TopicPartition, float] = {}

    def assign(self, tps: Any) -> None:
        """Begin anew with the partitions of an assignment."""
        now = monotonic_seconds()
        self.held = {tp: deque() for tp in tps}
        self.last_ms = {}
        self.heard = dict.fromkeys(self.held, now)

    def add(self, tp: TopicPartition, records: Any, *, now_ms: int | None) -> None:
        """Hold records; `now_ms` is the broker's clock, for records whose stamp is the producer's."""
        self.heard[tp] = monotonic_seconds()
        last = self.last_ms.get(tp, 0)
        held = self.held.setdefault(tp, deque())
        for record in records:
            at = record.timestamp
            if record.timestamp_type != 1 and now_ms is not None:
                at = min(at if at >= 0 else now_ms, now_ms)
            last = max(at, last)
            held.append((last, record))
        self.last_ms[tp] = last

    def state(
        self, positions: Mapping[TopicPartition, int | None], answered: Mapping[TopicPartition, tuple[float, int]],
        clock: BrokerClock,
    ) -> tuple[int | None, int, dict[str, list[int]]]:  # fmt: skip
        """Return the frontier (`None`: none), the instant to state (0: none), and the partitions it holds for."""
        now = monotonic_seconds()
        frontier: int | None = None
        stated: int | None = None
        of: dict[str, list[int]] = {}
        for tp in sorted(self.held):
            sent, end = answered.get(tp, (None, None))
            if sent is not None:
                self.heard[tp] = max(self.heard[tp], sent)
            if now - self.heard[tp] > SILENT_AFTER_SECONDS and not self.held[tp]:
                continue
            of.setdefault(tp.topic, []).append(tp.partition)
            position = positions.get(tp)
            if sent is not None and position is not None and position >= (end or 0) and not self.held[tp]:
                at = max((clock.at(sent) or 0) - MARGIN_MS, 0)
            elif sent is not None and position is not None and position >= (end or 0):
                at = max((clock.at(sent) or 0) - MARGIN_MS, 0)  # all that there is is held here: it holds back no other
                at = min(at, self.held[tp][0][0] - 1)
            else:
                at = self.last_ms.get(tp, 1) - 1
                frontier = at + 1 if frontier is None else min(frontier, at + 1)
            stated = at if stated is None else min(stated, at)
        return frontier, max(stated or 0, 0), of

    def take(self, frontier: int | None) -> list[tuple[int, ConsumerRecord]]:
        """Return the held records up to the frontier, in order of append time."""
        taken: list[tuple[int, ConsumerRecord]] = []
        for held in self.held.values():
            while held and (frontier is None or held[0][0] <= frontier):
                taken.append(held.popleft())
        taken.sort(key=lambda each: (each[0], each[1].topic, each[1].partition, each[1].offset))
        return taken
