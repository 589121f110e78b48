"""`POST /v1/events` and its neighbours. 202 means: the broker has the events, on all replicas.

Whether the broker has them for good is said with each answer: the embedded one holds them until the stack stops.
"""

from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import unquote_to_bytes

import msgspec
import structlog
import uvicorn
from fastapi import FastAPI, Request, Response
from limits import RateLimitItemPerSecond
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter
from prometheus_client import CollectorRegistry
from prometheus_client import Counter as MetricCounter
from prometheus_client.exposition import choose_encoder
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from producers.gateway.asyncapi import asyncapi_document
from producers.gateway.gateway_admission import EventResult, EventStatus, examine, mark_duplicates
from producers.gateway.keys import SCOPE, KeyFile, KeyVerdict, decide_access
from producers.gateway.openapi import EVENTS_DOCUMENTATION
from producers.gateway.seen_events import SeenWindow
from streams.contracts.codec import BATCH_TYPE, split_record
from streams.contracts.dead_letters import NO_POSITION, DeadLetterRecord
from streams.contracts.events import Event
from streams.contracts.reasons import DecodeError
from streams.contracts.topics import DEFAULT_PREFIX

MAX_BODY_BYTES = 1024 * 1024
REQUESTS_PER_SECOND = 200
RETENTION_OF_MEMORY = "until the stack stops"
_log = structlog.get_logger(__name__)


class GatewayPublisher(Protocol):
    """What the gateway needs of a publisher; both calls return only when the broker has the records."""

    def publish_batch(self, events: Sequence[Event]) -> Sequence[object]:
        """Publish events to their topics."""

    def publish_dead_letter(self, letter: DeadLetterRecord) -> object:
        """Publish what was refused, with the reason."""


class ProblemError(Exception):
    """A request that is refused as a whole (RFC 9457)."""

    def __init__(self, status: HTTPStatus, title: str, detail: str, **more: Any) -> None:
        super().__init__(title)
        self.status = status
        self.document = {"type": "about:blank", "status": int(status), "title": title, "detail": detail, **more}


class Gateway:
    """The decisions of the gateway around its parts."""

    def __init__(
        self,
        *,
        publisher: GatewayPublisher,
        seen: SeenWindow,
        keys: KeyFile,
        clock: Callable[[], datetime],
        registry: CollectorRegistry,
        waiting_for: Callable[[], Sequence[str]],
        requests_per_second: int = REQUESTS_PER_SECOND,
    ) -> None:
        self._waiting_for = waiting_for
        self._publisher, self._seen, self._keys, self._clock = publisher, seen, keys, clock
        self._limiter = FixedWindowRateLimiter(MemoryStorage())
        self._rate = RateLimitItemPerSecond(requests_per_second)
        self._events = MetricCounter(
            "monazite_gateway_events_total",
            "Events sent to the gateway, by what became of them.",
            ["status"],
            registry=registry,
        )
        for status in EventStatus:
            self._events.labels(status.value)

    def authorise(self, request: Request) -> None:
        """Refuse a request without a valid key, or too many of them."""
        verdict = decide_access(
            request.headers.get("authorization"), self._keys.records(), scope=SCOPE, at=self._clock()
        )
        if verdict is KeyVerdict.WRONG_SCOPE:
            raise ProblemError(
                HTTPStatus.FORBIDDEN, "Forbidden", f"the key lacks the scope {SCOPE}", reason=verdict.value
            )
        if verdict is not KeyVerdict.GRANTED:
            raise ProblemError(
                HTTPStatus.UNAUTHORIZED,
                "Unauthorized",
                "send `Authorization: Bearer <key>`; `monazite keys create --scope events:write` makes one",
                reason=verdict.value,
            )
        if not self._limiter.hit(self._rate, request.headers.get("authorization", "")):
            raise ProblemError(
                HTTPStatus.TOO_MANY_REQUESTS,
                "Too many requests",
                f"at most {self._rate.amount} requests a second a key",
            )

    def take(self, raws: Sequence[bytes | msgspec.Raw]) -> list[EventResult]:
        """Examine, publish and remember the events of one request; blocking, run in a thread."""
        at = self._clock()
        pairs = [examine(raw, index=index, at=at) for index, raw in enumerate(raws)]
        results, events = [r for r, _ in pairs], [e for _, e in pairs]
        known = iter(self._seen.already([(e.source, e.id) for e in events if e is not None]))
        fresh = mark_duplicates(results, events, seen=[e is not None and next(known) for e in events])
        if fresh:
            self._publisher.publish_batch(fresh)
            self._seen.mark([(e.source, e.id) for e in fresh])
        for result, raw in zip(results, raws, strict=True):
            if result.status is EventStatus.INVALID:
                self._refuse(bytes(raw), result)
        for status, count in Counter(result.status for result in results).items():
            self._events.labels(status.value).inc(count)
        return results

    def refuse_body(self, body: bytes, error: DecodeError) -> None:
        """Keep a body that as a whole is no events."""
        self._refuse(
            body,
            EventResult(
                index=0, status=EventStatus.INVALID, reason=error.reason.value, pointer=error.field, detail=error.detail
            ),
        )
        self._events.labels(EventStatus.INVALID.value).inc()

    def waiting_for(self) -> list[str]:
        """Say what must come before events can be taken; nothing: they can. Answers at once, whatever the broker does.

        Redis is not among it: without it every event passes, and the check in the stream finds the repeats.
        """
        return list(self._waiting_for())

    def _refuse(self, value: bytes, result: EventResult) -> None:
        letter = DeadLetterRecord(
            reason=result.reason or "internal",
            stage="gateway",
            topic="http",
            partition=NO_POSITION,
            offset=NO_POSITION,
            recorded_at=self._clock(),
            value=value,
            index=result.index,
            field=result.pointer or "",
            detail=result.detail or "",
        )
        self._publisher.publish_dead_letter(letter)


def create_app(
    gateway: Gateway,
    *,
    registry: CollectorRegistry,
    prefix: str = DEFAULT_PREFIX,
    durable: bool = True,
    close: Callable[[], None] = lambda: None,
) -> FastAPI:
    """Build the HTTP application around a gateway; `durable` False: the broker keeps nothing over its stop."""
    kept = {"durable": True} if durable else {"durable": False, "retention": RETENTION_OF_MEMORY}

    @asynccontextmanager
    async def life(_: FastAPI) -> AsyncIterator[None]:
        yield
        await run_in_threadpool(close)

    app = FastAPI(title="Monazite gateway", version="1", lifespan=life, docs_url=None, redoc_url=None)
    app.add_exception_handler(ProblemError, _problem)
    app.add_exception_handler(HTTPException, _http_problem)

    _add_events_route(app, gateway, kept=kept)
    _add_probes(app, gateway=gateway, registry=registry, prefix=prefix)
    return app


def _add_events_route(app: FastAPI, gateway: Gateway, *, kept: Mapping[str, object]) -> None:
    @app.post("/v1/events", status_code=HTTPStatus.ACCEPTED, openapi_extra=EVENTS_DOCUMENTATION)
    async def events(request: Request) -> Response:
        """Take CloudEvents: structured (one), batch (a JSON array), or binary mode (`ce-` headers)."""
        gateway.authorise(request)
        body = await _bounded_body(request)
        try:
            raws = _split(request, body)
        except DecodeError as error:
            try:
                await run_in_threadpool(gateway.refuse_body, body, error)
            except Exception as failure:
                raise _not_stored(failure) from failure
            raise ProblemError(
                HTTPStatus.UNPROCESSABLE_ENTITY,
                "No events",
                error.detail,
                reason=error.reason.value,
                pointer=error.field,
            ) from error
        try:
            results = await run_in_threadpool(gateway.take, raws)
        except Exception as error:
            raise _not_stored(error) from error
        if all(result.status is EventStatus.INVALID for result in results):
            raise ProblemError(
                HTTPStatus.UNPROCESSABLE_ENTITY,
                "No valid events",
                "every event was refused; all are kept in the dead letters",
                results=results,
            )
        return _json({"results": results, **kept}, HTTPStatus.ACCEPTED)


def _add_probes(app: FastAPI, *, gateway: Gateway, registry: CollectorRegistry, prefix: str) -> None:
    """Add what supervisors, Prometheus and client generators ask for; none of it needs a key."""

    @app.get("/healthz")
    def health() -> Response:
        """Answer while the process lives."""
        return _json({"alive": True}, HTTPStatus.OK)

    @app.get("/readyz")
    async def readiness() -> Response:
        """Answer 200 while the broker answers; not from the pool of threads, which may all wait for the broker."""
        waiting_for = gateway.waiting_for()
        status = HTTPStatus.SERVICE_UNAVAILABLE if waiting_for else HTTPStatus.OK
        return _json({"ready": not waiting_for, "waiting_for": waiting_for}, status)

    @app.get("/asyncapi.json")
    def asyncapi() -> Response:
        """Describe the input topics and every event type they take."""
        return _json(asyncapi_document(prefix=prefix, version=app.version), HTTPStatus.OK)

    @app.get("/metrics")
    def metrics(request: Request) -> Response:
        encode, kind = choose_encoder(request.headers.get("accept", ""))
        return Response(encode(registry), headers={"Content-Type": kind})


def _not_stored(error: Exception) -> ProblemError:
    _log.error("broker did not take the events", error=repr(error)[:300])
    return ProblemError(
        HTTPStatus.SERVICE_UNAVAILABLE, "Not stored", "the broker did not take the events; send them again"
    )


def _split(request: Request, body: bytes) -> Sequence[bytes | msgspec.Raw]:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if "ce-specversion" in request.headers:
        headers = [
            (f"ce_{name.removeprefix('ce-')}", unquote_to_bytes(value))
            for name, value in request.headers.items()
            if name.startswith("ce-")
        ]
        return split_record(body, headers, max_bytes=MAX_BODY_BYTES)
    if kind != BATCH_TYPE and body.lstrip()[:1] == b"[":
        raise ProblemError(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            "Unsupported media type",
            f"a JSON array needs the content type {BATCH_TYPE}",
        )
    return split_record(body, max_bytes=MAX_BODY_BYTES)


async def _bounded_body(request: Request) -> bytes:
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > MAX_BODY_BYTES:
            raise ProblemError(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "Too large", f"at most {MAX_BODY_BYTES} bytes a request"
            )
        parts.append(part)
    return b"".join(parts)


def _json(document: Any, status: HTTPStatus, kind: str = "application/json") -> Response:
    return Response(msgspec.json.encode(document), status_code=int(status), media_type=kind)


async def _problem(_: Request, error: Exception) -> Response:
    assert isinstance(error, ProblemError)
    return _json(error.document, error.status, "application/problem+json")


async def _http_problem(_: Request, error: Exception) -> Response:
    """Answer what the framework refuses (no such path, wrong method) in the same shape."""
    assert isinstance(error, HTTPException)
    status = HTTPStatus(error.status_code)
    document = {"type": "about:blank", "status": int(status), "title": status.phrase, "detail": str(error.detail)}
    return _json(document, status, "application/problem+json")


@dataclass(frozen=True, kw_only=True, slots=True)
class GatewaySettings:
    """Where the gateway listens and what it talks to."""

    bootstrap: str
    prefix: str
    partitions: int
    key_file: Path
    redis_url: str | None = None
    host: str = "127.0.0.1"
    port: int = 8320
    idempotent: bool = True
    durable: bool = True


def run_gateway(settings: GatewaySettings) -> None:
    """Serve until SIGTERM or SIGINT; requests under way are finished first."""
    from producers.publisher import Publisher
    from streams.metrics.readiness_metrics import ReadinessCollector
    from streams.runtime.broker_probe import BrokerProbe
    from streams.runtime.clock import utc_now
    from streams.runtime.logs import configure_logs

    configure_logs()  # with the default a full disk ends whoever writes a line, the probe of the broker among them
    registry = CollectorRegistry()
    publisher = Publisher(
        settings.bootstrap, prefix=settings.prefix, partitions=settings.partitions, idempotent=settings.idempotent
    )
    seen = SeenWindow(settings.redis_url, prefix=settings.prefix)
    probe = BrokerProbe(settings.bootstrap).start()
    gateway = Gateway(
        publisher=publisher,
        seen=seen,
        keys=KeyFile(settings.key_file),
        clock=utc_now,
        registry=registry,
        waiting_for=probe.waiting_for,
    )
    registry.register(ReadinessCollector(lambda: probe.answering))

    def close() -> None:
        probe.stop()
        publisher.close()
        seen.close()

    app = create_app(gateway, registry=registry, prefix=settings.prefix, durable=settings.durable, close=close)
    config = uvicorn.Config(
        app, host=settings.host, port=settings.port, log_level="warning", access_log=False, timeout_graceful_shutdown=10
    )
    uvicorn.Server(config).run()
