"""What readiness is told from: a broker that answers, questions that may hang, logs that hold what a state needs."""

import asyncio
import io
import socket
import struct
import threading
from collections.abc import Iterator

import pytest

from streams.runtime.broker_probe import BrokerConnection, BrokerProbe, api_versions_request
from streams.runtime.cluster import ClusterFacts, LogFault, NeededTopic, decide_changelog, decide_topics
from streams.runtime.consumer import SourceFault, decide_source
from streams.runtime.health import PartitionFacts, ProgressWatch, Readiness, WorkerFacts
from streams.runtime.logs import PatientLogger
from streams.runtime.prompt import PromptQuestion
from tests.support.waiting import wait_until


class SmallBroker:
    """Accepts connections, and answers each request with its correlation id unless told to be silent."""

    def __init__(self) -> None:
        self.silent = False
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listening.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        size = len(api_versions_request(0))
        with connection:
            while len(request := connection.recv(size, socket.MSG_WAITALL)) == size:
                if not self.silent:
                    connection.sendall(struct.pack(">i", 6) + request[8:12] + b"\0\0")

    def close(self) -> None:
        self._listening.close()


@pytest.fixture
def broker() -> Iterator[SmallBroker]:
    small = SmallBroker()
    yield small
    small.close()


def test_an_answer_of_any_bootstrap_address_will_do(broker: SmallBroker) -> None:
    """One broker of three may be down."""
    with socket.create_server(("127.0.0.1", 0)) as gone:
        nobody = f"127.0.0.1:{gone.getsockname()[1]}"
    connection = BrokerConnection(f"{nobody},{broker.address}")
    connection.ask(timeout_seconds=2)
    connection.ask(timeout_seconds=2)
    connection.close()


def test_a_broker_that_accepts_and_says_nothing_does_not_answer(broker: SmallBroker) -> None:
    """A stopped process still accepts connections: the kernel does."""
    broker.silent = True
    connection = BrokerConnection(broker.address)
    with pytest.raises(OSError, match=r"timed out"):
        connection.ask(timeout_seconds=0.2)
    connection.close()


def test_the_probe_says_what_it_waits_for_and_when_it_has_it(broker: SmallBroker) -> None:
    """Until the first answer nobody may be told that the broker is there."""
    probe = BrokerProbe(broker.address)
    assert not probe.answering
    assert broker.address in probe.waiting_for()[0]
    with probe:
        wait_until(lambda: probe.answering, timeout_seconds=5, what="an answer")
        assert probe.waiting_for() == []


def test_a_question_that_hangs_is_answered_in_time_and_not_asked_twice() -> None:
    """Readiness must say something while Redis says nothing; and threads must not pile up."""
    asked, go_on = [], threading.Event()

    def question() -> int:
        asked.append(1)
        go_on.wait(10)
        return 7

    async def ask() -> tuple[int | None, int | None, int | None]:
        prompt = PromptQuestion(question, patience_seconds=0.02)
        first, second = await prompt.ask(), await prompt.ask()
        go_on.set()
        third = None
        while third is None:
            third = await prompt.ask()
        prompt.close()
        return first, second, third

    assert asyncio.run(ask()) == (None, None, 7)
    assert len(asked) == 1


def test_lag_without_progress_is_named_with_its_partition() -> None:
    """An operator must not have to guess which of twelve partitions stands still."""
    watch = ProgressWatch(15.0)
    facts = WorkerFacts(
        assigned=True, recovering=False,
        partitions=(PartitionFacts(stage="rules", partition=2, position=4, end_offset=9),),
    )  # fmt: skip
    assert watch.evaluate_readiness(facts, monotonic_seconds=0) is Readiness.READY
    stalled = watch.evaluate_readiness(facts, monotonic_seconds=16)
    assert stalled is Readiness.STALLED
    assert watch.waiting_for(stalled) == [
        "partition 2 of rules to move: at offset 4, 4 records behind, no progress for 15 s"
    ]
    assert watch.waiting_for(Readiness.READY) == watch.waiting_for(stalled)


@pytest.mark.parametrize(
    ("held", "earliest", "end", "fault"),
    [
        (None, 0, 0, None), (None, 0, 9, None), (8, 0, 9, None), (8, 5, 9, None), (3, 4, 9, None),
        (9, 0, 9, LogFault.SHORTENED), (9, 0, 0, LogFault.SHORTENED),
        (None, 1, 9, LogFault.TRIMMED), (3, 5, 9, LogFault.TRIMMED),
    ],
)  # fmt: skip
def test_a_changelog_must_hold_what_follows_the_local_copy(
    held: int | None, earliest: int, end: int, fault: LogFault | None
) -> None:
    """Anything else is a state that looks right and is not."""
    assert decide_changelog(held, earliest_offset=earliest, end_offset=end) is fault


@pytest.mark.parametrize(
    ("resume", "earliest", "end", "committed", "is_new", "fault"),
    [
        (5, 0, 9, 5, False, None), (9, 0, 9, 9, False, None), (5, 0, None, 5, False, None),
        (10, 0, 9, 9, False, SourceFault.SHORTENED), (None, 7, 9, 5, False, SourceFault.TRIMMED),
        (0, 0, 9, 5, True, None), (3, 3, 9, None, True, None), (3, 3, 9, 0, True, None),
        (3, 3, 9, 5, True, SourceFault.STATE_AND_START_GONE),
    ],
)  # fmt: skip
def test_a_source_must_hold_what_the_state_has_not_read(
    resume: int | None, earliest: int, end: int | None, committed: int | None, is_new: bool, fault: SourceFault | None
) -> None:
    """A state that begins in the middle of its source is wrong without anybody noticing."""
    decided = decide_source(resume, earliest_offset=earliest, end_offset=end, committed=committed, is_new=is_new)
    assert decided is fault


def test_a_missing_topic_is_named_with_its_role_and_the_remedy() -> None:
    """The engine waits for a topic that is not there without a word."""
    needed = [
        NeededTopic(name="a", role="source of assess", partition_count=4),
        NeededTopic(name="d", role="dead letters", partition_count=None),
    ]
    assert decide_topics(ClusterFacts(cluster_id="c", partition_counts={"a": 4, "d": 1}), needed) is None
    missing = decide_topics(ClusterFacts(cluster_id="c", partition_counts={"d": 1}), needed)
    assert missing is not None
    assert missing.startswith("topic a (source of assess) is missing: `monazite topics ensure`")
    wrong = decide_topics(ClusterFacts(cluster_id="c", partition_counts={"a": 3, "d": 1}), needed)
    assert wrong is not None
    assert "3 partitions, expected 4" in wrong


class FullFile(io.StringIO):
    """A file on a disk that takes nothing."""

    def write(self, _: str) -> int:
        """Refuse."""
        raise OSError(28, "No space left on device")


def test_a_log_line_that_cannot_be_written_is_counted_and_stops_nobody() -> None:
    """An exception out of a log line ended the stage that wrote it."""
    before = PatientLogger.lost_lines_total
    logger = PatientLogger(FullFile())
    logger.info("one")
    logger.error("two")
    assert PatientLogger.lost_lines_total == before + 2
