"""What a stack that nobody uses writes: records and bytes of every topic over some minutes, scaled to a day.

`python -m bench.idle --minutes 60` starts a whole stack on Apache Kafka, lets it become quiet, waits, and prints JSON.
Bytes are those of the log segments on the broker's disk; what compaction removes within the time is not counted twice.
"""

import argparse
import json
import sys
import tempfile
import time
from collections import defaultdict
from contextlib import closing
from pathlib import Path
from typing import Any

from kafka import KafkaConsumer, TopicPartition

from bench.stack import running_stack

QUIET_SECONDS = 75.0
"""Before the measurement: after a minute without an event statements come at their idle cadence."""
DAY_SECONDS = 86_400
BROKER_LOG = "__cluster_metadata"
"""The broker's own log, written with no topic at all, and cut by the broker: shown apart."""


def record_counts(bootstrap: str) -> dict[str, int]:
    """Return how many offsets each topic has given out, internal topics included."""
    with closing(KafkaConsumer(bootstrap_servers=bootstrap, group_id=None)) as consumer:
        topics = sorted({*consumer.topics(), "__consumer_offsets"})
        tps = [TopicPartition(t, p) for t in topics for p in sorted(consumer.partitions_for_topic(t) or ())]
        counts: dict[str, int] = defaultdict(int)
        for tp, end in consumer.end_offsets(tps).items():
            counts[tp.topic] += end
        return dict(counts)


def bytes_on_disk(folder: Path) -> dict[str, int]:
    """Return the bytes of the log segments of each topic below the folder of a broker."""
    sizes: dict[str, int] = defaultdict(int)
    for segment in folder.rglob("*.log"):
        topic, _, partition = segment.parent.name.rpartition("-")
        if topic and partition.isdigit() and segment.stem.isdigit():
            sizes[topic] += segment.stat().st_size
    return dict(sizes)


def measure_idle(folder: Path, *, minutes: float) -> dict[str, Any]:
    """Run a stack without any input and return what it wrote, by topic and together."""
    with running_stack(folder) as plan:
        assert plan.bootstrap is not None
        print(f"the stack is ready; measuring {minutes:g} minutes from {QUIET_SECONDS:g} s on", file=sys.stderr)
        time.sleep(QUIET_SECONDS)
        counts, sizes, began = record_counts(plan.bootstrap), bytes_on_disk(folder), time.monotonic()
        time.sleep(minutes * 60)
        counts_after, sizes_after = record_counts(plan.bootstrap), bytes_on_disk(folder)
        seconds = time.monotonic() - began
    scale = DAY_SECONDS / seconds
    topics = {}
    for topic in sorted({*counts_after, *sizes_after}):
        records = counts_after.get(topic, 0) - counts.get(topic, 0)
        size = sizes_after.get(topic, 0) - sizes.get(topic, 0)
        if records or size:
            topics[topic] = {"records": records, "bytes": size, "records_a_day": round(records * scale),
                             "megabytes_a_day": round(size * scale / 1e6, 2)}  # fmt: skip
    own = topics.pop(BROKER_LOG, {"megabytes_a_day": 0.0})
    total = sum(each["bytes"] for each in topics.values())
    return {"seconds": round(seconds, 1), "topics": topics, "bytes": total,
            "megabytes_a_day": round(total * scale / 1e6, 2),
            "broker_metadata_megabytes_a_day": own["megabytes_a_day"]}  # fmt: skip


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.idle", description=__doc__)
    parser.add_argument("--minutes", type=float, default=60.0)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="monazite-idle-") as name:
        print(json.dumps(measure_idle(Path(name) / "run", minutes=asked.minutes), indent=2))


if __name__ == "__main__":
    main()
