"""Where the gateway puts things: events to their topics, refused ones to the dead letters; back when they are safe."""

from collections.abc import Sequence
from typing import Protocol

from kafka import KafkaProducer
from kafka.errors import KafkaError

from producers.publisher import SEND_SECONDS, Publisher
from streams.contracts.dead_letters import DeadLetterRecord, encode_dead_letter
from streams.contracts.events import Event
from streams.contracts.topics import DEAD_LETTERS, topic_name


class SinkUnavailableError(RuntimeError):
    """The broker did not take everything; the caller must send again."""


class EventSink(Protocol):
    """Takes events and refused ones; blocking, called from threads."""

    def publish(self, events: Sequence[Event]) -> None:
        """Return when the broker has all events; raises `SinkUnavailableError`."""

    def refuse(self, letters: Sequence[DeadLetterRecord]) -> None:
        """Return when the broker has all dead letters; raises `SinkUnavailableError`."""

    def ready(self) -> bool:
        """Tell whether the broker can be reached."""

    def close(self) -> None:
        """Send what is left and let go."""


class BrokerSink:
    """Writes to Kafka."""

    def __init__(self, bootstrap: str, *, prefix: str, partitions: int, idempotent: bool = True) -> None:
        self._publisher = Publisher(bootstrap, prefix=prefix, partitions=partitions, idempotent=idempotent)
        self._producer = KafkaProducer(
            bootstrap_servers=bootstrap, acks="all", enable_idempotence=idempotent, max_request_size=4 * 1024 * 1024,
            request_timeout_ms=int(SEND_SECONDS * 1000),
        )  # fmt: skip
        self._letters = topic_name(DEAD_LETTERS, prefix=prefix)

    def publish(self, events: Sequence[Event]) -> None:
        """Return when the broker has all events; raises `SinkUnavailableError`."""
        try:
            if len(events) == 1:
                self._publisher.publish(events[0])
            elif events:
                self._publisher.publish_batch(events)
        except KafkaError as error:
            raise SinkUnavailableError(repr(error)) from error

    def refuse(self, letters: Sequence[DeadLetterRecord]) -> None:
        """Return when the broker has all dead letters; raises `SinkUnavailableError`."""
        try:
            sent = [
                self._producer.send(self._letters, value=encode_dead_letter(letter), key=letter.origin)
                for letter in letters
            ]
            for future in sent:
                future.get(SEND_SECONDS)
        except KafkaError as error:
            raise SinkUnavailableError(repr(error)) from error

    def ready(self) -> bool:
        """Tell whether the broker can be reached."""
        return bool(self._producer.bootstrap_connected())

    def close(self) -> None:
        """Send what is left and let go."""
        self._publisher.close()
        self._producer.close(timeout=SEND_SECONDS)


class RecordingSink:
    """Keeps everything in memory; `failing` makes it a broker that is gone."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.letters: list[DeadLetterRecord] = []
        self.failing = False

    def publish(self, events: Sequence[Event]) -> None:
        """Keep events."""
        self._fail_when_told()
        self.events.extend(events)

    def refuse(self, letters: Sequence[DeadLetterRecord]) -> None:
        """Keep dead letters."""
        self._fail_when_told()
        self.letters.extend(letters)

    def ready(self) -> bool:
        """Tell whether it takes anything."""
        return not self.failing

    def close(self) -> None:
        """Do nothing."""

    def _fail_when_told(self) -> None:
        if self.failing:
            raise SinkUnavailableError("told to fail")
