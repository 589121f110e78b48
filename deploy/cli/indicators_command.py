"""`monazite indicators`: the nine claims of the article, each with its data beside it."""

from typing import Annotated

import typer

from deploy.cli.measures_command import parse_day
from deploy.cli.options import AsJson
from deploy.cli.output import print_json, print_table


def indicators(
    as_of: Annotated[str | None, typer.Option(help="state and figures on this day (default: today)")] = None,
    known_at: Annotated[str | None, typer.Option(help="as known on this day (default: everything known now)")] = None,
    origin: Annotated[str, typer.Option("--from", help="history, or a file of recorded events")] = "history",
    as_json: AsJson = False,
) -> None:
    """Show what was claimed, what the data say, when that was last seen, and from which source and edition."""
    from deploy.cli.claim_report import indicators as read
    from deploy.cli.recorded_events import load_events
    from streams.runtime.clock import utc_now

    day, known = parse_day(as_of, option="--as-of"), parse_day(known_at, option="--known-at")
    claims = read(load_events(origin), as_of=day or utc_now().date(), known_at=known)
    if as_json:
        print_json(claims)
        return
    print_table(
        f"Claims as of {day or 'today'}" + (f", as known on {known}" if known else ""),
        ["claim", "what the data say", "last seen", "age, days", "sources and editions"],
        [
            (
                claim["claim"],
                claim["says"],
                (claim["last_seen"] or "never")[:10],
                min((d["age_days"] for d in claim["data"] if d["age_days"] is not None), default=None),
                "; ".join(_origins(claim)) or "none",
            )
            for claim in claims
        ],
    )


def _origins(claim: dict[str, list[dict[str, list[dict[str, str]]]]]) -> list[str]:
    """Return editions where the figures name one, else the sources; each once, at most three."""
    editions = {f["vintage"] for entity in claim["data"] for f in entity["figures"] if f["vintage"]}
    sources = {str(source)[:60] for entity in claim["data"] for source in entity["sources"]}
    return sorted(editions or sources)[:3]
