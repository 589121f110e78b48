"""Whether the broker answers, asked in a thread of its own once a second: readiness is told from the last answer.

One request that every broker answers without work (ApiVersions, version 0) on a connection that stays open. A client
library would do, at the price of a second metadata client in every process; and a stopped broker still accepts
connections, so a connect proves nothing.
"""

import socket
import struct
import threading
from types import TracebackType
from typing import Final, Self

import structlog

from streams.runtime.clock import monotonic_seconds

ANSWER_LIMIT_SECONDS: Final = 5.0
"""A broker that did not answer for so long is not there."""
_INTERVAL_SECONDS = 1.0
_API_VERSIONS = 18
_CLIENT_ID = b"monazite-readiness"
_log = structlog.get_logger(__name__)


def api_versions_request(correlation: int) -> bytes:
    """Return the framed request: length, key, version, correlation, client id (Kafka protocol, request header v1)."""
    body = struct.pack(f">hhih{len(_CLIENT_ID)}s", _API_VERSIONS, 0, correlation, len(_CLIENT_ID), _CLIENT_ID)
    return struct.pack(">i", len(body)) + body


class BrokerConnection:
    """A connection to the first of the bootstrap addresses that answers."""

    def __init__(self, bootstrap: str) -> None:
        self._addresses = [part.strip().rpartition(":") for part in bootstrap.split(",")]
        self._socket: socket.socket | None = None
        self._correlation = 0

    def ask(self, *, timeout_seconds: float) -> None:
        """Return when the broker has answered. Raises `OSError` when none does in the time, shared by all addresses."""
        each_seconds = timeout_seconds / len(self._addresses)
        failure: OSError | None = None
        for _ in range(len(self._addresses)):
            host, _, port = self._addresses[0]
            try:
                self._ask(host, int(port), each_seconds)
                return
            except OSError as error:
                failure = error
                self.close()
                self._addresses.append(self._addresses.pop(0))
        assert failure is not None
        raise failure

    def close(self) -> None:
        """Close the connection."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _ask(self, host: str, port: int, timeout_seconds: float) -> None:
        deadline = monotonic_seconds() + timeout_seconds
        if self._socket is None:
            self._socket = socket.create_connection((host, port), timeout=timeout_seconds)
        self._correlation += 1
        self._socket.settimeout(max(0.01, deadline - monotonic_seconds()))
        self._socket.sendall(api_versions_request(self._correlation))
        (length,) = struct.unpack(">i", self._read(4, deadline))
        (correlation,) = struct.unpack_from(">i", self._read(length, deadline))
        if correlation != self._correlation:
            raise ConnectionError("the broker answered something else")

    def _read(self, count: int, deadline: float) -> bytes:
        assert self._socket is not None
        parts = bytearray()
        while len(parts) < count:
            self._socket.settimeout(max(0.01, deadline - monotonic_seconds()))
            part = self._socket.recv(count - len(parts))
            if not part:
                raise ConnectionError("the broker closed the connection")
            parts += part
        return bytes(parts)


class BrokerProbe:
    """Keeps asking the broker; use as a context manager or call `start` and `stop`.

    Says in one log line when the broker stopped answering, and in one when it is back.
    """

    def __init__(self, bootstrap: str) -> None:
        self._bootstrap = bootstrap
        self._answered_at: float | None = None
        self._began_at = monotonic_seconds()
        self._away = False
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def silent_seconds(self) -> float:
        """Seconds since the last answer, or since the start where there was none."""
        known = self._answered_at
        return monotonic_seconds() - (self._began_at if known is None else known)

    @property
    def answering(self) -> bool:
        """Whether the broker answered within the last five seconds."""
        return self._answered_at is not None and self.silent_seconds <= ANSWER_LIMIT_SECONDS

    def waiting_for(self) -> list[str]:
        """Return what readiness waits for: nothing, or an answer of the broker."""
        if self.answering:
            return []
        return [f"the broker at {self._bootstrap} to answer (silent for {self.silent_seconds:.0f} s)"]

    def start(self) -> Self:
        """Start asking."""
        self._thread = threading.Thread(target=self._run, name="broker-probe", daemon=True)
        self._thread.start()
        return self

    def stop(self) -> None:
        """Stop asking; the thread ends with its running question."""
        self._stopped.set()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    def _run(self) -> None:
        connection = BrokerConnection(self._bootstrap)
        while not self._stopped.is_set():
            try:
                connection.ask(timeout_seconds=ANSWER_LIMIT_SECONDS)
                self._answered_at = monotonic_seconds()
            except (OSError, ValueError, struct.error):
                connection.close()
            self._report()
            self._stopped.wait(_INTERVAL_SECONDS)
        connection.close()

    def _report(self) -> None:
        away = self.silent_seconds > ANSWER_LIMIT_SECONDS
        if away != self._away:
            self._away = away
            if away:
                _log.error(
                    "the broker does not answer; this process waits and goes on when it is back",
                    bootstrap=self._bootstrap,
                    silent_seconds=round(self.silent_seconds, 1),
                )
            else:
                _log.info("the broker answers again", bootstrap=self._bootstrap)
