"""`monazite produce`: from files, histories and generators to the topics."""

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from deploy.cli.measures_command import parse_day
from deploy.cli.options import AsJson
from deploy.cli.output import EXIT_FINDING, EXIT_USAGE, console, fail, print_json
from deploy.cli.stack_options import StackOptions, takes_stack

app = typer.Typer(help="Send events to the topics: from files, from a recorded history, made up.")


@app.command()
@takes_stack(broker=True)
def replay(
    stack: StackOptions,
    directory: Annotated[Path, typer.Argument(help="directory of .jsonl files of structured CloudEvents")],
    until: Annotated[str | None, typer.Option(help="last day to replay (default: today)")] = None,
    speed: Annotated[str, typer.Option(help="max, or days a second")] = "max",
    batch: Annotated[int, typer.Option(min=1, max=500, help="events a record")] = 500,
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
    last_day = parse_day(until, option="--until") or utc_now().date()
    road = stack.act()
    settings = ReplaySettings(
        directory=directory,
        until=last_day,
        prefix=road.prefix,
        bootstrap=road.bootstrap,
        partitions=road.partitions,
        batch_size=batch,
        days_per_second=None if speed == "max" else _speed(speed),
    )
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


@app.command("file")
@takes_stack(broker=True)
def file_command(
    stack: StackOptions,
    path: Annotated[Path, typer.Argument(help="CSV or JSON Lines")],
    type_name: Annotated[
        str | None, typer.Option("--type", help="event type of the rows; whole CloudEvents need none")
    ] = None,
    source: Annotated[str, typer.Option(help="CloudEvents source of rows that have none")] = "file",
    as_json: AsJson = False,
) -> None:
    """Send the rows of a file; a bad row is reported with line, column and why, the others go through."""
    from producers.file_source import UnreadableFileError, produce_file
    from producers.publisher import Publisher
    from streams.runtime.clock import utc_now

    road = stack.act()
    publisher = Publisher(road.bootstrap, prefix=road.prefix, partitions=road.partitions, idempotent=False)
    try:
        report = produce_file(path, publisher=publisher, type_name=type_name, source=source, received_at=utc_now())
    except (UnreadableFileError, OSError) as error:
        fail(str(error), code=EXIT_USAGE)
    finally:
        publisher.close()
    if as_json:
        print_json({"sent": report.sent, "bad": report.bad})
    else:
        for row in report.bad:
            typer.echo(f"refused {row}", err=True)
        typer.echo(f"{report.sent} events sent, {len(report.bad)} rows refused")
    if report.bad:
        raise typer.Exit(EXIT_FINDING)


@app.command()
@takes_stack(broker=True)
def synthetic(
    stack: StackOptions,
    rate: Annotated[float, typer.Option(min=0.001, help="events a second")] = 10.0,
    seed: Annotated[int, typer.Option(help="the same seed gives the same events")] = 1,
    count: Annotated[int | None, typer.Option(min=1, help="how many (default: until Ctrl-C)")] = None,
) -> None:
    """Send made-up price quotes around the annual means of USGS; each says that it is synthetic."""
    import time

    from producers.publisher import Publisher
    from producers.synthetic import SyntheticSettings, produce_synthetic
    from streams.runtime.clock import utc_now

    road = stack.act()
    publisher = Publisher(road.bootstrap, prefix=road.prefix, partitions=road.partitions, idempotent=False)
    settings = SyntheticSettings(starts_at=utc_now(), rate_per_second=rate, seed=seed, count=count)
    try:
        sent = produce_synthetic(settings, publisher=publisher, clock=time.monotonic, pause=time.sleep)
    except KeyboardInterrupt:
        raise typer.Exit(0) from None
    finally:
        publisher.close()
    typer.echo(f"{sent} synthetic events sent")


def _speed(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        fail(f"--speed is max or a number of days a second, got {text!r}", code=EXIT_USAGE)
