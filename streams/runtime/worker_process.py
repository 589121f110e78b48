"""Runs an app as this process: uvloop, log levels that do not cost, a clean stop on SIGTERM, no web server.

Measured: `-l warn` is slower than `-l info`, because Faust then puts the root logger to DEBUG for its spinner
(docs/engine-traps.md 12). So the engine runs at info and the loud loggers are put to WARNING.
"""

import asyncio
import logging
from typing import Any

import faust
import mode

from streams.runtime.collection import configure_gc
from streams.runtime.exits import fatal
from streams.runtime.faust_app import SafeApp, WorkerService, require_topics
from streams.runtime.logs import configure_logs

_LOUD_LOGGERS = ("faust", "mode", "aiokafka", "kafka", "asyncio", "streams.runtime.recovery", "streams.runtime.store")


class _ServiceRunner(mode.Service):
    """Runs one `WorkerService` for the life of the worker, from before the first assignment on."""

    def __init__(self, app: SafeApp, service: WorkerService) -> None:
        super().__init__()
        self._safe_app = app
        self._work = service

    @mode.Service.task  # type: ignore[untyped-decorator]
    async def _run(self) -> None:
        try:
            await self._work.run(self._safe_app)
        except asyncio.CancelledError:
            raise
        except BaseException as error:  # noqa: BLE001 - a worker without its services must not go on
            fatal("a service of the worker failed", service=type(self._work).__name__, error=error)


def run_worker(app: SafeApp) -> None:
    """Run the app until SIGTERM or SIGINT, then stop cleanly and leave the process; does not return."""
    configure_logs()
    require_topics(app)
    settings = app.settings
    if settings.use_uvloop:
        import uvloop

        asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    worker: Any = faust.Worker(
        app,
        *(_ServiceRunner(app, service) for service in app.services),
        loglevel=settings.log_level,
        loop=loop,
        redirect_stdouts=False,
    )
    for name in _LOUD_LOGGERS:
        logging.getLogger(name).setLevel(logging.WARNING)
    configure_gc()
    worker.execute_from_commandline()
