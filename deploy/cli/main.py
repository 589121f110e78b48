"""The `monazite` command: thin, one module a group of commands under `deploy/cli`."""

import sys
from typing import Annotated

import typer

from deploy.cli import alerts_command as alerts
from deploy.cli import dead_letters_command as dead_letters
from deploy.cli import demo_command as demo
from deploy.cli import indicators_command as indicators
from deploy.cli import keys_command as keys
from deploy.cli import measures_command as measures
from deploy.cli import methods_command as methods
from deploy.cli import produce_command as produce
from deploy.cli import risk_command as risk
from deploy.cli import rules_command as rules
from deploy.cli import serve_command as serve
from deploy.cli import silences_command as silences
from deploy.cli import stack_command as stack
from deploy.cli import subscriptions_command as subscriptions
from deploy.cli import topics_command as topics
from deploy.cli import what_if_command as what_if
from deploy.cli import work_command as work
from deploy.cli.extras import missing_extra
from deploy.cli.output import EXIT_FINDING

app = typer.Typer(
    name="monazite",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_show_locals=False,
    help=(
        "Monitor of rare-earth and critical-mineral supply risk: the legal clock, the dependency behind it, "
        "prices and capacity.\n\n"
        "[bold]monazite measures status[/] shows every measure and needs no stack. "
        "[bold]monazite stack up[/] starts one.\n\n"
        "Exit codes: 0 ok, 1 a finding or failure, 2 wrong usage."
    ),
)


def _say_version(asked: bool) -> None:
    if asked:
        from streams.runtime.version import monazite_version

        typer.echo(f"monazite {monazite_version()}")
        raise typer.Exit


@app.callback()
def monazite(
    version: Annotated[
        bool, typer.Option("--version", callback=_say_version, is_eager=True, help="print the version and end")
    ] = False,
) -> None:
    """Take the options of the command as a whole."""


app.command("demo")(demo.demo)
app.add_typer(stack.app, name="stack")
app.add_typer(topics.app, name="topics")
app.add_typer(produce.app, name="produce")
app.add_typer(serve.app, name="serve")
app.add_typer(work.app, name="work")
app.add_typer(measures.app, name="measures")
app.add_typer(risk.app, name="risk")
app.command("what-if")(what_if.what_if)
app.command("indicators")(indicators.indicators)
app.command("methods", help=methods.HELP)(methods.methods)
app.add_typer(keys.app, name="keys")
app.add_typer(rules.app, name="rules")
app.add_typer(alerts.app, name="alerts")
app.add_typer(silences.app, name="silences")
app.add_typer(subscriptions.app, name="subscriptions")
app.add_typer(dead_letters.app, name="dead-letters")


def main() -> None:
    """Run the command line; what an extra would bring and is not installed is named."""
    try:
        app(prog_name="monazite")
    except ModuleNotFoundError as error:
        extra = missing_extra(error.name, words=sys.argv[1:])
        if extra is None:
            raise
        typer.echo(
            f"error: this command needs {error.name}, which is not installed\n"
            f"  pip install 'monazite[{extra}]' brings it, 'monazite[all]' everything",
            err=True,
        )
        sys.exit(EXIT_FINDING)
