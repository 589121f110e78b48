"""When a group closes, when a worker is ready, when dead letters are too many."""

from datetime import UTC, datetime

import pytest

from streams.runtime.checkpoint import CheckpointPolicy, CheckpointReason, decide_checkpoint
from streams.runtime.consumer import decide_resume_offset
from streams.runtime.dead_letter_gauge import DeadLetterGauge, DeadLetterLimits, DeadLetterVerdict
from streams.runtime.health import PartitionFacts, ProgressWatch, Readiness, WorkerFacts

T0 = datetime(2026, 1, 1, tzinfo=UTC)
POLICY = CheckpointPolicy(maximum_record_count=10, maximum_change_count=100)


@pytest.mark.parametrize(
    ("records", "changes", "age", "ticked", "reason"),
    [
        (1, 1, 0.0, False, None),
        (10, 1, 0.0, False, CheckpointReason.RECORDS),
        (1, 100, 0.0, False, CheckpointReason.CHANGES),
        (1, 1, 1.0, False, CheckpointReason.AGE),
        (1, 1, 0.3, True, CheckpointReason.TICK),
        (1, 1, 0.1, True, None),
    ],
)
def test_the_first_limit_reached_closes_the_group(
    records: int, changes: int, age: float, ticked: bool, reason: CheckpointReason | None
) -> None:
    """A tick right after a checkpoint does not cost another: a replay may hold years of ticks."""
    decided = decide_checkpoint(POLICY, record_count=records, change_count=changes, age_seconds=age, ticked=ticked)
    assert decided is reason


def test_a_group_in_which_only_time_passed_is_closed_seldom() -> None:
    """An idle stack states time all day; to read that again after a crash costs nothing."""
    ages = {5.0: None, 29.0: None, 30.0: CheckpointReason.AGE}
    for age, reason in ages.items():
        decided = decide_checkpoint(
            POLICY, record_count=50, change_count=1, age_seconds=age, ticked=False, time_only=True
        )  # fmt: skip
        assert decided is reason


def test_reading_resumes_where_the_state_stands() -> None:
    """Neither the committed offset nor retention may move it; a state ahead of nothing starts at the earliest."""
    assert decide_resume_offset([41], earliest_offset=0) == 42
    assert decide_resume_offset([-1], earliest_offset=7) == 7
    assert decide_resume_offset([41, 30], earliest_offset=0) == 31
    assert decide_resume_offset([41], earliest_offset=43) is None


def test_lag_without_progress_is_stalled_and_progress_ends_it() -> None:
    """A worker may be up while its agent is dead: `/readyz` must say so."""
    watch = ProgressWatch(stalled_after_seconds=10)

    def facts(position: int) -> WorkerFacts:
        partition = PartitionFacts(stage="assess", partition=0, position=position, end_offset=100)
        return WorkerFacts(assigned=True, recovering=False, partitions=(partition,))

    assert watch.evaluate_readiness(facts(5), monotonic_seconds=0) is Readiness.READY
    assert watch.evaluate_readiness(facts(5), monotonic_seconds=10) is Readiness.READY
    assert watch.evaluate_readiness(facts(5), monotonic_seconds=11) is Readiness.STALLED
    assert watch.evaluate_readiness(facts(6), monotonic_seconds=12) is Readiness.READY
    assert watch.evaluate_readiness(facts(99), monotonic_seconds=99) is Readiness.READY


def test_no_assignment_and_recovery_are_not_ready() -> None:
    """A load balancer must not count a worker that cannot answer for its partitions."""
    watch = ProgressWatch(stalled_after_seconds=10)
    starting = WorkerFacts(assigned=False, recovering=True, partitions=())
    recovering = WorkerFacts(assigned=True, recovering=True, partitions=())
    assert watch.evaluate_readiness(starting, monotonic_seconds=0) is Readiness.STARTING
    assert watch.evaluate_readiness(recovering, monotonic_seconds=0) is Readiness.RECOVERING


def test_a_run_of_dead_letters_stops_the_worker_and_a_few_do_not() -> None:
    """Our own defect must not empty the road into the dead letters."""
    gauge = DeadLetterGauge(DeadLetterLimits(maximum_ratio=0.5, window_count=4, maximum_run_count=3))
    verdicts = [gauge.record(refused=bad) for bad in (True, False, True, True, True, True)]
    assert verdicts[:4] == [DeadLetterVerdict.WITHIN_LIMITS] * 3 + [DeadLetterVerdict.RATIO_EXCEEDED]
    assert verdicts[-1] is DeadLetterVerdict.RUN_EXCEEDED
