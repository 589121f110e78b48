"""`monazite dead-letters`: what was refused, and why."""

import typer

from deploy.cli.options import AsJson
from deploy.cli.output import fail, print_json, print_table
from deploy.cli.stack_options import StackOptions, takes_stack

app = typer.Typer(help="What was refused: the original bytes, with reason, field and place.")


@app.callback()
def dead_letters() -> None:
    """What was refused: the original bytes, with reason, field and place."""


@app.command("list")
@takes_stack(broker=True)
def list_letters(
    stack: StackOptions,
    as_json: AsJson = False,
) -> None:
    """List what was refused: topic, partition/offset and index in a batch, reason, field, detail, first bytes.

    The reasons are those of the gateway's answers. Correct the event and send it again.
    """
    from kafka.errors import KafkaError

    from deploy.cli.pipeline_logs import read_dead_letters

    road = stack.road
    try:
        letters = read_dead_letters(road.bootstrap, prefix=road.prefix)
    except KafkaError as error:
        fail(f"the broker at {road.bootstrap} does not answer: {error}", hint="start one with `monazite stack up`")
    if as_json:
        print_json(letters)
        return
    print_table(
        f"{len(letters)} dead letters",
        ["stage", "topic", "place", "reason", "field", "detail", "value"],
        [
            (
                x.stage,
                x.topic,
                f"{x.partition}/{x.offset}" + ("" if x.index is None else f"[{x.index}]"),
                x.reason,
                x.field or "/",
                x.detail[:80],
                (x.value or b"")[:60].decode("utf-8", "replace"),
            )
            for x in letters
        ],
    )
