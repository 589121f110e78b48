"""The `monazite` command: thin, one module a group of commands under `deploy/commands`."""

import typer

from deploy.commands import alerts, dead_letters, demo, doctor, keys, measures, produce, rules, serve, stack
from deploy.commands import subscriptions, topics, work

app = typer.Typer(
    name="monazite",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_show_locals=False,
    help=(
        "Monitor of rare-earth and critical-mineral supply risk: the legal clock, the dependency behind it, "
        "prices and capacity.\n\n"
        "Start with [bold]monazite demo[/]: it plays the real history of the export controls through a local stack "
        "and shows the alerts. [bold]monazite measures status[/] needs no stack at all.\n\n"
        "Exit codes: 0 ok, 1 a finding or failure, 2 wrong usage."
    ),
)
app.command("demo")(demo.demo)
app.command("doctor")(doctor.doctor)
app.add_typer(stack.app, name="stack")
app.add_typer(topics.app, name="topics")
app.add_typer(produce.app, name="produce")
app.add_typer(serve.app, name="serve")
app.add_typer(work.app, name="work")
app.add_typer(measures.app, name="measures")
app.add_typer(rules.app, name="rules")
app.add_typer(alerts.app, name="alerts")
app.add_typer(subscriptions.app, name="subscriptions")
app.add_typer(dead_letters.app, name="dead-letters")
app.add_typer(keys.app, name="keys")


def main() -> None:
    """Run the command line."""
    app()


if __name__ == "__main__":
    main()
