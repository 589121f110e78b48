"""`monazite alerts`: what is open now, and who has taken it."""

from typing import Annotated, Any

import typer

from deploy.cli.options import AsJson
from deploy.cli.output import EXIT_USAGE, fail, print_json, print_table
from deploy.cli.stack_options import StackOptions, takes_stack

app = typer.Typer(help="Open alerts of a running stack: list them, take them.")


@app.callback()
def alerts() -> None:
    """Open alerts of a running stack: list them, take them."""


@app.command("list")
@takes_stack(console=True)
def list_alerts(
    stack: StackOptions,
    as_json: AsJson = False,
) -> None:
    """List open alerts, newest first."""
    from deploy.cli.console_client import read_live

    document = read_live(stack.console_url, "/v1/alerts")
    rows: list[dict[str, Any]] = document["alerts"]
    if as_json:
        print_json(rows)
        return
    if document.get("rules_refused"):
        typer.echo(document["rules_refused"], err=True)
    stale = " (stale: the worker does not write)" if document["view"]["stale"] else ""
    print_table(
        f"{len(rows)} open alerts{stale}",
        ["since (UTC)", "rule", "state", "severity", "fingerprint", "why"],
        [
            (
                r["at"][:16].replace("T", " "),
                r["rule"],
                r["to"],
                r["severity"] or "–",
                r.get("fingerprint", "–"),
                r["summary"],
            )
            for r in rows
        ],
    )


@app.command()
@takes_stack(broker=True, console=True)
def ack(
    stack: StackOptions,
    fingerprint: Annotated[str, typer.Argument(help="the alert; the first digits suffice")],
    comment: Annotated[str | None, typer.Option(help="what you do about it")] = None,
    take_back: Annotated[bool, typer.Option("--take-back", help="take the acknowledgement back")] = False,
    as_json: AsJson = False,
) -> None:
    """Take an alert: its daily repeats stop until it changes. It stays open; a step up is told again."""
    from alerts.notify.directive_requests import build_acknowledgement
    from deploy.cli.console_client import read_live
    from deploy.cli.send_directives import asking_user, give
    from streams.contracts.directive import DirectiveGiven
    from streams.runtime.clock import utc_now

    rows: list[dict[str, Any]] = read_live(stack.console_url, "/v1/alerts")["alerts"]
    found = [row for row in rows if str(row.get("fingerprint", "")).startswith(fingerprint)]
    if len(found) != 1:
        fail(
            f"{len(found)} open alerts have a fingerprint that begins with {fingerprint!r}",
            code=EXIT_USAGE,
            hint="`alerts list` shows them",
        )
    whole, by = found[0]["fingerprint"], asking_user()
    directive = build_acknowledgement(whole, by=by, comment=comment)
    if take_back:
        directive = DirectiveGiven(kind="acknowledgement", target=whole, by=by, withdrawn=True, comment=comment)
    give(directive, road=stack.act(), at=utc_now())
    if as_json:
        print_json({"fingerprint": whole, "rule": found[0]["rule"], "by": None if take_back else by})
    else:
        typer.echo(f"{found[0]['rule']} {whole}: {'nobody has it' if take_back else f'taken by {by}'}")
