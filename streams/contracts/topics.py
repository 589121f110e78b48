"""Names of the topics, and which partition an event belongs to."""

import zlib
from types import MappingProxyType

DEFAULT_PREFIX = "monazite"
DEFAULT_PARTITIONS = 4

POLICY = "policy.v1"
PRICE = "price.v1"
CAPACITY = "capacity.v1"
SIGNALS = "signals.v1"
ASSESSMENTS = "assessments.v1"
ALERTS = "alerts.v1"
DELIVERIES = "deliveries.v1"
DIRECTIVES = "directives.v1"
DEAD_LETTERS = "dead-letters.v1"

FAMILY_TOPICS = MappingProxyType({"policy": POLICY, "price": PRICE, "capacity": CAPACITY, "directive": DIRECTIVES})
"""Family of an event type to the topic that producers send it to."""

INPUTS = tuple(FAMILY_TOPICS.values())
"""Topics that intake reads."""

BROADCAST_FAMILIES = frozenset({"policy", "directive"})
"""Families that intake copies to every partition of `signals`."""


def topic_name(topic: str, *, prefix: str = DEFAULT_PREFIX) -> str:
    """Return the full name of a topic, such as `monazite.signals.v1`."""
    return f"{prefix}.{topic}"


def partition_of(key: str, *, partitions: int) -> int:
    """Return the partition of a key: CRC-32 of its UTF-8 bytes, modulo the count. Stable across processes and hosts."""
    return zlib.crc32(key.encode()) % partitions


def home_partition(measure: str, *, partitions: int) -> int:
    """Return the one partition that speaks for a measure, although every partition keeps the whole book."""
    return partition_of(measure, partitions=partitions)
