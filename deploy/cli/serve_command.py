"""`monazite serve`: the servers people and other systems talk to."""

from pathlib import Path
from typing import Annotated

import typer

from deploy.cli.options import DEFAULT_BOOTSTRAP, DEFAULT_KEY_FILE, DEFAULT_PREFIX, Bootstrap, Partitions, Prefix

app = typer.Typer(help="Run a server in the foreground, on loopback unless told otherwise.")

Host = Annotated[str, typer.Option(help="address to bind; another than loopback needs a reverse proxy with TLS")]
RedisUrl = Annotated[str, typer.Option("--redis", envvar="MONAZITE_REDIS", help="address of Redis")]


@app.command()
def gateway(
    port: Annotated[int, typer.Option(help="port")] = 8320,
    host: Host = "127.0.0.1",
    redis: RedisUrl = "redis://127.0.0.1:6379/0",
    prefix: Prefix = DEFAULT_PREFIX,
    partitions: Partitions = 4,
    bootstrap: Bootstrap = DEFAULT_BOOTSTRAP,
    key_file: Annotated[Path, typer.Option(envvar="MONAZITE_KEY_FILE", help="API keys")] = DEFAULT_KEY_FILE,
    idempotent: Annotated[bool, typer.Option(help="idempotent producer; the embedded broker has none")] = True,
    durable: Annotated[bool, typer.Option(help="what answers say: the broker keeps events over its stop")] = True,
) -> None:
    """CloudEvents over HTTP in; 202 only when the broker has them."""
    from producers.gateway.gateway_app import GatewaySettings, run_gateway

    run_gateway(
        GatewaySettings(
            bootstrap=bootstrap, prefix=prefix, partitions=partitions, key_file=key_file, redis_url=redis, host=host,
            port=port, idempotent=idempotent, durable=durable,
        )
    )  # fmt: skip


@app.command()
def console(
    port: Annotated[int, typer.Option(help="port")] = 8321,
    host: Host = "127.0.0.1",
    redis: RedisUrl = "redis://127.0.0.1:6379/0",
    prefix: Prefix = DEFAULT_PREFIX,
    partitions: Partitions = 4,
    bootstrap: Bootstrap = DEFAULT_BOOTSTRAP,
) -> None:
    """Read API: measures, materials and open alerts, each with its position and age."""
    from alerts.console.console_app import ConsoleSettings, run_console

    run_console(
        ConsoleSettings(
            redis_url=redis, partitions=partitions, bootstrap=bootstrap, host=host, port=port, view_prefix=prefix
        )
    )
