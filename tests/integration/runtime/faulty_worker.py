"""A worker whose core fails on order: `python -m tests.integration.runtime.faulty_worker OPTIONS-AS-JSON`."""

import sys

import msgspec

from streams.runtime.checkpoint import CheckpointPolicy
from streams.runtime.dead_letter_gauge import DeadLetterLimits
from streams.runtime.faust_app import build_worker
from streams.runtime.runtime_settings import RuntimeSettings, SessionTimes
from streams.runtime.stage import SourceKind, StageSpec
from streams.runtime.stage_ports import Admitted, Outcome, StateStore
from streams.runtime.worker_process import run_worker

REMEDY = "send a mended set"


class FaultyOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What the test tells the worker."""

    bootstrap: str
    prefix: str
    maximum_output_bytes: int = 1_000_000


class FaultyCore:
    """Does what an event says: puts a poison set in force or a mended one, outputs or keeps so many bytes.

    With the poison in force every other event raises, as a defect of a core would.
    """

    def __init__(self, partition: int, state: StateStore) -> None:
        self._state = state

    def process(self, admitted: Admitted) -> Outcome:
        """Take one record with one event."""
        outputs = []
        for segment in admitted.segments:
            for raw in segment.events:
                event = msgspec.json.decode(raw)
                if "set" in event:
                    self._state.put(b"set", event["set"])
                elif self._state.get(b"set") == "poison":
                    raise LookupError("the set in force is poison")
                if "keep" in event:
                    self._state.put(b"large", "x" * event["keep"])
                pad = "x" * event.get("pad", 0)
                outputs += [
                    msgspec.json.encode({"id": event["id"], "part": part, "pad": pad})
                    for part in range(event.get("outputs", 1))
                ]
        return Outcome(outputs=outputs)


def main(options: FaultyOptions) -> None:
    """Run the worker."""
    spec = StageSpec(
        name="faulty",
        source_topic=f"{options.prefix}.signals",
        source_kind=SourceKind.SIGNALS,
        output_topic=f"{options.prefix}.alerts",
        make_core=FaultyCore,
        remedy=REMEDY,
    )
    settings = RuntimeSettings(
        app_id=f"{options.prefix}-job",
        bootstrap=options.bootstrap,
        session=SessionTimes(session_seconds=2.0, heartbeat_seconds=0.5, rebalance_seconds=3.0),
        checkpoint=CheckpointPolicy(maximum_age_seconds=60.0),
        dead_letter_topic=f"{options.prefix}.letters",
        dead_letter_limits=DeadLetterLimits(maximum_run_count=50),
        maximum_output_bytes=options.maximum_output_bytes,
    )
    run_worker(build_worker(settings, [spec]))


if __name__ == "__main__":
    main(msgspec.json.decode(sys.argv[1], type=FaultyOptions))
