"""`monazite rules apply`: send a whole rule set down the road, where it takes effect at one place in the log."""

import getpass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from deploy.cli.options import AsJson
from deploy.cli.output import EXIT_USAGE, fail, print_json
from deploy.cli.stack_options import StackOptions, takes_stack

if TYPE_CHECKING:
    from alerts.rules.ruleset import Rules
    from deploy.cli.recorded_events import LiveRoad


@takes_stack(broker=True)
def apply(
    stack: StackOptions,
    paths: Annotated[list[Path] | None, typer.Argument(help="files or directories: the whole set")] = None,
    withdraw: Annotated[bool, typer.Option("--withdraw", help="go back to the rules the workers began with")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="print what would change, send nothing")] = False,
    at: Annotated[str | None, typer.Option(help="instant of the directive (default: now); a replay's own time")] = None,
    as_json: AsJson = False,
) -> None:
    """Put a rule set in force: the given files are all the rules there are from then on.

    Checks them first, prints what changes against the set applied last (or the shipped one), and sends them as one
    directive. It takes effect at one place in the log of every partition, without a restart; replay and backtest see
    it there. Alerts of removed rules are closed with a reason, kept ones are evaluated again at once.

    Exit codes: 0 sent (or nothing to change), 1 a file is refused, 2 wrong use.
    """
    from alerts.notify.directive_requests import build_rule_set, directive_event, withdraw_rule_set
    from alerts.rules.loader import RuleFileError, read_rule_set_text, shipped_rules
    from producers.publisher import Publisher
    from streams.runtime.clock import utc_now

    if bool(paths) == withdraw:
        fail("give the files of the whole set, or --withdraw", code=EXIT_USAGE)
    road = stack.road if dry_run else stack.act()
    try:
        old = _in_force(road)
        text, new = read_rule_set_text(paths) if paths else ("", shipped_rules())
    except (RuleFileError, OSError) as error:
        fail(str(error))
    by = getpass.getuser()
    directive = withdraw_rule_set(by=by) if withdraw else build_rule_set(text, content_hash=new.content_hash, by=by)
    if not dry_run:
        publisher = Publisher(road.bootstrap, prefix=road.prefix, partitions=road.partitions, idempotent=False)
        try:
            publisher.publish(directive_event(directive, at=datetime.fromisoformat(at) if at else utc_now()))
        finally:
            publisher.close()
    _report(old, new, sent=not dry_run, as_json=as_json)


def _report(old: "Rules", new: "Rules", *, sent: bool, as_json: bool) -> None:
    from alerts.rules.edits import edits_between

    edits = list(edits_between(old, new))
    if as_json:
        rows = [{"rule": e.rule, "what": e.what, "fields": list(e.fields), "anew": e.anew} for e in edits]
        print_json(
            {"sent": sent, "from": old.content_hash, "to": new.content_hash, "rules": len(new.rules), "changes": rows}
        )
        return
    for edit in edits:
        typer.echo(str(edit))
    same = len(new.rules) - sum(edit.what != "removed" for edit in edits)
    verb = "sent" if sent else "would be sent"
    typer.echo(f"{same} rules stay as they are; set {new.content_hash} with {len(new.rules)} rules {verb}")


def _in_force(road: "LiveRoad") -> "Rules":
    """Return the set that was asked for last, as the directives topic says, or the shipped one."""
    from kafka.errors import KafkaError

    from alerts.rules.loader import load_rule_set, shipped_rules
    from deploy.cli.pipeline_logs import read_directives
    from streams.contracts.directive import DirectiveGiven

    try:
        events = read_directives(road.bootstrap, prefix=road.prefix, partitions=road.partitions)
    except KafkaError as error:
        fail(f"the broker at {road.bootstrap} does not answer: {error}", hint="start one with `monazite stack up`")
    given = [e for e in events if isinstance(e.data, DirectiveGiven) and e.data.kind == "rule_set"]
    last = max(given, key=lambda event: event.recorded_at).data if given else None
    if not isinstance(last, DirectiveGiven) or last.withdrawn or last.rule_set is None:
        return shipped_rules()
    return load_rule_set(last.rule_set.text)
