"""`monazite topics`: make the declared topics, compare them with the declaration, or bring them to it."""

from typing import Annotated

import typer

from deploy.cli.options import DEFAULT_BOOTSTRAP, DEFAULT_PREFIX, AsJson, Bootstrap, Prefix
from deploy.cli.output import EXIT_FINDING, fail, print_json, print_table

app = typer.Typer(help="The topics of the road, from one declaration (deploy/kafka/topics.yaml).")


@app.command()
def ensure(bootstrap: Bootstrap = DEFAULT_BOOTSTRAP, prefix: Prefix = DEFAULT_PREFIX, as_json: AsJson = False) -> None:
    """Make what is missing; never change what exists; refuse with the reasons where it is not as declared."""
    from deploy.kafka.topic_admin import TopicsRefusedError, ensure_topics

    try:
        report = ensure_topics(bootstrap, prefix=prefix)
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
def alter(
    bootstrap: Bootstrap = DEFAULT_BOOTSTRAP,
    prefix: Prefix = DEFAULT_PREFIX,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be changed and change nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Bring the settings of existing topics to the declaration; partitions and records are never touched.

    Topics of version 0.1 take the time stamps of producers; with this they take the broker's.
    """
    from deploy.kafka.topic_admin import TopicsRefusedError, alter_topics

    try:
        changed = alter_topics(bootstrap, prefix=prefix, dry_run=dry_run)
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
def check(bootstrap: Bootstrap = DEFAULT_BOOTSTRAP, prefix: Prefix = DEFAULT_PREFIX, as_json: AsJson = False) -> None:
    """Compare and change nothing; exit 1 when a process must not start on these topics."""
    from deploy.kafka.topic_admin import check_topics

    report = check_topics(bootstrap, prefix=prefix)
    if as_json:
        print_json([{"kind": f.kind, "topic": f.topic, "refuses": f.refuses, "text": str(f)} for f in report.findings])
    else:
        for finding in report.findings:
            typer.echo(f"{'refused' if finding.refuses else 'note'}: {finding}")
        if not report.findings:
            typer.echo(f"all {len(report.declared)} topics are as declared")
    if report.refusals:
        raise typer.Exit(EXIT_FINDING)
