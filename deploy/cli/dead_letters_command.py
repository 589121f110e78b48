"""`monazite dead-letters`: what was refused, and why."""

from typing import Annotated

import typer

from deploy.cli.options import (
    DEFAULT_PREFIX,
    DEFAULT_RUN_DIRECTORY,
    AsJson,
    Prefix,
    RunDirectory,
    running_bootstrap,
)
from deploy.cli.output import fail, print_json, print_table

app = typer.Typer(help="What was refused: the original bytes, with reason, field and place.")


@app.callback()
def dead_letters() -> None:
    """What was refused: the original bytes, with reason, field and place."""


@app.command("list")
def list_letters(
    bootstrap: Annotated[
        str | None, typer.Option(envvar="MONAZITE_BOOTSTRAP", help="Kafka; default: the stack that runs here")
    ] = None,
    prefix: Prefix = DEFAULT_PREFIX,
    run_dir: RunDirectory = DEFAULT_RUN_DIRECTORY,
    as_json: AsJson = False,
) -> None:
    """List what was refused: topic, partition/offset and index in a batch, reason, field, detail, first bytes.

    The reasons are those of the gateway's answers. Correct the event and send it again.
    """
    from kafka.errors import KafkaError

    from deploy.cli.pipeline_logs import read_dead_letters

    broker = running_bootstrap(run_dir, bootstrap)
    try:
        letters = read_dead_letters(broker, prefix=prefix)
    except KafkaError as error:
        fail(f"the broker at {broker} does not answer: {error}", hint="start one with `monazite stack up`")
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
