"""`monazite topics`: make the declared topics, compare them with the declaration, or bring them to it."""

from typing import Annotated

import typer

from deploy.cli.options import AsJson
from deploy.cli.output import EXIT_FINDING, fail, print_json, print_table
from deploy.cli.stack_options import StackOptions, takes_stack

app = typer.Typer(help="The topics of the road, from one declaration (deploy/kafka/topics.yaml).")


@app.command()
@takes_stack(broker=True)
def ensure(stack: StackOptions, as_json: AsJson = False) -> None:
    """Make what is missing; never change what exists; refuse with the reasons where it is not as declared."""
    from deploy.kafka.topic_admin import TopicsRefusedError, ensure_topics

    road = stack.act()
    try:
        report = ensure_topics(road.bootstrap, prefix=road.prefix)
    except TopicsRefusedError as error:
        fail(str(error))
    if as_json:
        print_json({"created": report.created, "findings": [str(f) for f in report.findings]})
        return
    made = set(report.created)
    rows = [(t.name, t.partitions, "yes" if t.name in made else "") for t in report.declared]
    print_table("Topics", ["topic", "partitions", "made now"], rows)
    for finding in report.findings:
        typer.echo(f"note: {finding}")


@app.command()
@takes_stack(broker=True)
def alter(
    stack: StackOptions,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be changed and change nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Bring the settings of existing topics to the declaration; partitions and records are never touched.

    Topics of version 0.1 take the time stamps of producers; with this they take the broker's.
    """
    from deploy.kafka.topic_admin import TopicsRefusedError, alter_topics

    road = stack.road if dry_run else stack.act()
    try:
        changed = alter_topics(road.bootstrap, prefix=road.prefix, dry_run=dry_run)
    except TopicsRefusedError as error:
        fail(str(error))
    if as_json:
        print_json([{"topic": f.topic, "found": f.found, "wanted": f.wanted} for f in changed])
        return
    for finding in changed:
        typer.echo(f"{'would change' if dry_run else 'changed'}: {finding.topic}: {finding.found} -> {finding.wanted}")
    if not changed:
        typer.echo("all settings are as declared, or cannot be changed here: see `monazite topics check`")


@app.command()
@takes_stack(broker=True)
def check(stack: StackOptions, as_json: AsJson = False) -> None:
    """Compare and change nothing; exit 1 when a process must not start on these topics."""
    from deploy.kafka.topic_admin import check_topics

    report = check_topics(stack.bootstrap, prefix=stack.prefix)
    if as_json:
        print_json([{"kind": f.kind, "topic": f.topic, "refuses": f.refuses, "text": str(f)} for f in report.findings])
    else:
        for finding in report.findings:
            typer.echo(f"{'refused' if finding.refuses else 'note'}: {finding}")
        if not report.findings:
            typer.echo(f"all {len(report.declared)} topics are as declared")
    if report.refusals:
        raise typer.Exit(EXIT_FINDING)
