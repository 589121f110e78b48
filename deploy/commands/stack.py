"""`monazite stack`: broker, Redis, workers, gateway and console on this machine."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from deploy.commands.options import DEFAULT_RUN_DIRECTORY, AsJson, RunDirectory
from deploy.output import EXIT_FINDING, EXIT_USAGE, fail, print_json, print_table

if TYPE_CHECKING:
    from deploy.stack.plan import StackPlan

app = typer.Typer(help="The local stack: start it, look at it, stop it. Nothing is left behind.")


@app.command()
def up(
    broker: Annotated[str, typer.Option(help="embedded, kafka, or HOST:PORT of one that runs")] = "embedded",
    scoring_workers: Annotated[int, typer.Option(min=1, max=10, help="scoring workers")] = 1,
    tick_seconds: Annotated[float, typer.Option(min=0, help="seconds between live ticks; 0: none")] = 1.0,
    free: Annotated[bool, typer.Option("--free-ports", help="take free ports instead of the usual ones")] = False,
    foreground: Annotated[bool, typer.Option(help="stay until Ctrl-C")] = False,
    history: Annotated[bool, typer.Option(help="replay the shipped history first, then tick live")] = False,
    run_dir: RunDirectory = DEFAULT_RUN_DIRECTORY,
    as_json: AsJson = False,
) -> None:
    """Start everything and return when it is ready (or stay, with --foreground)."""
    from deploy.stack.children import plan_stack
    from deploy.stack.control import up as start
    from deploy.stack.control import up_foreground
    from deploy.stack.lock import StackRunningError
    from deploy.stack.plan import PortTakenError, free_ports, usual_ports
    from deploy.stack.server import MissingToolError, ServerFailedError

    try:
        ports = (free_ports if free else usual_ports)(scoring_workers=scoring_workers)
        plan = plan_stack(
            run_directory=run_dir, ports=ports, broker=broker, tick_seconds=0 if history else tick_seconds
        )
        if history:
            _up_with_history(run_dir, plan, tick_seconds=tick_seconds, stay=foreground)
            return
        if foreground:
            raise typer.Exit(up_foreground(run_dir, plan, on_ready=lambda _: typer.echo("ready; Ctrl-C stops it")))
        start(run_dir, plan)
    except (PortTakenError, MissingToolError, ServerFailedError, StackRunningError) as error:
        fail(str(error))
    except ValueError as error:
        fail(str(error), code=EXIT_USAGE)
    status(run_dir=run_dir, as_json=as_json)


def _up_with_history(run_dir: Path, plan: "StackPlan", *, tick_seconds: float, stay: bool) -> None:
    import signal
    from datetime import timedelta

    from deploy.demo import live_on
    from deploy.stack.control import await_end
    from deploy.stack.control import down as stop
    from deploy.stack.control import up as start
    from streams.runtime.clock import utc_now

    signal.signal(signal.SIGTERM, signal.default_int_handler)
    shown: set[str] = set()

    def progress(what: str, _: float) -> None:
        if what[:14] not in shown:
            shown.add(what[:14])
            typer.echo(f"{what[:14]} ...")

    started = start(run_dir, plan)
    ended = 0
    try:
        yesterday = utc_now().date() - timedelta(days=1)
        report = live_on(run_dir, plan, tick_seconds=tick_seconds, until=yesterday, progress=progress)
        typer.echo(f"{report.events} events of history in {report.seconds:.0f} s; live from here on")
        if stay:
            ports = plan.ports
            typer.echo(f"console on :{ports.console if ports else '?'}, gateway on :{ports.gateway if ports else '?'};"
                       " Ctrl-C stops everything")  # fmt: skip
            ended = await_end(run_dir, started.supervisor)
            typer.echo("stopped" if ended == 0 else f"the stack failed: see {run_dir}/logs/supervisor.log")
    except BaseException as error:
        stop(run_dir)
        if not isinstance(error, KeyboardInterrupt):
            raise
        typer.echo("stopped")
    if ended:
        raise typer.Exit(ended)


@app.command()
def down(run_dir: RunDirectory = DEFAULT_RUN_DIRECTORY, as_json: AsJson = False) -> None:
    """Stop everything, also what a killed supervisor left running."""
    from deploy.stack.control import down as stop

    report = stop(run_dir)
    if as_json:
        print_json(report)
    elif not report.was_running:
        typer.echo(f"no stack runs in {run_dir}")
    else:
        typer.echo(f"stopped: {', '.join((*report.stopped, *report.killed)) or 'nothing was left'}")


@app.command()
def status(run_dir: RunDirectory = DEFAULT_RUN_DIRECTORY, as_json: AsJson = False) -> None:
    """Show every process: state, port, restarts, since when; exit 1 unless all are ready."""
    from deploy.stack.status import status as look

    found = look(run_dir)
    if as_json:
        print_json(found)
    else:
        typer.echo(f"stack in {run_dir}: {found.phase} {found.detail}".rstrip())
        if found.processes:
            typer.echo(f"broker {found.bootstrap}, Redis {found.redis_url}")
            shown = [*([found.supervisor] if found.supervisor else []), *found.processes]
            print_table(
                "Processes",
                ["name", "state", "port", "restarts", "since (UTC)", "pid", "log"],
                [(p.name, p.state.replace("_", " "), p.port or "–", p.restarts,
                  f"{p.since:%Y-%m-%d %H:%M:%S}" if p.since else "–", p.pid or "–", p.log) for p in shown],
            )  # fmt: skip
    if found.phase != "ready":
        raise typer.Exit(EXIT_FINDING)
