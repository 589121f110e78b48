"""The view of owned partitions for metrics and the read view: ready states only, so nothing of a lost partition."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from streams.runtime.stage_ports import StateStore
from streams.runtime.watermark import InputClock


@dataclass(frozen=True, slots=True)
class OwnedPartition:
    """One ready partition of one stage. `position` runs ahead of `progress` by at most one checkpoint.

    `clock`: how far its inputs have come.
    """

    stage: str
    partition: int
    state: StateStore
    position: int
    progress: int
    key_count: int
    clock: InputClock


def owned_partitions(app: Any, stage: str | None = None) -> Iterator[OwnedPartition]:
    """Iterate the ready partitions of `stage`, or of all stages, at this moment."""
    for table in app.tables.values():
        if stage is not None and table.name != stage:
            continue
        for partition, state in sorted(table.data.states.items()):
            if state.ready:
                yield OwnedPartition(
                    table.name, partition, state, state.position, state.progress, len(state.data), state.marks.clock
                )
