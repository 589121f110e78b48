"""`monazite dead-letters`: what was refused, and why."""

from typing import Annotated

import typer

from deploy.commands.options import (
    DEFAULT_PREFIX,
    DEFAULT_RUN_DIRECTORY,
    AsJson,
    Prefix,
    RunDirectory,
    running_bootstrap,
)
from deploy.output import print_json, print_table

app = typer.Typer(help="What was refused: the original bytes, with reason, field and place.")


@app.callback()
def dead_letters() -> None:
    """What was refused: the original bytes, with reason, field and place."""


@app.command("list")
def list_letters(
    bootstrap: Annotated[str | None, typer.Option(envvar="MONAZITE_BOOTSTRAP", help="Kafka")] = None,
    prefix: Prefix = DEFAULT_PREFIX,
    run_dir: RunDirectory = DEFAULT_RUN_DIRECTORY,
    as_json: AsJson = False,
) -> None:
    """List the dead letters."""
    from deploy.road_logs import read_dead_letters

    letters = read_dead_letters(running_bootstrap(run_dir, bootstrap), prefix=prefix)
    if as_json:
        print_json(letters)
        return
    print_table(
        f"{len(letters)} dead letters",
        ["stage", "topic", "place", "reason", "field", "detail", "value"],
        [
            (x.stage, x.topic, f"{x.partition}/{x.offset}" + ("" if x.index is None else f"[{x.index}]"), x.reason,
             x.field or "/", x.detail[:80], (x.value or b"")[:60].decode("utf-8", "replace"))
            for x in letters
        ],
    )  # fmt: skip
