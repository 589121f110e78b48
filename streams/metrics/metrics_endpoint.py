"""A small HTTP server in a thread: `/metrics`, `/healthz`, `/readyz`.

A thread of its own, because it must answer when the event loop is stuck: that is when somebody looks.
"""

import threading
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

import msgspec
import structlog
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

Readiness = Callable[[], tuple[bool, Mapping[str, Any]]]
"""Tells whether the process does its work, and the facts behind that; called from a server thread."""

_REQUEST_SECONDS = 5.0
_log = structlog.get_logger(__name__)


class MetricsEndpoint:
    """Serves one registry at 127.0.0.1 (unless told otherwise); use as a context manager or call `start` and `stop`.

    `port` 0 takes a free one; `port` and `url` tell which after `start`. Raises `OSError` where the port is taken.
    """

    def __init__(
        self, registry: CollectorRegistry, *, port: int, readiness: Readiness, host: str = "127.0.0.1"
    ) -> None:
        self._registry = registry
        self._readiness = readiness
        self._address = (host, port)
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None

    @property
    def port(self) -> int:
        """Port that is served; raises `RuntimeError` before `start`."""
        if self._server is None:
            raise RuntimeError("the metrics endpoint is not started")
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        """Address of the server, without a path."""
        return f"http://{self._address[0]}:{self.port}"

    def start(self) -> Self:
        """Bind the port and serve until `stop`."""
        self._server = _Server(self._address, _answers(self._registry, self._readiness))
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.1}, name="metrics", daemon=True
        )
        self._thread.start()
        return self

    def stop(self) -> None:
        """Stop serving and free the port; safe to call twice."""
        server, self._server = self._server, None
        if server is not None:
            server.shutdown()
            server.server_close()
        if self._thread is not None:
            self._thread.join(timeout=_REQUEST_SECONDS)
            self._thread = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False  # a slow client must not hold up the stop of a worker
    allow_reuse_address = True


def _answers(registry: CollectorRegistry, readiness: Readiness) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = _REQUEST_SECONDS
        server_version = "monazite"
        sys_version = ""

        def do_GET(self) -> None:
            """Answer one request."""
            path = self.path.partition("?")[0]
            try:
                answer = _answer(path, self.headers.get("Accept", ""), registry, readiness)
            except Exception as error:  # noqa: BLE001 - a fault of a probe is an answer (500), not the end of the thread
                _log.error("metrics endpoint failed", path=path, error=repr(error))
                answer = (500, "application/json", _json({"error": type(error).__name__}))
            self._send(*answer)

        def _send(self, status: int, kind: str, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name is the base class's
            """Keep scrapes out of the log."""

    return Handler


def _answer(path: str, accept: str, registry: CollectorRegistry, readiness: Readiness) -> tuple[int, str, bytes]:
    if path == "/metrics":
        encode, kind = choose_encoder(accept)
        return 200, kind, encode(registry)
    if path == "/healthz":
        return 200, "application/json", _json({"alive": True})
    if path == "/readyz":
        ready, facts = readiness()
        return (200 if ready else 503), "application/json", _json({"ready": ready, **facts})
    return 404, "application/json", _json({"error": "not found", "paths": ["/metrics", "/healthz", "/readyz"]})


def _json(value: Any) -> bytes:
    return msgspec.json.encode(value, enc_hook=str)
