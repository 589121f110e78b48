"""`monazite serve`: the servers people and other systems talk to."""

from typing import Annotated

import typer

from deploy.commands.options import DEFAULT_BOOTSTRAP, DEFAULT_PREFIX, Bootstrap, Partitions, Prefix

app = typer.Typer(help="Run a server in the foreground, on loopback unless told otherwise.")

Host = Annotated[str, typer.Option(help="address to bind; another than loopback needs a reverse proxy with TLS")]
RedisUrl = Annotated[str, typer.Option("--redis", envvar="MONAZITE_REDIS", help="address of Redis")]


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
    from alerts.console.app import ConsoleSettings, run_console

    run_console(
        ConsoleSettings(redis_url=redis, partitions=partitions, host=host, port=port, view_prefix=prefix)
    )
