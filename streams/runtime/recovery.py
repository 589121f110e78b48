"""The end of recovery without the race that drops records, and a start from what the store really holds.

Measured: stock Faust resumes the source *before* it seeks; 3 of 7 restarts on Kafka 4.1 lost records, with two brokers
and an agent that awaits 8 of 8 (docs/engine-traps.md 2). Handed in by the supported setting `App(TableManager=...)`.
"""

import asyncio
from typing import Any

from faust.tables.manager import TableManager
from faust.tables.recovery import Recovery

from streams.runtime.cluster import LogFault, decide_changelog
from streams.runtime.exits import fatal

_LOOKS_AT_SHORTENED = 5
_LOOK_SECONDS = 1.0  # a broker that came back a moment ago may still tell too low an end


_REMEDIES = {
    LogFault.SHORTENED: "a changelog is shorter than the local copy of its state: it was made anew, or lost "
    "records. Remove the local copy and start again: the state is rebuilt from its source",
    LogFault.TRIMMED: "records were deleted from a changelog, and the state cannot be read without them. Delete the "
    "topic and the local copy, run `monazite topics ensure`, and start again: the state is rebuilt from its source",
}


class SafeRecovery(Recovery):
    """Faust's recovery with the flow closed before the seek."""

    async def _build_offsets(self, consumer: Any, tps: Any, destination: Any, title: str) -> None:
        # Recovery's own memory outlives a dropped state: a partition that stayed assigned was read from the old
        # offset on and came up empty (seen once, broker killed). Only the store knows what it holds.
        for tp in tps:
            destination[tp] = self.tp_to_table[tp].data.persisted_offset(tp)
        await self._check_changelogs(consumer, tps)
        await super()._build_offsets(consumer, tps, destination, title)

    async def _check_changelogs(self, consumer: Any, tps: Any) -> None:
        """End the worker where a changelog does not hold what the state needs; say which, and what to do."""
        if not tps or not self.app.settings.exact_end_offsets:
            return
        for look in range(_LOOKS_AT_SHORTENED):
            earliest = await consumer.earliest_offsets(*tps)
            ends = await consumer.highwaters(*tps)
            held = {tp: self.tp_to_table[tp].data.persisted_offset(tp) for tp in tps}
            faults = {}
            for tp in tps:
                first, end = earliest.get(tp) or 0, ends.get(tp) or 0
                fault = decide_changelog(held[tp], earliest_offset=first, end_offset=end)
                if fault is not None:
                    faults[tp] = fault
            if not faults:
                return
            if look < _LOOKS_AT_SHORTENED - 1 and LogFault.TRIMMED not in faults.values():
                await asyncio.sleep(_LOOK_SECONDS)
        tp = min(faults)
        store = self.tp_to_table[tp].data
        facts = {"topic": tp.topic, "p": tp.partition, "held": held[tp], "earliest": earliest.get(tp), "end": ends[tp]}
        where = {"source": store.spec.source_topic, "local_copy": str(store.directory)}
        fatal(_REMEDIES[faults[tp]], **facts, **where)

    async def on_recovery_completed(self, generation_id: int = 0) -> None:
        """Close the flow, mark the states ready unless a newer rebalance runs, then let Faust seek and resume."""
        app = self.app
        app.consumer.stop_flow()
        app.flow_control.suspend()
        app.flow_control.clear()
        if app.consumer_generation_id == generation_id:
            for table in self.tables.values():
                table.data.mark_ready()
            self.tables.recovering = False
        await super().on_recovery_completed(generation_id)

    async def _resume_streams(self, generation_id: int = 0) -> None:
        if self.app.consumer_generation_id == generation_id:
            self.tables.recovering = False
        await super()._resume_streams(generation_id)


class SafeTableManager(TableManager):
    """Faust's table manager with `SafeRecovery` and a flag that is true from the start of a rebalance to its end."""

    recovering = True
    _recovery: SafeRecovery | None

    def on_partitions_revoked(self, revoked: Any) -> None:
        """Raise the flag before anything else happens."""
        self.recovering = True
        super().on_partitions_revoked(revoked)

    async def on_rebalance(self, assigned: Any, revoked: Any, newly_assigned: Any, generation_id: int = 0) -> None:
        """Raise the flag again: a rebalance may come without a revocation."""
        self.recovering = True
        await super().on_rebalance(assigned, revoked, newly_assigned, generation_id)

    @property
    def recovery(self) -> SafeRecovery:
        """Recovery service used by this table manager."""
        if self._recovery is None:
            self._recovery = SafeRecovery(self.app, self, beacon=self.beacon, loop=self.loop)
        return self._recovery
