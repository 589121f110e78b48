"""The source continues at the position of the state, never at the committed offset.

Measured (docs/engine-traps.md 4): with early commits 12 of 20 partitions had a commit ahead of their state, in another
run the worst was 858 records ahead; after kill -9 the commit is behind. `perform_seek` is the one place all three
callers go through, and Faust also calls it from `getmany` in the middle of recovery (111 times in the runs): hence the
flag `recovering`.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

import structlog
from faust.transport.drivers.aiokafka import Consumer

from streams.runtime.exits import fatal
from streams.runtime.partition_state import NOTHING, PartitionState

_log = structlog.get_logger(__name__)


def decide_resume_offset(positions: list[int], *, earliest_offset: int) -> int | None:
    """Return the offset to read next, given the positions of the states fed by one source partition.

    The lowest of them counts; a state without progress starts at the earliest offset, not at the committed one.
    `None` means that records a state still needs are gone (retention): the worker must stop.
    """
    needed = [position + 1 if position != NOTHING else earliest_offset for position in positions]
    resume = min(needed)
    return None if resume < earliest_offset else resume


class SourceFault(StrEnum):
    """Why a source cannot be read on."""

    TRIMMED = "trimmed"
    SHORTENED = "shortened"
    STATE_AND_START_GONE = "state_and_start_gone"


_REMEDIES = {
    SourceFault.TRIMMED: "records of a source were deleted that the state has not read. Give the topic a longer "
    "retention and its records back; or, to begin anew without them, remove the local copy, delete the changelog and "
    "the consumer group, run `monazite topics ensure`, and start again",
    SourceFault.SHORTENED: "a source is shorter than what the state has read: it was deleted and made anew, or lost "
    "records. Give the topic its records back; or, to begin anew, remove the local copy, delete the changelog and the "
    "consumer group, run `monazite topics ensure`, and start again",
    SourceFault.STATE_AND_START_GONE: "the changelog is empty and the first records of its source are gone, so the "
    "state cannot be rebuilt. Give one of the two its records back; or, to begin with the rest, delete the consumer "
    "group and start again",
}


def decide_source(
    resume: int | None, *, earliest_offset: int, end_offset: int | None, committed: int | None, is_new: bool
) -> SourceFault | None:
    """Say what is wrong with a source partition that is to be read from `resume` on.

    `is_new`: no state fed by it has any progress; with a commit of the group (`committed`) there was one once.
    `end_offset` `None`: not known.
    """
    if resume is None:
        return SourceFault.TRIMMED
    if is_new:
        return SourceFault.STATE_AND_START_GONE if committed and earliest_offset > 0 else None
    if end_offset is not None and resume > end_offset:
        return SourceFault.SHORTENED
    return None


class SafeConsumer(Consumer):
    """Faust's consumer with its seek replaced."""

    async def perform_seek(self) -> None:
        """Seek each source partition to the position of its state; ignored until recovery is complete."""
        if self.app.tables.recovering:
            return
        committed = await self.seek_to_committed()
        source = [tp for tp in self.assignment() if not self._is_changelog_tp(tp)]
        earliest = await self.earliest_offsets(*source) if source else {}
        ends = await self._true_ends(source)
        if self.app.tables.recovering:
            return
        target: dict[Any, int] = {}
        for tp in source:
            states = self._states_of(tp)
            first, known = earliest.get(tp) or 0, committed.get(tp)
            if not states:
                target[tp] = first if known is None or known < first else known
                continue
            resume = decide_resume_offset([state.position for state in states], earliest_offset=first)
            facts = {
                "topic": tp.topic,
                "p": tp.partition,
                "positions": [state.position for state in states],
                "earliest": first,
                "end": ends.get(tp),
                "committed": known,
                "group": self.app.conf.id,
            }
            fault = decide_source(
                resume,
                earliest_offset=first,
                end_offset=ends.get(tp),
                committed=known,
                is_new=all(state.position == NOTHING for state in states),
            )
            if fault is not None:
                fatal(_REMEDIES[fault], **facts)
            assert resume is not None
            for state in states:
                if state.position == NOTHING:
                    state.position = state.progress = first - 1
                    if known:
                        _log.warning("the state is rebuilt: its changelog is empty, and its source is whole", **facts)
                state.resume_offset = resume
            target[tp] = resume
        await self.seek_wait(target)
        for tp, offset in target.items():
            # Otherwise Faust drops records or never commits: an ack below the old value is ignored, a first ack
            # more than one above it blocks every later commit.
            self._read_offset[tp] = self._committed_offset[tp] = offset or None

    async def _true_ends(self, source: list[Any]) -> Mapping[Any, int | None]:
        """Return the ends of the source partitions; nothing where the broker does not tell them exactly."""
        if not source or not self.app.settings.exact_end_offsets:
            return {}
        ends: Mapping[Any, int | None] = await self.highwaters(*source)
        return ends

    def _states_of(self, tp: Any) -> list[PartitionState]:
        tables = [table for table in self.app.tables.values() if table.source_topic == tp.topic]
        states = [table.data.states.get(tp.partition) for table in tables]
        return [state for state in states if state is not None]
