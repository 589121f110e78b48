"""`monazite serve`: the servers people and other systems talk to."""

from pathlib import Path
from typing import Annotated

import typer

from deploy.cli.stack_options import StackOptions, takes_stack

app = typer.Typer(help="Run a server in the foreground, on loopback unless told otherwise.")

Host = Annotated[str, typer.Option(help="address to bind; another than loopback needs a reverse proxy with TLS")]


@app.command()
@takes_stack(broker=True, redis=True)
def gateway(
    stack: StackOptions,
    port: Annotated[int, typer.Option(help="port")] = 8320,
    host: Host = "127.0.0.1",
    key_file: Annotated[
        Path | None, typer.Option(envvar="MONAZITE_KEY_FILE", help="API keys; default: keys.json in --run-dir")
    ] = None,
    idempotent: Annotated[bool, typer.Option(help="idempotent producer; the embedded broker has none")] = True,
    durable: Annotated[bool, typer.Option(help="what answers say: the broker keeps events over its stop")] = True,
) -> None:
    """CloudEvents over HTTP in; 202 only when the broker has them."""
    from producers.gateway.gateway_app import GatewaySettings, run_gateway

    run_gateway(
        GatewaySettings(
            bootstrap=stack.bootstrap,
            prefix=stack.prefix,
            partitions=stack.partitions,
            redis_url=stack.redis_url,
            key_file=key_file or stack.run_directory / "keys.json",
            host=host,
            port=port,
            idempotent=idempotent,
            durable=durable,
        )
    )


@app.command()
@takes_stack(broker=True, redis=True)
def console(
    stack: StackOptions,
    port: Annotated[int, typer.Option(help="port")] = 8321,
    host: Host = "127.0.0.1",
) -> None:
    """Read API: measures, materials and open alerts, each with its position and age."""
    from alerts.console.console_app import ConsoleSettings, run_console

    run_console(
        ConsoleSettings(
            redis_url=stack.redis_url,
            partitions=stack.partitions,
            bootstrap=stack.bootstrap,
            host=host,
            port=port,
            view_prefix=stack.prefix,
        )
    )
