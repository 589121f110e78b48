"""The source continues at the position of the state, never at the committed offset.

Measured (RUNTIME.md 1): with early commits 12 of 20 partitions had a commit ahead of their state, worst 858 records;
after kill -9 the commit is behind. `perform_seek` is the one place all three callers go through, and Faust also
calls it from `getmany` in the middle of recovery (111 times in the runs): hence the flag `recovering`.
"""

from typing import Any

from faust.transport.drivers.aiokafka import Consumer

from streams.runtime.exits import fatal
from streams.runtime.state import NOTHING, PartitionState


def decide_resume_offset(positions: list[int], *, earliest_offset: int) -> int | None:
    """Return the offset to read next, given the positions of the states fed by one source partition.

    The lowest of them counts; a state without progress starts at the earliest offset, not at the committed one.
    `None` means that records a state still needs are gone (retention): the worker must stop.
    """
    needed = [position + 1 if position != NOTHING else earliest_offset for position in positions]
    resume = min(needed)
    return None if resume < earliest_offset else resume


class SafeConsumer(Consumer):
    """Faust's consumer with its seek replaced."""

    async def perform_seek(self) -> None:
        """Seek each source partition to the position of its state; ignored until recovery is complete."""
        if self.app.tables.recovering:
            return
        committed = await self.seek_to_committed()
        source = [tp for tp in self.assignment() if not self._is_changelog_tp(tp)]
        earliest = await self.earliest_offsets(*source) if source else {}
        if self.app.tables.recovering:
            return
        target: dict[Any, int] = {}
        for tp in source:
            states = self._states_of(tp)
            first = earliest.get(tp) or 0
            if not states:
                known = committed.get(tp)
                target[tp] = first if known is None or known < first else known
                continue
            resume = decide_resume_offset([state.position for state in states], earliest_offset=first)
            if resume is None:
                facts = {"positions": [state.position for state in states], "earliest": first}
                fatal(
                    "records the state still needs were deleted; lengthen retention or reset the state", tp=tp, **facts
                )
            for state in states:
                if state.position == NOTHING:
                    state.position = state.progress = first - 1
                state.resume_offset = resume
            target[tp] = resume
        await self.seek_wait(target)
        for tp, offset in target.items():
            # Otherwise Faust drops records or never commits: an ack below the old value is ignored, a first ack
            # more than one above it blocks every later commit.
            self._read_offset[tp] = self._committed_offset[tp] = offset or None

    def _states_of(self, tp: Any) -> list[PartitionState]:
        tables = [table for table in self.app.tables.values() if table.source_topic == tp.topic]
        states = [table.data.states.get(tp.partition) for table in tables]
        return [state for state in states if state is not None]
