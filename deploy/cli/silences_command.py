"""`monazite silences`: hold notices back for a while; alerts go on, nothing is lost from the log."""

import hashlib
from datetime import datetime, timedelta
from typing import Annotated, Any

import typer

from deploy.cli.options import AsJson
from deploy.cli.output import EXIT_USAGE, fail, print_json, print_table
from deploy.cli.send_directives import asking_user, give, given
from deploy.cli.stack_options import StackOptions, takes_stack
from streams.contracts.directive import DirectiveGiven, Silence

app = typer.Typer(
    help="Hold notices back for a while. The alert stays open and in the log; those who were told that it fires are "
    "still told when it is over."
)


def parse_matchers(texts: list[str]) -> dict[str, str]:
    """Read `label=value` texts, or end the command."""
    made: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name or not value:
            fail(
                f"{text!r} is no matcher",
                code=EXIT_USAGE,
                hint="write label=value, as in material=dysprosium, rule=suspension-end, fingerprint=0123456789abcdef",
            )
        if made.setdefault(name, value) != value:
            fail(
                f"{name} is to equal both {made[name]!r} and {value!r}",
                code=EXIT_USAGE,
                hint="all matchers must hold at once: make two silences",
            )
    return made


def parse_when(text: str, *, option: str) -> datetime:
    """Read an instant with its offset, or end the command."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        fail(f"{option} {text!r} is no instant with an offset", code=EXIT_USAGE, hint="write 2026-11-24T08:00:00Z")
    return at


def silence_id(silence: Silence) -> str:
    """Name a silence by what it holds back and until when, so that asking twice is asking once."""
    asked = "\0".join(f"{k}={v}" for k, v in sorted(silence.matchers.items()))
    text = f"{asked}\0{silence.starts_at.isoformat()}\0{silence.ends_at.isoformat()}"
    return f"silence-{hashlib.sha256(text.encode()).hexdigest()[:12]}"


@app.command()
@takes_stack(broker=True)
def add(
    stack: StackOptions,
    matchers: Annotated[list[str], typer.Argument(help="label=value; all must hold (also rule=, fingerprint=)")],
    lasting: Annotated[str, typer.Option("--for", help="how long: 8h, 30m, 2d")] = "8h",
    starts: Annotated[str | None, typer.Option("--from", help="instant it starts (default: now)")] = None,
    comment: Annotated[str | None, typer.Option(help="why")] = None,
    as_json: AsJson = False,
) -> None:
    """Hold back notices of alerts with these labels, from now (or --from) for --for."""
    from alerts.notify.directive_requests import build_silence
    from alerts.rules.durations import DurationError, parse_duration
    from streams.runtime.clock import utc_now

    now = utc_now()
    try:
        length = parse_duration(lasting)
    except DurationError as error:
        fail(f"--for: {error}", code=EXIT_USAGE)
    if length <= timedelta(0):
        fail("--for is no time at all", code=EXIT_USAGE)
    begins = parse_when(starts, option="--from") if starts else now
    silence = Silence(
        matchers=parse_matchers(matchers), starts_at=begins, ends_at=begins + length, by=asking_user(), comment=comment
    )
    target = silence_id(silence)
    give(build_silence(silence, target=target), road=stack.act(), at=now)
    if as_json:
        print_json({"id": target, "starts_at": silence.starts_at, "ends_at": silence.ends_at})
    else:
        typer.echo(f"{target}: notices are held back until {silence.ends_at:%Y-%m-%d %H:%M} {silence.ends_at:%Z}")


@app.command("list")
@takes_stack(broker=True)
def list_silences(
    stack: StackOptions,
    everything: Annotated[bool, typer.Option("--all", help="also those that are over or were expired")] = False,
    as_json: AsJson = False,
) -> None:
    """List silences that hold or will hold."""
    from streams.runtime.clock import utc_now

    now = utc_now()
    rows: list[dict[str, Any]] = []
    for each in given("silence", road=stack.road):
        silence = each.directive.silence
        state = state_of(each.directive, now=now)
        if everything or state in ("pending", "active"):
            rows.append(
                {
                    "id": each.directive.target,
                    "state": state,
                    "matchers": silence.matchers if silence else {},
                    "starts_at": silence.starts_at if silence else None,
                    "ends_at": silence.ends_at if silence else None,
                    "by": each.directive.by,
                    "comment": silence.comment if silence else None,
                }
            )
    if as_json:
        print_json(rows)
        return
    print_table(
        f"{len(rows)} silences",
        ["id", "state", "labels", "from (UTC)", "to (UTC)", "by", "why"],
        [
            (
                r["id"],
                r["state"],
                ", ".join(f"{k}={v}" for k, v in r["matchers"].items()) or "–",
                _minute(r["starts_at"]),
                _minute(r["ends_at"]),
                r["by"],
                r["comment"] or "–",
            )
            for r in rows
        ],
    )


def state_of(directive: DirectiveGiven, *, now: datetime) -> str:
    """Say whether a silence is pending, active, over, or was expired by somebody."""
    if directive.withdrawn or directive.silence is None:
        return "expired"
    if now < directive.silence.starts_at:
        return "pending"
    return "active" if now < directive.silence.ends_at else "over"


def _minute(at: datetime | None) -> str:
    return "–" if at is None else f"{at:%Y-%m-%d %H:%M}"


@app.command()
@takes_stack(broker=True)
def expire(
    stack: StackOptions,
    target: Annotated[str, typer.Argument(metavar="ID", help="id of the silence")],
) -> None:
    """End a silence now; what was held back meanwhile is not sent later."""
    from streams.runtime.clock import utc_now

    road = stack.act()
    if target not in {each.directive.target for each in given("silence", road=road)}:
        fail(f"there is no silence {target!r}", code=EXIT_USAGE, hint="`silences list --all` shows them")
    give(DirectiveGiven(kind="silence", target=target, by=asking_user(), withdrawn=True), road=road, at=utc_now())
    typer.echo(f"{target} expired")
