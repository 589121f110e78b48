"""The console's read API: measures, materials and open alerts, each answer with its position and age."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Any

import msgspec
import uvicorn
from fastapi import FastAPI, Request, Response
from prometheus_client.exposition import choose_encoder
from starlette.exceptions import HTTPException

from alerts.console.console_readiness import ConsoleReadiness
from alerts.console.shapes import alert_row, material_rows, measure_row, refusal_in_words, rule_set_rows, view_row
from streams.contracts.materials import is_known
from streams.metrics.readiness_metrics import ReadinessCollector
from streams.metrics.worker_metrics import WorkerMetrics
from streams.runtime.broker_probe import BrokerProbe
from streams.runtime.clock import utc_now
from streams.runtime.logs import configure_logs
from streams.runtime.version import monazite_version
from streams.view.view_layout import DEFAULT_VIEW_PREFIX
from streams.view.view_reader import ReadView, ViewUnavailableError

STALE_AFTER_SECONDS = 15.0
"""Several writes of an idle worker (one each two seconds); older means that nobody writes."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ConsoleSettings:
    """Where the console listens and reads. `partitions` is the count of the road's topics.

    `bootstrap`: the broker behind the view; readiness asks it, where one is named.
    """

    redis_url: str
    partitions: int
    bootstrap: str | None = None
    host: str = "127.0.0.1"
    port: int = 8321
    view_prefix: str = DEFAULT_VIEW_PREFIX
    stale_after_seconds: float = STALE_AFTER_SECONDS


def create_console(settings: ConsoleSettings, *, clock: Callable[[], datetime] = utc_now) -> FastAPI:
    """Build the console. A stale view is answered with `view.stale: true`; one that cannot be read is a 503."""
    view = ReadView(settings.redis_url, partitions=settings.partitions, clock=clock, prefix=settings.view_prefix)
    metrics = WorkerMetrics(process="console", version=monazite_version())
    probe = None if settings.bootstrap is None else BrokerProbe(settings.bootstrap)
    readiness = ConsoleReadiness(view, probe, stale_after_seconds=settings.stale_after_seconds)
    metrics.registry.register(ReadinessCollector(lambda: readiness.was_ready))

    @asynccontextmanager
    async def life(_: FastAPI) -> AsyncIterator[None]:
        with probe if probe is not None else nullcontext():
            yield
        readiness.close()
        view.close()

    app = FastAPI(title="Monazite console", version=monazite_version(), lifespan=life, docs_url=None, redoc_url=None)
    app.add_exception_handler(ViewUnavailableError, _view_unavailable)
    app.add_exception_handler(HTTPException, _http_error)
    _add_reading_routes(app, view, settings, clock)
    _add_alert_routes(app, view, settings)
    _add_probes(app, readiness, metrics)
    return app


def _add_reading_routes(app: FastAPI, view: ReadView, settings: ConsoleSettings, clock: Callable[[], datetime]) -> None:
    stale_after_seconds = settings.stale_after_seconds

    @app.get("/v1/measures")
    def measures() -> Response:
        """Latest state of every measure."""
        rows, age = view.measures()
        now = clock()
        shown = [measure_row(row, now=now) for row in rows]
        return _json({"measures": shown, "view": view_row(age, stale_after_seconds=stale_after_seconds)})

    @app.get("/v1/materials")
    def materials() -> Response:
        """Latest assessments, by material."""
        rows, age = view.risks()
        return _json({"materials": material_rows(rows), "view": view_row(age, stale_after_seconds=stale_after_seconds)})

    @app.get("/v1/materials/{material}")
    def material(material: str) -> Response:
        """Latest assessments of one material."""
        if not is_known(material):
            raise HTTPException(HTTPStatus.NOT_FOUND, f"{material!r} is no known material")
        rows, age = view.risks()
        shown = material_rows(row for row in rows if row.material == material)
        document = shown[0] if shown else {"material": material, "assessments": []}
        return _json({**document, "view": view_row(age, stale_after_seconds=stale_after_seconds)})


def _add_alert_routes(app: FastAPI, view: ReadView, settings: ConsoleSettings) -> None:
    stale_after_seconds = settings.stale_after_seconds

    @app.get("/v1/alerts")
    def alerts() -> Response:
        """Open alerts, the newest first."""
        rows, age = view.open_alerts()
        return _json(
            {
                "alerts": [alert_row(row) for row in rows],
                "rules_refused": refusal_in_words(age.positions),
                "view": view_row(age, stale_after_seconds=stale_after_seconds),
            }
        )

    @app.get("/v1/rules")
    def rules() -> Response:
        """Which rule set is in force in each partition, since when, by whom, and which applied set is refused."""
        _, age = view.open_alerts()
        return _json(
            {
                "partitions": rule_set_rows(age.positions),
                "rules_refused": refusal_in_words(age.positions),
                "view": view_row(age, stale_after_seconds=stale_after_seconds),
            }
        )

    @app.get("/v1/alerts/{fingerprint}")
    def alert(fingerprint: str) -> Response:
        """One open alert."""
        rows, age = view.open_alerts()
        for row in rows:
            if row.fingerprint == fingerprint:
                return _json({**alert_row(row), "view": view_row(age, stale_after_seconds=stale_after_seconds)})
        raise HTTPException(HTTPStatus.NOT_FOUND, f"no open alert has the fingerprint {fingerprint!r}")


def _add_probes(app: FastAPI, readiness: ConsoleReadiness, metrics: WorkerMetrics) -> None:
    @app.get("/healthz", include_in_schema=False)
    def healthz() -> Response:
        return _json({"alive": True})

    @app.get("/readyz", include_in_schema=False)
    async def readyz() -> Response:
        """Ready while the view can be read and is fresh, and the broker behind it answers."""
        ready, facts = await readiness.look()
        return _json({"ready": ready, **facts}, status=200 if ready else 503)

    @app.get("/metrics", include_in_schema=False)
    async def scrape(request: Request) -> Response:
        await readiness.look()  # whether anybody else asks for it or not
        encode, kind = choose_encoder(request.headers.get("accept", ""))
        return Response(encode(metrics.registry), headers={"Content-Type": kind})


def run_console(settings: ConsoleSettings) -> None:
    """Serve until SIGTERM or SIGINT; returns after a clean stop."""
    configure_logs()
    config = uvicorn.Config(
        create_console(settings),
        host=settings.host,
        port=settings.port,
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=5,
    )
    uvicorn.Server(config).run()


def _json(document: Any, *, status: int = 200, kind: str = "application/json") -> Response:
    return Response(msgspec.json.encode(document), status_code=status, media_type=kind)


def _problem(status: int, title: str, detail: str) -> Response:
    """RFC 9457 problem details."""
    document = {"type": "about:blank", "title": title, "status": status, "detail": detail}
    return _json(document, status=status, kind="application/problem+json")


async def _view_unavailable(_: Request, error: Exception) -> Response:
    response = _problem(503, "The read view is not available", f"{error}. The alerts go on; ask again in a moment.")
    response.headers["Retry-After"] = "5"
    return response


async def _http_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return _problem(error.status_code, HTTPStatus(error.status_code).phrase, str(error.detail))
