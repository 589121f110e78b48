"""Properties of the retry schedule: bounded, growing, the same for the same delivery."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from alerts.delivery.schedule import RetrySchedule

SCHEDULE = RetrySchedule()


@given(st.integers(1, 15), st.text(max_size=30))
def test_a_wait_is_within_its_bounds_and_does_not_depend_on_chance(attempt: int, delivery: str) -> None:
    """A replayed ledger must say the same."""
    wait = SCHEDULE.delay(attempt, delivery=delivery)
    assert wait is not None
    assert SCHEDULE.first <= wait <= SCHEDULE.longest * 1.25
    assert wait == SCHEDULE.delay(attempt, delivery=delivery)


@given(st.integers(16, 1000))
def test_the_last_attempt_is_the_last(attempt: int) -> None:
    """Retries end."""
    assert SCHEDULE.delay(attempt, delivery="d") is None


def test_what_the_receiver_asks_for_is_the_least() -> None:
    """A `Retry-After` is an answer."""
    assert SCHEDULE.delay(1, delivery="d", asked_seconds=900) == timedelta(seconds=900)
