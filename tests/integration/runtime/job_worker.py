"""The worker of the job test, slowed down so that kills hit it at work."""

import sys
import time

import msgspec

from bench.job_r1 import DoneReport, Volatility, VolatilityCore
from streams.runtime.checkpoint import CheckpointPolicy
from streams.runtime.faust_app import build_worker
from streams.runtime.runtime_settings import RuntimeSettings, SessionTimes
from streams.runtime.stage import SourceKind, StageSpec
from streams.runtime.stage_ports import Admitted, Outcome, StateStore
from streams.runtime.worker_process import run_worker


class JobOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What the test tells the worker."""

    bootstrap: str
    prefix: str
    delay_seconds: float


class SlowVolatilityCore(VolatilityCore):
    """The job with a pause per record."""

    delay_seconds = 0.0

    def process(self, admitted: Admitted) -> Outcome:
        time.sleep(self.delay_seconds)
        return super().process(admitted)


def main(options: JobOptions) -> None:
    """Run the worker."""

    def make_core(partition: int, state: StateStore) -> SlowVolatilityCore:
        core = SlowVolatilityCore(partition, state)
        core.delay_seconds = options.delay_seconds
        return core

    spec = StageSpec(
        name="volatility",
        source_topic=f"{options.prefix}.signals",
        source_kind=SourceKind.SIGNALS,
        output_topic=f"{options.prefix}.alerts",
        make_core=make_core,
        decode_value=msgspec.msgpack.Decoder(Volatility).decode,
    )
    settings = RuntimeSettings(
        app_id=f"{options.prefix}-job",
        bootstrap=options.bootstrap,
        session=SessionTimes(session_seconds=2.0, heartbeat_seconds=0.5, rebalance_seconds=3.0),
        checkpoint=CheckpointPolicy(maximum_record_count=50),
    )
    run_worker(build_worker(settings, [spec], [DoneReport({})]))


if __name__ == "__main__":
    main(msgspec.json.decode(sys.argv[1], type=JobOptions))
