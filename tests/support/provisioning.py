"""The declared topics on a test broker, placed on nodes where a test wants it."""

from collections.abc import Mapping, Sequence

from deploy.kafka.topic_admin import ensure_topics
from deploy.kafka.topic_declaration import declared_topics
from tests.support.brokers import EmbeddedBroker, KafkaCluster

Placement = Mapping[int, Sequence[int]]


def provision(
    broker: KafkaCluster | EmbeddedBroker, *, prefix: str, changelogs: Placement | None = None,
    others: Placement | None = None,
) -> None:  # fmt: skip
    """Make every declared topic; `changelogs` and `others` put the partitions of those on nodes."""
    assignments: dict[str, Placement] = {}
    for topic in declared_topics(prefix=prefix):
        placement = changelogs if topic.name.endswith("-changelog") else others
        if placement is not None:
            assignments[topic.name] = placement
    ensure_topics(broker.bootstrap, prefix=prefix, assignments=assignments)
