"""Counts numbered events per partition, on the runtime or as documented for plain Faust, with an agent that awaits.

`python -m tests.integration.runtime.counting OPTIONS-AS-JSON`
"""

import asyncio
import sys
from typing import Any

import faust
import msgspec

from streams.runtime.checkpoint import CheckpointPolicy
from streams.runtime.faust_app import build_worker
from streams.runtime.runtime_settings import RuntimeSettings, SessionTimes
from streams.runtime.stage import SourceKind, StageSpec
from streams.runtime.stage_loop import StageLoop
from streams.runtime.stage_ports import Admitted, Outcome, StateStore
from streams.runtime.worker_process import run_worker

PREFIX = "count"
SESSION = SessionTimes(session_seconds=2.0, heartbeat_seconds=0.5, rebalance_seconds=3.0)


class CountOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What the test tells the worker."""

    bootstrap: str
    engine: str
    await_seconds: float = 0.001


class CountCore:
    """Keeps the set of numbers of each block of 256 as a bit field, and how often one came twice."""

    def __init__(self, partition: int, state: StateStore) -> None:
        self._state = state

    def process(self, admitted: Admitted) -> Outcome:
        for raw in admitted.items:
            number = int(bytes(raw))
            key = b"block-%d" % (number // 256)
            bits, twice_count = self._state.get(key) or (b"\x00" * 32, 0)
            seen = int.from_bytes(bits, "little")
            bit = 1 << (number % 256)
            after = (seen | bit).to_bytes(32, "little")
            self._state.put(key, (after, twice_count + (1 if seen & bit else 0)))
        return Outcome()


def run_on_runtime(options: CountOptions) -> None:
    """Count with the runtime; the agent awaits before each record, as one that calls something would."""
    spec = StageSpec(
        name="count",
        source_topic=f"{PREFIX}.numbers",
        source_kind=SourceKind.PLAIN,
        make_core=CountCore,
    )
    settings = RuntimeSettings(
        app_id=f"{PREFIX}-runtime",
        bootstrap=options.bootstrap,
        session=SESSION,
        checkpoint=CheckpointPolicy(maximum_record_count=500),
        commit_seconds=1.0,  # the tests look at what is committed
    )

    class AwaitingLoop(StageLoop):
        async def handle(self, message: Any) -> None:
            await asyncio.sleep(options.await_seconds)
            await super().handle(message)

    run_worker(build_worker(settings, [spec], make_loop=AwaitingLoop))


def run_on_plain_faust(options: CountOptions) -> None:
    """Count as Faust documents it: a table, a put per event, default recovery."""
    app = faust.App(
        f"{PREFIX}-plain",
        broker=f"kafka://{options.bootstrap}",
        store="memory://",
        topic_allow_declare=False,
        topic_disable_leader=True,
        topic_partitions=4,
        table_standby_replicas=0,
        broker_session_timeout=2.0,
        broker_heartbeat_interval=0.5,
        broker_rebalance_timeout=3.0,
        broker_commit_interval=1.0,
        web_enabled=False,
        worker_redirect_stdouts=False,
    )
    raw = {"key_type": bytes, "value_type": bytes, "key_serializer": "raw", "value_serializer": "raw"}
    numbers = app.topic(f"{PREFIX}.numbers", partitions=4, **raw)
    seen = app.Table("count", partitions=4, key_type=bytes, value_type=bytes)

    async def count(stream: Any) -> None:
        async for event in stream.events():
            await asyncio.sleep(options.await_seconds)
            key = b"n-%d" % int(event.value)
            seen[key] = b"%d" % (int(seen.get(key, b"0")) + 1)

    app.agent(numbers, name="count", isolated_partitions=True)(count)
    faust.Worker(app, loglevel="info", redirect_stdouts=False).execute_from_commandline()


if __name__ == "__main__":
    given = msgspec.json.decode(sys.argv[1], type=CountOptions)
    {"runtime": run_on_runtime, "plain": run_on_plain_faust}[given.engine](given)
