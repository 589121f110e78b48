"""`monazite alerts`: what is open now."""

from typing import Annotated, Any

import typer

from deploy.commands.options import AsJson
from deploy.output import print_json, print_table

app = typer.Typer(help="Open alerts of a running stack.")


@app.callback()
def alerts() -> None:
    """Open alerts of a running stack."""


@app.command("list")
def list_alerts(
    console_url: Annotated[str, typer.Option(envvar="MONAZITE_CONSOLE", help="console API")] = "http://127.0.0.1:8321",
    as_json: AsJson = False,
) -> None:
    """List open alerts, newest first."""
    from deploy.live import read_live

    document = read_live(console_url, "/v1/alerts")
    rows: list[dict[str, Any]] = document["alerts"]
    if as_json:
        print_json(rows)
        return
    stale = " (stale: the worker does not write)" if document["view"]["stale"] else ""
    print_table(
        f"{len(rows)} open alerts{stale}",
        ["since (UTC)", "rule", "state", "severity", "fingerprint", "why"],
        [(r["at"][:16].replace("T", " "), r["rule"], r["to"], r["severity"] or "–", r.get("fingerprint", "–"),
          r["summary"]) for r in rows],
    )  # fmt: skip
