"""Whether a worker is ready: the broker answers, partitions are assigned, recovered, and moving where there is work.

A Faust worker can be up with a dead agent (docs/engine-traps.md 11): lag without progress must fail.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from streams.runtime.owned_partitions import owned_partitions


class Readiness(StrEnum):
    """The answer of `/readyz`."""

    READY = "ready"
    STARTING = "starting"
    RECOVERING = "recovering"
    STALLED = "stalled"
    NO_BROKER = "no_broker"
    STUCK = "stuck"


@dataclass(frozen=True, slots=True, kw_only=True)
class PartitionFacts:
    """Where one source partition stands: the position processed, and the offset behind the last record known."""

    stage: str
    partition: int
    position: int
    end_offset: int | None

    @property
    def lag_count(self) -> int:
        """Records known and not processed; 0 where the end is not known."""
        return 0 if self.end_offset is None else max(0, self.end_offset - 1 - self.position)


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerFacts:
    """What readiness is decided from. A worker without a partition (more workers than partitions) is ready."""

    assigned: bool
    recovering: bool
    partitions: tuple[PartitionFacts, ...]


class ProgressWatch:
    """Remembers since when a partition lags without moving."""

    def __init__(self, stalled_after_seconds: float) -> None:
        self._stalled_after_seconds = stalled_after_seconds
        self._since: dict[tuple[str, int], tuple[int, float]] = {}
        self.stalled: tuple[PartitionFacts, ...] = ()
        """Those that lagged without moving at the last evaluation."""

    def evaluate_readiness(self, facts: WorkerFacts, *, monotonic_seconds: float) -> Readiness:
        """Return the readiness at the given monotonic time; call it at any rhythm."""
        if not facts.assigned:
            return Readiness.STARTING
        if facts.recovering:
            self._since.clear()
            self.stalled = ()
            return Readiness.RECOVERING
        stalled = []
        for partition in facts.partitions:
            key = (partition.stage, partition.partition)
            position, since_seconds = self._since.get(key, (None, monotonic_seconds))
            if partition.lag_count == 0 or position != partition.position:
                since_seconds = monotonic_seconds
            self._since[key] = (partition.position, since_seconds)
            if monotonic_seconds - since_seconds > self._stalled_after_seconds:
                stalled.append(partition)
        self.stalled = tuple(stalled)
        return Readiness.STALLED if stalled else Readiness.READY

    def waiting_for(self, readiness: Readiness) -> list[str]:
        """Say in words what a worker with this readiness waits for."""
        if readiness is Readiness.STARTING:
            return ["the consumer group to assign partitions"]
        if readiness is Readiness.RECOVERING:
            return ["the state to be read from the changelog after an assignment"]
        return [
            f"partition {p.partition} of {p.stage} to move: at offset {p.position}, {p.lag_count} records behind, "
            f"no progress for {self._stalled_after_seconds:g} s"
            for p in self.stalled
        ]


def worker_facts(app: Any) -> WorkerFacts:
    """Read the facts off a running app; cheap, no request to the broker."""
    by_topic = {table.name: table.source_topic for table in app.tables.values()}
    ends = {(tp.topic, tp.partition): tp for tp in app.consumer.assignment()} if app.assigned else {}
    partitions = []
    for owned in owned_partitions(app):
        tp = ends.get((by_topic[owned.stage], owned.partition))
        end_offset = app.consumer.highwater(tp) if tp is not None else None
        partitions.append(
            PartitionFacts(stage=owned.stage, partition=owned.partition, position=owned.position, end_offset=end_offset)
        )
    return WorkerFacts(
        assigned=app.assigned, recovering=app.tables.recovering or app.rebalancing, partitions=tuple(partitions)
    )
