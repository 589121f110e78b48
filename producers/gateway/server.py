"""The gateway process."""

import uvicorn

from producers.gateway.app import create_app
from producers.gateway.keys import KeyFile
from producers.gateway.seen import NoWindow, RedisSeen
from producers.gateway.settings import GatewaySettings
from producers.gateway.sink import BrokerSink
from streams.runtime.clock import utc_now

SHUTDOWN_SECONDS = 10


def run_gateway(settings: GatewaySettings) -> None:
    """Serve until SIGTERM or SIGINT; requests under way are answered first."""
    sink = BrokerSink(
        settings.bootstrap, prefix=settings.prefix, partitions=settings.partitions, idempotent=settings.idempotent
    )
    seen = (
        RedisSeen(settings.redis, prefix=settings.prefix, seen_for=settings.seen_for) if settings.redis else NoWindow()
    )
    app = create_app(settings, publisher=sink, seen=seen, keys=KeyFile(settings.key_file), clock=utc_now)
    uvicorn.run(
        app, host=settings.host, port=settings.port, log_level="warning", access_log=False,
        timeout_graceful_shutdown=SHUTDOWN_SECONDS,
    )  # fmt: skip
