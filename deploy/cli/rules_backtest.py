"""`monazite rules backtest|diff`: what rules would have said over history, and what another set would."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from deploy.cli.measures_command import parse_day
from deploy.cli.options import AsJson
from deploy.cli.output import EXIT_FINDING, EXIT_USAGE, fail, print_json, print_table, progress
from deploy.cli.stack_options import StackOptions, takes_stack

if TYPE_CHECKING:
    from alerts.backtest.backtest_report import BacktestReport
    from alerts.backtest.pipeline import Watcher
    from alerts.rules.ruleset import Rules
    from deploy.cli.recorded_events import Recording
    from streams.contracts.alert import AlertChanged

RulePaths = Annotated[
    list[Path] | None, typer.Option("--rules", help="rule file or directory; repeat for several (default: shipped)")
]
Origin = Annotated[
    str, typer.Option("--from", help="history (shipped), live (the signals log of a running road), or a file of events")
]
Until = Annotated[str | None, typer.Option(help="to the end of this day (default: today; live: the end of the log)")]


def rules_at(paths: list[Path] | None) -> "Rules":
    """Load rules, or end the command with every fault; none given are the shipped ones."""
    from alerts.rules.loader import RuleFileError, load_rules, shipped_rules

    try:
        return load_rules(paths) if paths else shipped_rules()
    except RuleFileError as error:
        fail(str(error))
    except OSError as error:
        fail(str(error), code=EXIT_USAGE)


def recording(origin: str, until: str | None, *, stack: StackOptions) -> "Recording":
    """Load what the options name."""
    from deploy.cli.recorded_events import load_recording

    day = parse_day(until, option="--until")
    return load_recording(origin, until=day, live=lambda: stack.road)


def run(
    of: "Recording", rules: "Rules", *, what: str, watch: "Watcher | None" = None, applied: bool = True
) -> "list[AlertChanged]":
    """Run rules over a recording, or end the command with what the road would refuse."""
    from alerts.backtest.pipeline import PipelineError

    try:
        with progress(what) as tell:
            return of.alert_log(rules, progress=tell, watch=watch, applied=applied)
    except PipelineError as error:
        fail(str(error))


@takes_stack(broker=True)
def backtest(
    stack: StackOptions,
    until: Until = None,
    origin: Origin = "history",
    rules: RulePaths = None,
    log: Annotated[bool, typer.Option("--log", help="show every change of every alert too")] = False,
    only_report: Annotated[bool, typer.Option("--report", help="with --json: the report instead of the log")] = False,
    as_json: AsJson = False,
) -> None:
    """Show what rules would have said over history: how often, how long, when. Sends nothing.

    The cores are those that run live, so the same log gives the same alerts. --json prints the alert log, one change a
    line; --json --report prints the report as one document.
    """
    from alerts.backtest.backtest_report import report, report_row
    from alerts.backtest.run_backtest import as_json_line

    of = recording(origin, until, stack=stack)
    loaded = rules_at(rules)
    changes = run(of, loaded, what="backtest", applied=rules is None)
    made = report(changes, rules=[rule.id for rule in loaded.rules], since=of.since, until=of.until)
    if as_json and not only_report:
        for change in changes:
            sys.stdout.write(as_json_line(change).decode() + "\n")
        return
    if as_json:
        print_json(report_row(made))
        return
    if log:
        _show_log(changes)
    _show_report(made)


def _show_log(changes: "list[AlertChanged]") -> None:
    print_table(
        f"{len(changes)} alert changes",
        ["at (UTC)", "rule", "from", "to", "severity", "why"],
        [
            (f"{c.at:%Y-%m-%d %H:%M}", c.rule, c.from_state.value, c.to_state.value, c.severity or "–", c.summary)
            for c in changes
        ],
    )


def _show_report(made: "BacktestReport") -> None:
    since = f"{made.since:%Y-%m-%d}" if made.since else "the beginning"
    print_table(
        f"{made.changes_count} alert changes from {since} to {made.until:%Y-%m-%d}",
        [
            "rule",
            "fired",
            "alerts",
            "critical",
            "told",
            "flaps",
            "no data",
            "open",
            "days open",
            "of the time",
            "first",
            "last",
        ],
        [
            (
                r.rule,
                r.fired_count,
                r.entities_count,
                r.critical_count,
                r.told_count,
                r.flaps_count,
                r.no_data_count,
                r.open_count,
                f"{r.open_days:,.1f}",
                f"{r.open_share_ratio:.0%}",
                _day(r.first_at),
                _day(r.last_at),
            )
            for r in made.rules
        ],
    )
    typer.echo(
        "fired: times an alert began; told: with steps and repeats; flaps: fired again within a week of its end."
    )


def _day(at: Any) -> str:
    return "–" if at is None else f"{at:%Y-%m-%d}"


@takes_stack(broker=True)
def diff(
    stack: StackOptions,
    old: Annotated[str, typer.Argument(help="rule file or directory, or shipped")],
    new: Annotated[str, typer.Argument(help="rule file or directory, or shipped")],
    until: Until = None,
    origin: Origin = "history",
    as_json: AsJson = False,
) -> None:
    """Compare two rule sets over one history: alerts gained, lost, moved (by how long), or of another severity.

    Run it before `rules apply`. Exit codes, as of diff(1): 0 the alerts are the same (rules may be written
    differently), 1 they differ, 2 wrong usage.
    """
    from alerts.backtest.diff import diff as compare
    from alerts.backtest.diff import diff_row

    of = recording(origin, until, stack=stack)
    sets = [rules_at(None if name == "shipped" else [Path(name)]) for name in (old, new)]
    before, after = (
        run(of, rules, what=name, applied=False) for rules, name in zip(sets, ("old rules", "new rules"), strict=True)
    )
    hashes = [{rule.id: rule.hash for rule in rules.rules} for rules in sets]
    made = compare(before, after, old_rules=hashes[0], new_rules=hashes[1])
    if as_json:
        print_json(diff_row(made))
    else:
        for what in ("added", "removed", "edited"):
            if names := getattr(made, what):
                typer.echo(f"rules {what}: {', '.join(names)}")
        print_table(
            f"{len(made.alerts)} alerts differ, {made.same_alerts_count} are the same",
            ["what", "rule", "alert", "begins", "ends", "severity"],
            [
                (
                    d.what,
                    d.rule,
                    " ".join(v for k, v in sorted(d.labels.items()) if k != "topic"),
                    _moved(d.started_before, d.started_after, d.started_by_seconds),
                    _moved(d.ended_before, d.ended_after, d.ended_by_seconds),
                    " -> ".join(dict.fromkeys(s for s in (d.severity_before, d.severity_after) if s)),
                )
                for d in made.alerts
            ],
        )
    if not made.same:
        raise typer.Exit(EXIT_FINDING)


def _moved(before: Any, after: Any, by_seconds: float | None) -> str:
    if before is None or after is None or before == after:
        return _day(after or before)
    days = (by_seconds or 0.0) / 86_400
    return f"{_day(before)} -> {_day(after)} ({days:+.1f} days)"
