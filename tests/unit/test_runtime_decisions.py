"""When a group closes, when a tick is sent, when a worker is ready, when dead letters are too many."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from streams.runtime.ticks import (
    ClockReading,
    ClosingDecision,
    ClosingReason,
    TickDecision,
    decide_closing,
    decide_tick,
)

from streams.runtime.checkpoint import CheckpointPolicy, CheckpointReason, decide_checkpoint
from streams.runtime.consumer import decide_resume_offset
from streams.runtime.dead_letters import DeadLetterGauge, DeadLetterLimits, DeadLetterVerdict
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


@pytest.mark.parametrize(
    ("wall_seconds", "monotonic", "decision"),
    [(1, 1.0, TickDecision.SEND), (4000, 1.0, TickDecision.CLOCK_JUMPED), (-4000, 1.0, TickDecision.SEND)],
)
def test_a_wall_clock_that_jumps_ahead_sends_no_tick(
    wall_seconds: int, monotonic: float, decision: TickDecision
) -> None:
    """Time that was moved ahead stays ahead; a clock set back is harmless, the largest tick counts."""
    now = ClockReading(T0 + timedelta(seconds=wall_seconds), monotonic)
    assert decide_tick(ClockReading(T0, 0.0), now, maximum_jump_seconds=5.0) is decision


@pytest.mark.parametrize(
    ("taken", "ticked", "now", "reason", "again"),
    [
        (None, None, 100, ClosingReason.NOTHING_NEW, 50),
        (10, None, 50, ClosingReason.EVENTS_FLOW, 10),
        (10, None, 60, ClosingReason.QUIET, 50),
        (10, 9, 60, ClosingReason.QUIET, 50),
        (10, 10, 60, ClosingReason.NOTHING_NEW, 50),
        (10, 12, 99, ClosingReason.NOTHING_NEW, 50),
    ],
)
def test_a_partition_that_went_quiet_is_ticked_once(
    taken: int | None, ticked: int | None, now: int, reason: ClosingReason, again: int
) -> None:
    """What fires last before a silence is told soon; while events flow, and while nothing comes, no tick is added."""
    found = decide_closing(taken_at_seconds=taken, ticked_at_seconds=ticked, now_seconds=now, quiet_seconds=50)
    assert found == ClosingDecision(reason, again)


@given(st.lists(st.integers(0, 200), max_size=30))
def test_every_silence_has_one_closing_tick_when_it_has_lasted_long_enough(gaps: list[int]) -> None:
    """Asked when it says, it neither misses a silence nor ticks one twice, nor comes late."""
    taken = [sum(gaps[:n]) for n in range(len(gaps) + 1)]
    ticks: list[float] = []
    now: float = 0
    while now < taken[-1] + 200:
        last = max(at for at in taken if at <= now)
        decided = decide_closing(
            taken_at_seconds=last, ticked_at_seconds=ticks[-1] if ticks else None, now_seconds=now, quiet_seconds=50
        )  # fmt: skip
        if decided.reason is ClosingReason.QUIET:
            ticks.append(now)
        now += decided.ask_again_seconds
    silences = [at + 50 for at, after in pairwise([*taken, taken[-1] + 999]) if after - at > 50]
    assert [at for at in ticks if at - 50 not in taken] == []
    assert set(silences) <= set(ticks)
    assert len(ticks) == len(set(ticks)) <= len(silences) + sum(gap == 50 for gap in gaps)


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
