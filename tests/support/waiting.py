"""Deadline-based waiting for tests: no sleeps, no retries."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from deploy.stack.waiting import DeadlineExceededError, wait_until

__all__ = ["DeadlineExceededError", "wait_for_value", "wait_until", "wait_until_async"]

T = TypeVar("T")


def wait_for_value(probe: Callable[[], T | None], *, timeout_seconds: float, what: str) -> T:
    """Return the first result of `probe()` that is not None."""
    found: list[T] = []

    def seen() -> bool:
        value = probe()
        if value is not None:
            found.append(value)
        return bool(found)

    wait_until(seen, timeout_seconds=timeout_seconds, what=what)
    return found[0]


async def wait_until_async(
    condition: Callable[[], Awaitable[object]], *, timeout_seconds: float, what: str, poll_seconds: float = 0.05
) -> None:
    """Return as soon as `await condition()` is true."""
    deadline = time.monotonic() + timeout_seconds
    while not await condition():
        if time.monotonic() >= deadline:
            raise DeadlineExceededError(f"waited {timeout_seconds:g} s for {what}")
        await asyncio.sleep(poll_seconds)
