"""A worker process of the oracle test: `python -m tests.integration.runtime.oracle_worker OPTIONS-AS-JSON`."""

import sys
from pathlib import Path

import msgspec

from streams.runtime.checkpoint import CheckpointPolicy
from streams.runtime.faust_app import SafeApp, build_worker
from streams.runtime.runtime_settings import RuntimeSettings, SessionTimes
from streams.runtime.stage import SourceKind, StageSpec
from streams.runtime.worker_process import run_worker
from tests.integration.runtime.oracle_core import AssessCore, RulesCore


class WorkerOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What the test tells a worker."""

    stages: list[str]
    bootstrap: str
    prefix: str
    data_directory: str | None = None
    maximum_output_bytes: int = 1_000_000
    stall_limit_seconds: float | None = None
    checkpoint_records: int = 200
    checkpoint_age_seconds: float = 1.0
    exact_end_offsets: bool = True


def build_oracle_worker(options: WorkerOptions) -> SafeApp:
    """Return the app with the stages asked for."""
    prefix = options.prefix
    signals, assessments, alerts = (f"{prefix}.{name}" for name in ("signals", "assessments", "alerts"))
    specs = {
        "assess": StageSpec(
            name="assess",
            source_topic=signals,
            source_kind=SourceKind.SIGNALS,
            output_topic=assessments,
            make_core=AssessCore,
        ),
        "rules": StageSpec(
            name="rules",
            source_topic=assessments,
            source_kind=SourceKind.LINKED,
            output_topic=alerts,
            make_core=RulesCore,
        ),
    }
    settings = RuntimeSettings(
        app_id=f"{prefix}-{'-'.join(options.stages)}",
        bootstrap=options.bootstrap,
        session=SessionTimes(session_seconds=2.0, heartbeat_seconds=0.5, rebalance_seconds=3.0),
        checkpoint=CheckpointPolicy(
            maximum_record_count=options.checkpoint_records,
            maximum_age_seconds=options.checkpoint_age_seconds,
            idle_seconds=0.5,
        ),
        exact_end_offsets=options.exact_end_offsets,
        data_directory=Path(options.data_directory) if options.data_directory else None,
        maximum_output_bytes=options.maximum_output_bytes,
        stall_limit_seconds=options.stall_limit_seconds,
    )
    return build_worker(settings, [specs[name] for name in options.stages])


if __name__ == "__main__":
    run_worker(build_oracle_worker(msgspec.json.decode(sys.argv[1], type=WorkerOptions)))
