"""What a worker shows of itself at a scrape: an immutable value, made by the event loop, read by the scrape thread."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from streams.contracts.alert import AlertChanged
from streams.contracts.assessments import MeasureAssessed, RiskAssessed


@dataclass(frozen=True, kw_only=True, slots=True)
class PartitionSnapshot:
    """One partition that the worker owns now.

    `topic` is the full name. `ready` is false while it recovers. `lag_messages` is `None` where the end is not known,
    `progress_offset` where nothing was processed yet, `clock_at` where no instant was seen yet.
    """

    topic: str
    partition: int
    ready: bool = True
    lag_messages: int | None = None
    progress_offset: int | None = None
    clock_at: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class SupplyFigures:
    """What is held of the supply of a material at a stage, or (`home`) of the reliance of a home; `None`: unknown."""

    material: str
    stage: str
    home: str | None = None
    top_share_ratio: float | None = None
    hhi_ratio: float | None = None
    import_reliance_ratio: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class WorkerSnapshot:
    """Owned by the worker at one instant, and by it alone.

    `measures`: of home partitions that are ready. `open_alerts`: the last change of each alert that is open, in ready
    partitions. `rules`: ids of the loaded rules, `None` in a worker that runs none. `last_event_at`: source to the
    instant (of the worker's clock) at which it last admitted an event of it. `scores`: the last score of each material
    and home, `supply`: shares, concentration and reliance, both of ready partitions. `refused_rule_sets`: by partition,
    whether the set applied last is refused there. `inputs`: by input topic and partition, whether time goes on without
    it.
    """

    measures: Sequence[MeasureAssessed] = ()
    scores: Sequence[RiskAssessed] = ()
    supply: Sequence[SupplyFigures] = ()
    open_alerts: Sequence[AlertChanged] = ()
    rules: Sequence[str] | None = None
    partitions: Sequence[PartitionSnapshot] = ()
    last_event_at: Mapping[str, datetime] = field(default_factory=dict)
    refused_rule_sets: Mapping[int, bool] = field(default_factory=dict)
    inputs: Mapping[tuple[str, int], bool] = field(default_factory=dict)


SnapshotSource = Callable[[], WorkerSnapshot]
"""Gives the snapshot; called from the scrape thread, so it must touch no Kafka, no Redis and no event loop."""
