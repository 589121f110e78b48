"""A question that may hang, answered in time: readiness must say something while what it asks about says nothing."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

PATIENCE_SECONDS = 0.08

T = TypeVar("T")


class PromptQuestion(Generic[T]):
    """Asks in a thread of its own, one question at a time, and waits at most `patience_seconds` for the answer."""

    def __init__(self, question: Callable[[], T], *, patience_seconds: float = PATIENCE_SECONDS) -> None:
        self._question = question
        self._patience_seconds = patience_seconds
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="readiness")
        self._asked: Future[T] | None = None

    async def ask(self) -> T | None:
        """Return the answer, `None` when it takes too long. Raises what the question raises."""
        if self._asked is None:
            self._asked = self._executor.submit(self._question)
        asked = self._asked
        answer = asyncio.wrap_future(asked)
        answer.add_done_callback(_look_at)
        done, _ = await asyncio.wait([answer], timeout=self._patience_seconds)
        if not done:
            return None
        self._asked = None
        return asked.result()

    def close(self) -> None:
        """Take no more questions."""
        self._executor.shutdown(wait=False, cancel_futures=True)


def _look_at(answer: "asyncio.Future[T]") -> None:
    """Take note of an answer that nobody may wait for any more, so that asyncio does not report it as overlooked."""
    if not answer.cancelled():
        answer.exception()
