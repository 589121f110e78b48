"""`monazite measures`: the legal state of every measure, as of any date, as known on any date."""

from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, Any

import typer

from deploy.cli.output import EXIT_USAGE, fail, print_json, print_table
from deploy.cli.stack_options import StackOptions, takes_stack

app = typer.Typer(help="Legal states of the measures: what is in force, suspended, lapsed; until when; who says so.")


class MeasureOrigin(StrEnum):
    """Where a reading command takes its facts from; a path to a recorded log is the third way."""

    HISTORY = "history"
    LIVE = "live"


def parse_day(text: str | None, *, option: str) -> date | None:
    """Read `YYYY-MM-DD`; ends the command with a usage error that names the option."""
    if text is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        fail(f"{option} wants a date such as 2026-10-08, got {text!r}", code=EXIT_USAGE)


@app.command()
@takes_stack(console=True)
def status(
    stack: StackOptions,
    as_of: Annotated[str | None, typer.Option(help="state on this day (default: today)")] = None,
    known_at: Annotated[str | None, typer.Option(help="as known on this day (default: everything known now)")] = None,
    origin: Annotated[str, typer.Option("--from", help="history, live, or a file of recorded events")] = "history",
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    """Show each measure with its state, legal end, claimed ends and the days that are left.

    A legal end and a claimed end are two things: only an instrument moves the first.
    """
    day, known = parse_day(as_of, option="--as-of"), parse_day(known_at, option="--known-at")
    rows = _rows(origin, day, known, stack)
    if as_json:
        print_json(rows)
        return
    print_table(
        f"Measures as of {day or 'today'}" + (f", as known on {known}" if known else ""),
        ["measure", "instrument", "state", "legal end", "claimed ends", "days left", "operated", "targets"],
        [
            (
                r["measure"],
                r["instrument"],
                r["state"],
                r["legal_end"] or "–",
                ", ".join(r["claimed_ends"]) or "–",
                "–" if r["days_left"] is None else r["days_left"],
                _yes_no(r["operated"]),
                _targets(r["targets"]),
            )
            for r in rows
        ],
    )


def _rows(origin: str, day: date | None, known: date | None, stack: StackOptions) -> list[dict[str, Any]]:
    if origin == MeasureOrigin.LIVE:
        from deploy.cli.console_client import read_live

        if day or known:
            fail("--as-of and --known-at need the events: use --from history or --from FILE", code=EXIT_USAGE)
        return list(read_live(stack.console_url, "/v1/measures")["measures"])
    from deploy.cli.recorded_events import load_events
    from streams.domain.policy.measure_status import measures_status
    from streams.runtime.clock import utc_now

    today: datetime = utc_now()
    return [dict(row) for row in measures_status(load_events(origin), as_of=day or today.date(), known_at=known)]


def _yes_no(value: bool | None) -> str:
    return "unknown" if value is None else "yes" if value else "never"


def _targets(targets: Any) -> str:
    if targets is None:
        return "unknown"
    scope = targets.get("scope", "all").replace("_", " ")
    countries = ",".join(targets.get("countries", ()))
    return f"{scope} {countries}".strip()
