"""What a worker asks the cluster before it starts: which cluster it is, and whether the logs it needs are there.

A missing changelog or source must be named: the engine waits for a topic without a word, and a state read from a
changelog that was made anew is empty, which is wrong wherever its source no longer holds everything.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from streams.runtime.exits import fatal

_REQUEST_TIMEOUT_MS = 15_000


@dataclass(frozen=True, kw_only=True, slots=True)
class ClusterFacts:
    """The id of a cluster and the partition count of each of its topics."""

    cluster_id: str
    partition_counts: Mapping[str, int]


@dataclass(frozen=True, kw_only=True, slots=True)
class NeededTopic:
    """A topic that a worker needs, `role` in words; `partition_count` `None` where any number will do."""

    name: str
    role: str
    partition_count: int | None


def ask_cluster(bootstrap: str) -> ClusterFacts:
    """Ask the cluster behind `bootstrap` (blocking, at start only); a broker that does not answer ends the process."""
    from kafka.admin import KafkaAdminClient
    from kafka.errors import KafkaError

    try:
        admin = KafkaAdminClient(bootstrap_servers=bootstrap, request_timeout_ms=_REQUEST_TIMEOUT_MS)
        try:
            cluster_id = str(admin.describe_cluster().get("cluster_id") or "unnamed")
            # All topics are listed: asking an embedded broker for an unknown name could make it.
            counts = {topic["name"]: len(topic["partitions"]) for topic in admin.describe_topics()}
        finally:
            admin.close()
    except (KafkaError, OSError, ValueError) as error:
        fatal("the broker does not answer; start it, or correct --bootstrap", bootstrap=bootstrap, error=error)
    return ClusterFacts(cluster_id=cluster_id, partition_counts=counts)


def decide_topics(facts: ClusterFacts, needed: list[NeededTopic]) -> str | None:
    """Return what is wrong with the topics and what to do, `None` when all are as they must be."""
    for topic in needed:
        found = facts.partition_counts.get(topic.name)
        if found is None:
            return (
                f"topic {topic.name} ({topic.role}) is missing: `monazite topics ensure` makes it anew; "
                "a changelog is then filled again from its source, what a source held is gone"
            )
        if topic.partition_count is not None and found != topic.partition_count:
            return (
                f"topic {topic.name} ({topic.role}) has {found} partitions, expected {topic.partition_count}: "
                "see `monazite topics check`"
            )
    return None


class LogFault(StrEnum):
    """Why a log cannot bring a state to where it must be."""

    SHORTENED = "shortened"
    TRIMMED = "trimmed"


def decide_changelog(held: int | None, *, earliest_offset: int, end_offset: int) -> LogFault | None:
    """Compare the changelog offset that a state stands at (`None`: empty) with what the changelog holds.

    Compaction never moves the earliest offset of a log, so records from the start that are gone were deleted.
    """
    if held is not None and held >= end_offset:
        return LogFault.SHORTENED
    if (-1 if held is None else held) + 1 < earliest_offset:
        return LogFault.TRIMMED
    return None
