"""`monazite produce`: from files, histories and generators to the topics."""

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from deploy.commands.measures import parse_day
from deploy.commands.options import (
    DEFAULT_PREFIX,
    DEFAULT_RUN_DIRECTORY,
    AsJson,
    Partitions,
    Prefix,
    RunDirectory,
    running_bootstrap,
)
from deploy.output import EXIT_USAGE, console, fail, print_json

app = typer.Typer(help="Send events to the topics: replay a history.")

Broker = Annotated[
    str | None,
    typer.Option("--bootstrap", envvar="MONAZITE_BOOTSTRAP", help="Kafka; default: the stack that runs here"),
]


@app.command()
def replay(
    directory: Annotated[Path, typer.Argument(help="directory of .jsonl files of structured CloudEvents")],
    until: Annotated[str | None, typer.Option(help="last day to replay (default: today)")] = None,
    speed: Annotated[str, typer.Option(help="max, or days a second")] = "max",
    batch: Annotated[int, typer.Option(min=1, max=500, help="events a record")] = 500,
    bootstrap: Broker = None,
    prefix: Prefix = DEFAULT_PREFIX,
    partitions: Partitions = 4,
    run_dir: RunDirectory = DEFAULT_RUN_DIRECTORY,
    as_json: AsJson = False,
) -> None:
    """Live through a history again: publish an instant, see it admitted, tick on. Live ticks must be off."""
    from producers.history import UnreadableHistoryError
    from producers.log_watch import NotAdmittedError
    from producers.replay import ReplaySettings
    from producers.replay import replay as run
    from streams.runtime.clock import utc_now

    if not directory.is_dir():
        fail(f"{directory} is no directory", code=EXIT_USAGE)
    settings = ReplaySettings(
        directory=directory, until=parse_day(until, option="--until") or utc_now().date(), prefix=prefix,
        bootstrap=running_bootstrap(run_dir, bootstrap), partitions=partitions, batch_size=batch,
        days_per_second=None if speed == "max" else _speed(speed),
    )  # fmt: skip
    shown: list[int] = []

    def progress(at: datetime) -> None:
        if not as_json and at.year not in shown:
            shown.append(at.year)
            console().print(f"replaying {at.year} ...")

    try:
        report = run(settings, progress=progress)
    except (UnreadableHistoryError, NotAdmittedError) as error:
        fail(str(error))
    if as_json:
        print_json(report)
    else:
        console().print(
            f"{report.events} events in {report.instants} instants, {report.ticks} ticks, {report.seconds:.1f} s"
        )


def _speed(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        fail(f"--speed is max or a number of days a second, got {text!r}", code=EXIT_USAGE)
