"""Ends a worker whose event loop stood still longer than its session: it may have lost its partitions unawares.

Behind it stand the fence, the position rule and the links (docs/runtime.md 3 to 5): this saves time, not correctness.
Both sides look: the loop at its own pulse (a stopped process that is woken), a thread at the loop (a loop that is
blocked and would never look).
"""

import asyncio
import threading

from streams.runtime.clock import monotonic_seconds
from streams.runtime.exits import fatal

_PULSES_PER_LIMIT = 10


class LoopWatchdog:
    """Watches the event loop it is started in."""

    def __init__(self, stall_limit_seconds: float) -> None:
        self._limit_seconds = stall_limit_seconds
        self._interval_seconds = stall_limit_seconds / _PULSES_PER_LIMIT
        self._pulse_seconds = monotonic_seconds()
        self._stopped = threading.Event()

    def start(self) -> None:
        """Start the pulse in the running loop and the watching thread."""
        self._pulse_seconds = monotonic_seconds()
        asyncio.get_running_loop().call_later(self._interval_seconds, self._beat)
        threading.Thread(target=self._watch, name="loop-watchdog", daemon=True).start()

    def stop(self) -> None:
        """Stop watching; the worker is on its way out."""
        self._stopped.set()

    def _check(self) -> None:
        stood_seconds = monotonic_seconds() - self._pulse_seconds
        if stood_seconds > self._limit_seconds and not self._stopped.is_set():
            fatal("the event loop stood still", seconds=round(stood_seconds, 1), limit=self._limit_seconds)

    def _beat(self) -> None:
        self._check()
        self._pulse_seconds = monotonic_seconds()
        if not self._stopped.is_set():
            asyncio.get_running_loop().call_later(self._interval_seconds, self._beat)

    def _watch(self) -> None:
        while not self._stopped.wait(self._interval_seconds):
            self._check()
