"""Waiting for a condition with a deadline."""

import time
from collections.abc import Callable

POLL_SECONDS = 0.05


class DeadlineExceededError(TimeoutError):
    """A condition did not become true in time; the message says which and what was last seen."""


def wait_until(
    condition: Callable[[], object],
    *,
    timeout_seconds: float,
    what: str,
    poll_seconds: float = POLL_SECONDS,
    detail: Callable[[], str] | None = None,
) -> None:
    """Return as soon as `condition()` is true.

    `what` completes "waited N s for ..."; `detail` gives more text for the error. Raises `DeadlineExceededError` when
    `timeout_seconds` pass first. An exception of `condition` is not caught: a failed server should fail at once.
    """
    deadline = time.monotonic() + timeout_seconds
    while not condition():
        if time.monotonic() >= deadline:
            more = f"\n{detail()}" if detail is not None else ""
            raise DeadlineExceededError(f"waited {timeout_seconds:g} s for {what}{more}")
        time.sleep(poll_seconds)
