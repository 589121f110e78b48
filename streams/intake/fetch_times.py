"""When the last answered fetch of each input partition was sent, and the end of the partition that it told."""

from collections.abc import Callable
from typing import Any, NamedTuple

from aiokafka import AIOKafkaConsumer, TopicPartition


class FetchAnswer(NamedTuple):
    """`sent_at`: monotonic seconds; `end`: the offset after the last record that the broker had by then."""

    sent_at: float
    end: int


class FetchTimes:
    """Answers by partition: what was appended before a fetch was sent was there when it was answered.

    The instant of the answer would not do: a process that is stopped between the answer and a look at the clock would
    take the end of then for the end of now. Wraps `_proc_fetch_request` of aiokafka's fetcher, one of the private names
    of aiokafka 0.14 that a test holds.
    """

    def __init__(self, consumer: AIOKafkaConsumer, *, clock: Callable[[], float]) -> None:
        self._consumer = consumer
        self.answered: dict[TopicPartition, FetchAnswer] = {}
        fetcher: Any = consumer._fetcher
        original = fetcher._proc_fetch_request

        async def timed(assignment: Any, node_id: Any, request: Any) -> Any:
            states = {}
            for topic, partitions in request.topics:
                for partition, *_ in partitions:
                    place = TopicPartition(topic, partition)
                    state = assignment.state_value(place)
                    if state is not None:
                        state.timestamp = None
                        states[place] = state
            sent_at = clock()
            result = await original(assignment, node_id, request)
            for place, state in states.items():
                if state.timestamp is not None and state.highwater is not None:
                    self.answered[place] = FetchAnswer(sent_at, state.highwater)
            return result

        fetcher._proc_fetch_request = timed

    def position(self, place: TopicPartition) -> int | None:
        """Return the offset that is read next of a partition, `None` where it is not known or not ours."""
        subscription = self._consumer._subscription.subscription
        state = subscription.assignment.state_value(place) if subscription and subscription.assignment else None
        return state.position if state is not None and state.has_valid_position else None
