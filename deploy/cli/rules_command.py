"""`monazite rules`: check rule files, run them over history, and see which are in force."""

from pathlib import Path
from typing import Annotated, Any

import typer

from deploy.cli import rules_apply as apply_rules
from deploy.cli import rules_backtest as history_of_rules
from deploy.cli import rules_explain as explain_rules
from deploy.cli.options import AsJson
from deploy.cli.output import EXIT_FINDING, EXIT_USAGE, fail, print_json, print_table
from deploy.cli.stack_options import StackOptions, takes_stack

app = typer.Typer(
    help="Rules: check, test, compare and apply files; see what they would have said, and why an alert fires."
)

app.command("backtest")(history_of_rules.backtest)
app.command("diff")(history_of_rules.diff)
app.command("explain")(explain_rules.explain)
app.command("apply")(apply_rules.apply)
app.command("docs")(explain_rules.docs)


@app.command()
def check(
    paths: Annotated[list[Path] | None, typer.Argument(help="files or directories (default: shipped)")] = None,
    as_json: AsJson = False,
) -> None:
    """Load rule files and report every fault with file, line, rule, field and what to do; exit 1 on a fault."""
    from alerts.rules.loader import RuleFileError, load_rules, shipped_rules

    try:
        rules = load_rules(paths) if paths else shipped_rules()
    except RuleFileError as error:
        if as_json:
            print_json(
                [
                    {"file": f.file, "line": f.line, "rule": f.rule, "field": f.field, "detail": f.detail}
                    for f in error.faults
                ]
            )
            raise typer.Exit(1) from error
        fail(str(error))
    except OSError as error:
        fail(str(error))
    rows = [(rule.id, type(rule).__name__.removesuffix("Rule").lower(), rule.on, rule.hash) for rule in rules.rules]
    if as_json:
        print_json([dict(zip(("id", "kind", "on", "hash"), row, strict=True)) for row in rows])
    else:
        print_table(f"{len(rows)} rules, set {rules.content_hash}", ["id", "kind", "on", "hash"], rows)


@app.command()
@takes_stack(console=True)
def status(stack: StackOptions, as_json: AsJson = False) -> None:
    """Show which rule set is in force in each partition, since when and by whom, and which applied set is refused.

    A set that this version refuses changes nothing: the one before it stays in force. Exit codes: 0 the set applied
    last is in force, 1 it is refused.
    """
    from deploy.cli.console_client import read_live

    document = read_live(stack.console_url, "/v1/rules")
    rows: list[dict[str, Any]] = document["partitions"]
    if as_json:
        print_json(rows)
    else:
        stale = " (stale: the worker does not write)" if document["view"]["stale"] else ""
        print_table(
            f"rules in force{stale}",
            ["partition", "set", "rules", "source", "since (UTC)", "by"],
            [
                (
                    str(r["partition"]),
                    r["content_hash"],
                    str(r["rule_count"]),
                    r["source"],
                    (r.get("at") or "–")[:16].replace("T", " "),
                    r.get("by") or "–",
                )
                for r in rows
            ],
        )
    if document["rules_refused"]:
        typer.echo(document["rules_refused"], err=True)
        raise typer.Exit(EXIT_FINDING)


@app.command()
def test(
    paths: Annotated[list[Path], typer.Argument(help="test files or directories; directories are searched through")],
    only: Annotated[str | None, typer.Option("--match", help="run the tests whose name holds this text")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="show only what failed")] = False,
    untested: Annotated[bool, typer.Option("--untested", help="fail for rules that no test saw firing")] = False,
    as_json: AsJson = False,
) -> None:
    """Run unit tests of rules: YAML files with events, facts and a virtual clock, and the alerts and notices they must
    give. The cores are those that run live; nothing is sent and no stack is needed.

    A file names its rules (rule_files, or groups written in place) and its tests; a test gives events or series in
    promtool's notation (1+2x5 _x3 stale) from a start, and says which alerts are open at which instants (alerts),
    what the alert log is (changes) and who is told (notifications). Examples: deploy/rules/tests/, tests/rules/.

    Exit codes: 0 all passed, 1 a test failed or a file is refused, 2 no such file.
    """
    from alerts.ruletest.files import run_files, test_files
    from alerts.ruletest.ruletest_report import never_fired, result_lines, result_row, summary_line

    try:
        files = test_files(paths)
    except OSError as error:
        fail(str(error), code=EXIT_USAGE, hint="give a file, or a directory with *.yaml files")
    if not files:
        fail("there is no *.yaml file", code=EXIT_USAGE, hint="give a file, or a directory with *.yaml files")
    results = []
    for result in run_files(files, match=only):
        results.append(result)
        if not as_json and not (quiet and result.passed):
            typer.echo("\n".join(result_lines(result)))
    if as_json:
        print_json([result_row(result) for result in results])
    else:
        typer.echo(summary_line(results))
    if not results:
        fail(f"no test has {only!r} in its name", code=EXIT_USAGE)
    quiet_rules = never_fired(results) if untested else []
    if quiet_rules:
        typer.echo(f"no test saw firing: {', '.join(quiet_rules)}", err=True)
    if quiet_rules or not all(result.passed for result in results):
        raise typer.Exit(EXIT_FINDING)
