"""What a core refuses, and what is too large for a record: not met again for ever, and nothing beside it is lost."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest
from kafka import KafkaProducer, TopicPartition
from kafka.admin import KafkaAdminClient

from streams.contracts.dead_letters import DeadLetterRecord, decode_dead_letter
from streams.contracts.reasons import RejectReason
from streams.contracts.records import LinkedRecord, Segment, SignalRecord, decode_linked, encode
from tests.integration.runtime.faulty_worker import REMEDY, FaultyOptions
from tests.integration.runtime.processes import WorkerProcess, read_topic
from tests.support.brokers import KafkaCluster
from tests.support.waiting import wait_until

pytestmark = pytest.mark.integration
SMALL_RECORDS = {"max.message.bytes": "1048576"}


@pytest.fixture(scope="module")
def broker() -> Iterator[KafkaCluster]:
    with KafkaCluster(properties={"group.min.session.timeout.ms": "1000"}) as started:
        yield started


@pytest.fixture
def prefix(broker: KafkaCluster, request: pytest.FixtureRequest) -> str:
    name = "f" + "".join(c for c in request.node.name if c.isalnum())[-60:]
    compacted = {"cleanup.policy": "compact", **SMALL_RECORDS}
    topics = {f"{name}.signals": {}, f"{name}.alerts": SMALL_RECORDS, f"{name}.letters": {}}
    broker.create_topics({**topics, f"{name}-job-faulty-changelog": compacted}, partitions=4)
    return name


def send(bootstrap: str, prefix: str, events: Sequence[dict[str, Any]]) -> None:
    """Put each event into a record of its own, all in partition 0."""
    producer = KafkaProducer(bootstrap_servers=bootstrap, acks="all", linger_ms=5)
    for offset, event in enumerate(events):
        raw = msgspec.Raw(msgspec.json.encode({"id": offset, **event}))
        segment = Segment(topic="in", partition=0, offset=offset, indexes=[0], events=[raw])
        producer.send(f"{prefix}.signals", value=encode(SignalRecord(segments=[segment])), partition=0)
    producer.flush()
    producer.close()


def outputs(bootstrap: str, prefix: str) -> tuple[list[LinkedRecord], list[tuple[int, int]]]:
    """Return the records a reader takes (a hole fails the test), and (event, part) of their outputs."""
    taken: list[LinkedRecord] = []
    for _, _, value in read_topic(bootstrap, f"{prefix}.alerts")[0]:
        record = decode_linked(value)
        if taken and record.place <= taken[-1].place:
            continue
        assert not taken or (record.prev, record.prev_n) == taken[-1].place
        taken.append(record)
    made = [msgspec.json.decode(output) for record in taken for output in record.x]
    return taken, [(each["id"], each["part"]) for each in made]


def letters(bootstrap: str, prefix: str) -> list[DeadLetterRecord]:
    return [decode_dead_letter(value) for kept in read_topic(bootstrap, f"{prefix}.letters") for _, _, value in kept]


def faulty_worker(broker: KafkaCluster, prefix: str, folder: Path) -> WorkerProcess:
    options = FaultyOptions(bootstrap=broker.bootstrap, prefix=prefix)
    return WorkerProcess("tests.integration.runtime.faulty_worker", options, folder / "worker.log")


def run_until(worker: WorkerProcess, reached: Callable[[], bool], what: str) -> None:
    """Keep the worker up, as a supervisor does, until something holds; end it."""
    worker.start()

    def met() -> bool:
        worker.restart_if_ended()
        return reached()

    try:
        wait_until(met, timeout_seconds=90, what=what)
    finally:
        worker.end()


def test_a_core_that_refuses_everything_stops_with_the_remedy_and_a_mended_set_reaches_it(
    broker: KafkaCluster, prefix: str, tmp_path: Path
) -> None:
    """It ended at the same records for ever, and the set that mends it stands behind them in the log."""
    poisoned = range(11, 191)
    events: list[dict[str, Any]] = (
        [{} for _ in range(10)] + [{"set": "poison"}] + [{} for _ in poisoned] + [{"set": "mended"}]
    )
    events += [{} for _ in range(10)]
    send(broker.bootstrap, prefix, events)
    worker = faulty_worker(broker, prefix, tmp_path)
    last = len(events) - 1
    run_until(worker, lambda: (last, 0) in outputs(broker.bootstrap, prefix)[1], "the last event")
    assert worker.fatal_exit_count == 3  # 180 refused, 51 at a start
    log = worker.log.read_text()
    assert "FATAL too many dead letters (run_exceeded)" in log
    assert "the set in force is poison" in log
    assert REMEDY in log
    assert {letter.offset for letter in letters(broker.bootstrap, prefix)} == set(poisoned)
    assert outputs(broker.bootstrap, prefix)[1] == [(n, 0) for n in range(len(events)) if n not in poisoned]


def test_outputs_that_one_record_cannot_hold_are_split_and_one_that_none_holds_is_a_dead_letter(
    broker: KafkaCluster, prefix: str, tmp_path: Path
) -> None:
    """The broker refuses the record, and the worker died of it at every start."""
    events: list[dict[str, Any]] = [{}, {"outputs": 25, "pad": 100_000}, {}, {"pad": 2_000_000}, {}]
    send(broker.bootstrap, prefix, events)
    worker = faulty_worker(broker, prefix, tmp_path)
    run_until(worker, lambda: (4, 0) in outputs(broker.bootstrap, prefix)[1], "the last event")
    records, made = outputs(broker.bootstrap, prefix)
    assert made == [(0, 0), *((1, part) for part in range(25)), (2, 0), (4, 0)]
    assert [(record.o, record.n, record.more) for record in records] == [
        (0, 0, False), (1, 0, True), (1, 1, True), (1, 2, False), (2, 0, False), (4, 0, False),
    ]  # fmt: skip
    (letter,) = letters(broker.bootstrap, prefix)
    assert (letter.reason, letter.offset) == (RejectReason.OUTPUT_TOO_LARGE, 3)
    assert letter.cut_from is not None and letter.cut_from > 2_000_000
    assert worker.fatal_exit_count == 0


@pytest.mark.parametrize("size", [2_000_000, 6_000_000])
def test_a_value_too_large_for_the_changelog_is_named_with_its_size_and_the_remedy(
    broker: KafkaCluster, prefix: str, tmp_path: Path, size: int
) -> None:
    """Whether the broker refuses it or our own limit does."""
    send(broker.bootstrap, prefix, [{}, {"keep": size}])
    worker = faulty_worker(broker, prefix, tmp_path)
    worker.start()
    try:
        wait_until(lambda: (1, 0) in outputs(broker.bootstrap, prefix)[1], timeout_seconds=60, what="the event")
        assert worker.terminate() == 70
    finally:
        worker.end()
    log = worker.log.read_text()
    assert "FATAL a value of the state is larger than a record of its changelog may be" in log
    assert "key=b'large'" in log
    assert f"raise max.message.bytes of {prefix}-job-faulty-changelog" in log


def _trim(broker: KafkaCluster, prefix: str) -> None:
    """Records that nobody has read yet fall out of the log, as with a retention that is too short."""
    send(broker.bootstrap, prefix, [{} for _ in range(10)])
    _delete_up_to(broker, f"{prefix}.signals", 15)


def _make_anew(broker: KafkaCluster, prefix: str) -> None:
    _recreate(broker, f"{prefix}.signals")
    send(broker.bootstrap, prefix, [{}])


def _lose_state_and_start(broker: KafkaCluster, prefix: str) -> None:
    _recreate(broker, f"{prefix}-job-faulty-changelog")
    _delete_up_to(broker, f"{prefix}.signals", 5)


def _delete_up_to(broker: KafkaCluster, topic: str, offset: int) -> None:
    with closing(KafkaAdminClient(bootstrap_servers=broker.bootstrap)) as admin:
        admin.delete_records({TopicPartition(topic, 0): offset})


def _recreate(broker: KafkaCluster, topic: str) -> None:
    with closing(KafkaAdminClient(bootstrap_servers=broker.bootstrap)) as admin:
        admin.delete_topics([topic])
        wait_until(lambda: topic not in admin.list_topics(), timeout_seconds=10, what=f"{topic} to be gone")
    broker.create_topics({topic: {}}, partitions=4)


@pytest.mark.parametrize(
    ("happens", "words"),
    [
        (_trim, "records of a source were deleted that the state has not read"),
        (_make_anew, "a source is shorter than what the state has read"),
        (_lose_state_and_start, "the changelog is empty and the first records of its source are gone"),
    ],
)
def test_a_source_that_lost_records_stops_the_worker_with_the_remedy(
    broker: KafkaCluster, prefix: str, tmp_path: Path, happens: Callable[[KafkaCluster, str], None], words: str
) -> None:
    """Reading on would pass over them in silence."""
    send(broker.bootstrap, prefix, [{} for _ in range(10)])
    worker = faulty_worker(broker, prefix, tmp_path)
    worker.start()
    try:
        wait_until(lambda: (9, 0) in outputs(broker.bootstrap, prefix)[1], timeout_seconds=60, what="the last event")
        assert worker.terminate() == 0
        happens(broker, prefix)
        worker.start()
        assert worker.wait() == 70
    finally:
        worker.end()
    line = next(line for line in worker.log.read_text().splitlines() if words in line)
    assert f"{prefix}.signals" in line
    assert "start again" in line
