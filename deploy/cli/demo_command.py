"""`monazite demo`: the real history of the export controls through a local stack, and what came of it."""

from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from deploy.cli.measures_command import parse_day
from deploy.cli.options import AsJson, Java
from deploy.cli.output import EXIT_USAGE, console, fail, print_json, print_table


def demo(
    until: Annotated[str | None, typer.Option(help="replay to the end of this day (default: today)")] = None,
    broker: Annotated[str, typer.Option(help="embedded, kafka, or HOST:PORT of one that runs")] = "embedded",
    java: Java = None,
    weeks: Annotated[int, typer.Option(min=1, max=260, help="show the alerts of the last N weeks")] = 6,
    run_dir: Annotated[Path | None, typer.Option(help="keep logs here (default: a folder that is removed)")] = None,
    as_json: AsJson = False,
) -> None:
    """Start a stack, replay 2023 to today through it, show measures, alerts and deliveries, stop it again.

    The shipped history ends on 8 October 2026. What happened after that is not known, and nothing here says so.
    """
    from deploy.cli.demo_run import DemoFailedError, DemoSettings, run_demo  # heavy: every worker imports this module
    from streams.runtime.clock import utc_now

    day = parse_day(until, option="--until") or utc_now().date()
    settings = DemoSettings(until=day, broker=broker, java=java, run_directory=run_dir)
    try:
        if as_json:
            print_json(run_demo(settings, progress=lambda *_: None))
            return
        with Progress(
            TextColumn("{task.description:<28}"),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f}%"),
            TimeElapsedColumn(),
            console=console(),
        ) as bar:
            task = bar.add_task("starting the stack", total=1.0)
            result = run_demo(
                settings, progress=lambda what, share: bar.update(task, description=what, completed=share)
            )
    except DemoFailedError as error:
        fail(str(error))
    except ValueError as error:
        fail(str(error), code=EXIT_USAGE)
    _show(result, weeks=weeks, until=day)


def _show(result: dict[str, Any], *, weeks: int, until: date) -> None:
    screen = console()
    clocked = [m for m in result["measures"] if m["legal_end"] or m["claimed_ends"]]
    others = [m for m in result["measures"] if not (m["legal_end"] or m["claimed_ends"])]
    print_table(
        f"\nMeasures with a clock, as of {until}",
        ["measure", "state", "legal end", "claimed end", "days left", "operated", "instrument"],
        [
            (
                m["measure"],
                m["state"],
                m["legal_end"] or "–",
                ", ".join(m["claimed_ends"]) or "–",
                "–" if m["days_left"] is None else m["days_left"],
                {True: "yes", False: "never", None: "unknown"}[m["operated"]],
                m["instrument"],
            )
            for m in clocked
        ],
    )
    screen.print("A claimed end is what somebody said; only an instrument moves a legal end.")
    states: dict[str, list[str]] = {}
    for m in others:
        states.setdefault(m["state"], []).append(m["measure"])
    for state, names in sorted(states.items()):
        screen.print(f"{state.replace('_', ' ')}: {', '.join(names)}")
    recent = [a for a in result["alerts"] if (until - datetime.fromisoformat(a["at"]).date()).days <= 7 * weeks]
    print_table(
        f"\nAlerts of the last {weeks} weeks ({len(recent)} of {len(result['alerts'])} in all)",
        ["at (UTC)", "rule", "to", "severity", "why"],
        [(a["at"][:16].replace("T", " "), a["rule"], a["to"], a["severity"] or "–", a["summary"]) for a in recent],
    )
    deliveries = result["deliveries"]
    screen.print(
        f"\nDelivered: {deliveries['delivered']} of {deliveries['requested']} notices "
        f"({', '.join(f'{n} by {c}' for c, n in deliveries['by_channel'].items()) or 'none'}), "
        f"{deliveries['gave_up']} given up."
    )
    screen.print(
        f"Replayed {result['replay']['events']} events and {result['replay']['ticks']} days in "
        f"{result['replay']['seconds']:.1f} s. {result['note']}"
    )
    screen.print(
        "The stack is stopped. `make up` keeps one running: metrics on :9310, :9320 and :9330 (/metrics), "
        "console on :8321, gateway on :8320."
    )
