"""Options that several commands share, spelt once."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from deploy.cli.recorded_events import LiveRoad

Bootstrap = Annotated[
    str, typer.Option(envvar="MONAZITE_BOOTSTRAP", help="Kafka bootstrap servers, HOST:PORT[,HOST:PORT]")
]
Prefix = Annotated[str, typer.Option(envvar="MONAZITE_PREFIX", help="prefix of all topic names")]
Partitions = Annotated[int, typer.Option(min=1, max=256, help="partitions of the topics of the road")]
Redis = Annotated[str | None, typer.Option(envvar="MONAZITE_REDIS", help="address of Redis, redis://HOST:PORT/DB")]
RunDirectory = Annotated[
    Path, typer.Option("--run-dir", envvar="MONAZITE_RUN_DIR", help="where the local stack keeps state, logs and keys")
]
Broker = Annotated[
    str | None,
    typer.Option("--bootstrap", envvar="MONAZITE_BOOTSTRAP", help="Kafka; default: the stack that runs here"),
]
Java = Annotated[
    str | None,
    typer.Option(
        envvar="MONAZITE_JAVA", help="java command of one's own for --broker kafka, 17 or newer; default: the wheel's"
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="print JSON")]

DEFAULT_BOOTSTRAP = "127.0.0.1:9092"
DEFAULT_PREFIX = "monazite"
DEFAULT_RUN_DIRECTORY = Path(".monazite")
DEFAULT_SECRETS_FILE = DEFAULT_RUN_DIRECTORY / "secrets.json"
DEFAULT_KEY_FILE = DEFAULT_RUN_DIRECTORY / "keys.json"


def running_bootstrap(run_directory: Path, given: str | None) -> str:
    """Return the broker a command talks to: the one given, else that of the stack that runs here, else the usual."""
    if given is not None:
        return given
    from deploy.stack.plan import read_plan

    plan = read_plan(run_directory)
    return (plan.bootstrap if plan else None) or DEFAULT_BOOTSTRAP


def live_road(run_directory: Path, *, bootstrap: str | None, prefix: str, partitions: int) -> "LiveRoad":
    """Return where the running road is."""
    from deploy.cli.recorded_events import LiveRoad

    return LiveRoad(bootstrap=running_bootstrap(run_directory, bootstrap), prefix=prefix, partitions=partitions)
