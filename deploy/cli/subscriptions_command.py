"""`monazite subscriptions`: who is told what."""

import getpass
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from deploy.cli.options import AsJson
from deploy.cli.output import EXIT_USAGE, fail, print_json
from deploy.cli.stack_options import StackOptions, takes_stack

app = typer.Typer(help="Alert subscriptions: they travel as directives down the road.")

SecretsPath = Annotated[
    Path | None, typer.Option("--secrets-file", envvar="MONAZITE_SECRETS_FILE", help="where signing secrets are kept")
]


@app.command()
@takes_stack(broker=True)
def add(
    stack: StackOptions,
    material: Annotated[list[str] | None, typer.Option(help="material or group; repeat (default: all)")] = None,
    severity: Annotated[str, typer.Option(help="info, warning or critical: at least this")] = "warning",
    webhook: Annotated[str | None, typer.Option(help="address; none: the structured log")] = None,
    rule: Annotated[list[str] | None, typer.Option(help="rule id; repeat (default: all)")] = None,
    at: Annotated[str | None, typer.Option(help="instant of the directive (default: now); a replay's own time")] = None,
    secrets_file: SecretsPath = None,
    as_json: AsJson = False,
) -> None:
    """Subscribe to alerts; for a webhook the signing secret is shown, this once."""
    from alerts.channels.secrets import SecretsFile
    from alerts.notify.directive_requests import build_subscription, directive_event
    from producers.publisher import Publisher
    from streams.contracts.reasons import FieldError
    from streams.runtime.clock import utc_now

    if severity not in ("info", "warning", "critical"):
        fail(f"--severity is info, warning or critical, not {severity!r}", code=EXIT_USAGE)
    try:
        directive = build_subscription(
            by=getpass.getuser(),
            materials=tuple(material or ()),
            severity=severity,  # type: ignore[arg-type]
            rules=tuple(rule or ()),
            url=webhook,
        )
    except (FieldError, ValueError) as error:
        fail(str(error), code=EXIT_USAGE)
    road = stack.act()
    kept = secrets_file or stack.run_directory / "secrets.json"
    secret = SecretsFile(kept).keep(directive.target) if webhook else None
    publisher = Publisher(road.bootstrap, prefix=road.prefix, partitions=road.partitions, idempotent=False)
    try:
        publisher.publish(directive_event(directive, at=datetime.fromisoformat(at) if at else utc_now()))
    finally:
        publisher.close()
    if as_json:
        print_json({"id": directive.target, "secret": secret})
    else:
        typer.echo(f"{directive.target} subscribed" + (f"; signing secret {secret}" if secret else ""))


@app.command()
@takes_stack(broker=True)
def remove(
    stack: StackOptions,
    target: Annotated[str, typer.Argument(help="id of the subscription")],
) -> None:
    """End a subscription."""
    from alerts.notify.directive_requests import directive_event, withdraw_subscription
    from producers.publisher import Publisher
    from streams.runtime.clock import utc_now

    road = stack.act()
    publisher = Publisher(road.bootstrap, prefix=road.prefix, partitions=road.partitions, idempotent=False)
    try:
        publisher.publish(directive_event(withdraw_subscription(target, by=getpass.getuser()), at=utc_now()))
    finally:
        publisher.close()
    typer.echo(f"{target} removed")
