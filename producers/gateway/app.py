"""The gateway as a FastAPI application; every part it needs is handed in.

A request in which at least one event is valid is answered with 202 and a result for each event (a 207 says no more,
and many clients take it for a failure); one in which none is, with 422 and the same results.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response
from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from starlette.exceptions import HTTPException

from producers.gateway.asyncapi import asyncapi_document
from producers.gateway.decisions import Limits, Result, Status, evaluate_events, is_to_publish, marked_duplicates
from producers.gateway.keys import KeyChecker, Scope, StoredKey
from producers.gateway.metrics import GatewayMetrics
from producers.gateway.openapi import EVENTS_DOCUMENTATION
from producers.gateway.problems import ProblemError, problem_response
from producers.gateway.requests import mode_of, receive
from producers.gateway.seen import SeenIdentities
from producers.gateway.settings import GatewaySettings
from producers.gateway.sink import EventSink, SinkUnavailableError
from streams.contracts.codec import BATCH_TYPE, STRUCTURED_TYPE
from streams.contracts.dead_letters import NO_POSITION, DeadLetterRecord
from streams.contracts.reasons import DecodeError, RejectReason

VERSION = "1"
STAGE = "gateway"
ORIGIN = "http"
BROKER_RETRY_SECONDS = 5


class Gateway:
    """Takes requests through authentication, limits, decoding, the window of identities and the broker."""

    def __init__(
        self, settings: GatewaySettings, *, sink: EventSink, seen: SeenIdentities, keys: KeyChecker,
        clock: Callable[[], datetime], metrics: GatewayMetrics,
    ) -> None:  # fmt: skip
        self._settings = settings
        self._sink = sink
        self._seen = seen
        self._keys = keys
        self._clock = clock
        self._metrics = metrics
        self._limiter = FixedWindowRateLimiter(MemoryStorage())
        self._rate = RateLimitItemPerMinute(settings.events_per_minute)

    async def take(self, request: Request) -> Response:
        """Answer `POST /v1/events`."""
        key = self._authenticated(request)
        headers = {name.lower(): value for name, value in request.headers.items()}
        mode = mode_of(headers)
        if mode is None:
            raise ProblemError(
                status=415, kind="content-type", title="Not a CloudEvent",
                detail=f"send {STRUCTURED_TYPE}, {BATCH_TYPE}, or binary mode with ce- headers",
            )  # fmt: skip
        body = await self._body(request)
        received_at = self._clock()
        try:
            received = receive(body, headers=headers, mode=mode, max_bytes=self._settings.max_body_bytes)
        except DecodeError as error:
            await self._refuse([_letter_of_body(body, error, headers=headers, at=received_at)])
            self._metrics.count([Result(index=0, status=Status.INVALID, raw=body, reason=error.reason.value)])
            raise _whole_body_problem(error) from error
        self._spend(key, events=max(len(received.events), 1))
        limits = Limits(
            scopes=frozenset(key.scopes), late_after=self._settings.late_after, max_ahead=self._settings.max_ahead
        )
        results = evaluate_events(received.events, received_at=received_at, limits=limits)
        results = await self._published(results, headers=headers, at=received_at)
        self._metrics.count(results)
        return _answer(results)

    async def _published(self, results: Sequence[Result], *, headers: Mapping[str, str], at: datetime) -> list[Result]:
        new = [r.event for r in results if is_to_publish(r) and r.event is not None]
        known = await self._seen.known([(event.source, event.id) for event in new])
        marked = marked_duplicates(results, known=known)
        events = [r.event for r in marked if is_to_publish(r) and r.event is not None]
        try:
            await asyncio.to_thread(self._sink.publish, events)
        except SinkUnavailableError as error:
            raise _broker_problem(error) from error
        # Only now: noted before, a failure would turn the sender's retry into a duplicate that nobody has.
        await self._seen.note([(event.source, event.id) for event in events])
        self._metrics.seen_window.set(self._seen.available)
        await self._refuse([_letter(r, headers=headers, at=at) for r in marked if r.status is Status.INVALID])
        return marked

    async def _refuse(self, letters: Sequence[DeadLetterRecord]) -> None:
        if not letters:
            return
        try:
            await asyncio.to_thread(self._sink.refuse, letters)
        except SinkUnavailableError as error:
            raise _broker_problem(error) from error

    def _authenticated(self, request: Request) -> StoredKey:
        found = self._keys.check(request.headers.get("authorization"), at=self._clock())
        if isinstance(found, StoredKey):
            if not {Scope.EVENTS, Scope.DIRECTIVES} & set(found.scopes):
                raise ProblemError(
                    status=403, kind="scope", title="Not allowed", detail="the key has no scope for sending events"
                )
            return found
        raise ProblemError(
            status=401, kind="key", title="No valid key",
            detail=f"send `Authorization: Bearer mzk_...`; the key is {found.value}",
            headers={"WWW-Authenticate": "Bearer"},
        )  # fmt: skip

    async def _body(self, request: Request) -> bytes:
        limit = self._settings.max_body_bytes
        chunks, size = [], 0
        async for chunk in request.stream():
            size += len(chunk)
            if size > limit:
                raise ProblemError(
                    status=413, kind="too-large", title="Too large", detail=f"at most {limit} bytes in a request"
                )
            chunks.append(chunk)
        return b"".join(chunks)

    def _spend(self, key: StoredKey, *, events: int) -> None:
        if not self._limiter.hit(self._rate, key.id, cost=events):
            raise ProblemError(
                status=429, kind="rate", title="Too many events",
                detail=f"at most {self._settings.events_per_minute} events a minute for a key",
                headers={"Retry-After": "60"},
            )  # fmt: skip


def create_app(
    settings: GatewaySettings, *, publisher: EventSink, seen: SeenIdentities, keys: KeyChecker,
    clock: Callable[[], datetime], registry: CollectorRegistry | None = None,
) -> FastAPI:  # fmt: skip
    """Return the application. `registry` is where its metrics go (`None`: one of its own)."""
    registry = registry or CollectorRegistry()
    metrics = GatewayMetrics(registry, prefix=settings.prefix)
    metrics.seen_window.set(seen.available)
    gateway = Gateway(settings, sink=publisher, seen=seen, keys=keys, clock=clock, metrics=metrics)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> Any:
        yield
        await asyncio.to_thread(publisher.close)
        await seen.close()

    app = FastAPI(title="Monazite gateway", version=VERSION, docs_url=None, redoc_url=None, lifespan=lifespan)
    app.add_api_route(
        "/v1/events", gateway.take, methods=["POST"], status_code=202, response_class=JSONResponse,
        summary="Send CloudEvents", openapi_extra=EVENTS_DOCUMENTATION, response_model=None,
    )  # fmt: skip
    _add_probes(app, sink=publisher, registry=registry)
    app.add_api_route(
        "/asyncapi.json", lambda: asyncapi_document(prefix=settings.prefix, version=VERSION), methods=["GET"]
    )
    app.add_exception_handler(ProblemError, _on_problem)
    app.add_exception_handler(HTTPException, _on_http_error)
    app.add_exception_handler(Exception, _on_defect)
    return app


def _add_probes(app: FastAPI, *, sink: EventSink, registry: CollectorRegistry) -> None:
    def healthz() -> dict[str, str]:
        """Answer while the process lives."""
        return {"status": "alive"}

    def readyz() -> JSONResponse:
        """Answer 200 while events can be taken."""
        ready = sink.ready()
        return JSONResponse({"ready": ready}, status_code=200 if ready else 503)

    def metrics() -> Response:
        """Answer with the metrics in the Prometheus text format."""
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    app.add_api_route("/healthz", healthz, methods=["GET"])
    app.add_api_route("/readyz", readyz, methods=["GET"], response_model=None)
    app.add_api_route("/metrics", metrics, methods=["GET"], response_model=None)


def _answer(results: Sequence[Result]) -> Response:
    shown = [result.shown() for result in results]
    counts = {status.value: sum(r.status is status for r in results) for status in Status}
    if results and counts[Status.INVALID.value] == len(results):
        raise ProblemError(
            status=422, kind="invalid", title="No valid event",
            detail="every event of the request was refused; they are kept in the dead letters", results=shown,
        )  # fmt: skip
    return JSONResponse({**counts, "results": shown}, status_code=202)


def _letter(result: Result, *, headers: Mapping[str, str], at: datetime) -> DeadLetterRecord:
    return DeadLetterRecord(
        reason=result.reason or RejectReason.INTERNAL.value, stage=STAGE, topic=ORIGIN, partition=NO_POSITION,
        offset=NO_POSITION, recorded_at=at, value=result.raw, headers=_kept(headers), index=result.index,
        field=result.field or "", detail=result.detail or "",
    )  # fmt: skip


def _letter_of_body(body: bytes, error: DecodeError, *, headers: Mapping[str, str], at: datetime) -> DeadLetterRecord:
    return DeadLetterRecord(
        reason=error.reason.value, stage=STAGE, topic=ORIGIN, partition=NO_POSITION, offset=NO_POSITION,
        recorded_at=at, value=body, headers=_kept(headers), field=error.field, detail=error.detail,
    )  # fmt: skip


def _kept(headers: Mapping[str, str]) -> list[tuple[str, bytes]]:
    """Return the headers that say what the body is; never the key."""
    return [(n, v.encode()) for n, v in headers.items() if n == "content-type" or n.startswith("ce-")]


def _whole_body_problem(error: DecodeError) -> ProblemError:
    status = 413 if error.reason is RejectReason.TOO_LARGE else 400
    return ProblemError(
        status=status, kind=error.reason.value.replace("_", "-"), title="Not readable as CloudEvents",
        detail=error.detail, reason=error.reason.value, field=error.field,
    )  # fmt: skip


def _broker_problem(error: SinkUnavailableError) -> ProblemError:
    structlog.get_logger().warning("gateway_broker_unavailable", error=str(error))
    return ProblemError(
        status=503, kind="broker", title="The broker does not answer",
        detail="not everything was taken; send the request again, repeats do no harm",
        headers={"Retry-After": str(BROKER_RETRY_SECONDS)},
    )  # fmt: skip


async def _on_problem(_: Request, error: Exception) -> Response:
    assert isinstance(error, ProblemError)
    return problem_response(error)


async def _on_http_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return problem_response(
        ProblemError(
            status=error.status_code,
            kind="http",
            title=str(error.detail),
            detail=str(error.detail),
            headers=error.headers,
        )  # fmt: skip
    )


async def _on_defect(request: Request, error: Exception) -> Response:
    structlog.get_logger().error("gateway_defect", path=request.url.path, error=repr(error))
    return problem_response(
        ProblemError(status=500, kind="internal", title="Internal error", detail="a defect of ours; it was logged")
    )
