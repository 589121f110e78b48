"""`monazite what-if`: hypothetical events, and what they would change."""

from pathlib import Path
from typing import Annotated, Any

import typer

from deploy.cli.measures_command import parse_day
from deploy.cli.options import AsJson
from deploy.cli.output import EXIT_USAGE, fail, print_json, print_table
from deploy.cli.rules_backtest import RulePaths, rules_at

_ROWS = 25
"""Rows of a table on a terminal; --json has all of them."""


def what_if(
    file: Annotated[
        Path, typer.Argument(help="hypothetical events: a CloudEvent a line, as `produce file` takes them")
    ],
    as_of: Annotated[
        str | None, typer.Option(help="compare on this day (default: today, or the day of the last event if later)")
    ] = None,
    until: Annotated[
        str | None, typer.Option(help="alerts up to the end of this day (default: the day compared)")
    ] = None,
    home: Annotated[list[str] | None, typer.Option(help="home country; repeat for several (default: all)")] = None,
    origin: Annotated[str, typer.Option("--from", help="history, or a file of recorded events")] = "history",
    rules: RulePaths = None,
    as_json: AsJson = False,
) -> None:
    """Apply hypothetical events to a copy of what is known; show how states, scores, exposures and alerts would differ.

    Nothing is sent and nothing is kept. An event without a recordedtime is recorded when it happens.
    """
    from alerts.backtest.pipeline import PipelineError
    from alerts.backtest.what_if import read_hypothetical
    from alerts.backtest.what_if import what_if as compare
    from deploy.cli.recorded_events import load_events
    from streams.queries.risk_queries import RiskQuestionError, end_of
    from streams.reference.score_parameter_file import load_score_parameters
    from streams.runtime.clock import utc_now

    try:
        hypothetical = read_hypothetical(file.read_bytes().splitlines())
    except OSError as error:
        fail(str(error), code=EXIT_USAGE)
    except ValueError as error:
        fail(f"{file}: {error}", hint="mend the line; `produce file` checks a whole file")
    homes = load_score_parameters().homes
    if unknown := [each for each in home or () if each not in homes]:
        fail(f"{unknown[0]!r} is no home", code=EXIT_USAGE, hint=f"there are {', '.join(homes)}")
    last = max((event.recorded_at.date() for event in hypothetical), default=utc_now().date())
    day = parse_day(as_of, option="--as-of") or max(last, utc_now().date())
    ends = end_of(parse_day(until, option="--until") or day)
    try:
        found = compare(load_events(origin), hypothetical, as_of=day, rules=rules_at(rules), homes=home, until=ends)
    except (PipelineError, RiskQuestionError) as error:
        fail(str(error))
    if as_json:
        print_json(found)
    else:
        _print(found)


def _print(found: dict[str, Any]) -> None:
    count = len(found["events"])
    typer.echo(f"As of {found['as_of']}, with {count} hypothetical event{'' if count == 1 else 's'}; nothing was sent.")
    _table(
        "Legal states",
        ["measure", "state", "would be", "legal end", "would be"],
        [(row["measure"], *_pair(row, "state"), *_pair(row, "legal_end")) for row in found["states"]],
    )
    _table(
        "Scores",
        ["material", "home", "score", "would be", "change", "interval would be"],
        [
            (
                row["material"],
                row["home"],
                f"{row['from']['score']:.3f}",
                f"{row['to']['score']:.3f}",
                f"{row['change']:+.3f}",
                "{:.3f} to {:.3f}".format(*row["to"]["interval"]),
            )
            for row in found["scores"]
        ],
    )
    _table(
        "Exposures of end uses",
        ["end use", "home", "exposure", "would be", "path"],
        [
            (row["end_use"], row["home"], f"{row['from']:.2f}", f"{row['to']:.2f}", " > ".join(row["path"]))
            for row in found["exposures"]
        ],
    )
    for name, title in (("gained", "Alerts that would come"), ("lost", "Alerts that would not come")):
        _table(
            title,
            ["at", "rule", "to", "severity", "why"],
            [
                (row["at"], row["rule"], row["to"], row["severity"] or "–", row["summary"])
                for row in found["alerts"][name]
            ],
        )


def _pair(row: dict[str, Any], name: str) -> tuple[str, str]:
    was, becomes = ("–" if side is None else str(side[name] or "–") for side in (row["from"], row["to"]))
    return was, becomes


def _table(title: str, columns: list[str], rows: list[tuple[Any, ...]]) -> None:
    if not rows:
        typer.echo(f"{title}: no difference")
        return
    more = f", {_ROWS} shown" if len(rows) > _ROWS else ""
    print_table(f"{title} ({len(rows)}{more})", columns, rows[:_ROWS])
