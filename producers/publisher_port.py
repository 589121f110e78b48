"""What a source needs of a publisher, so that it can be tried without a broker."""

from collections.abc import Sequence
from typing import Protocol

from streams.contracts.events import Event


class EventPublisher(Protocol):
    """Takes events; returns when they are safe."""

    def publish_batch(self, events: Sequence[Event]) -> object:
        """Publish events to their topics, the order of one key kept."""
