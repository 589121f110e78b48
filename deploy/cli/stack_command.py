"""`monazite stack`: broker, Redis, workers, gateway and console on this machine."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from deploy.cli.options import DEFAULT_RUN_DIRECTORY, AsJson, Java, RunDirectory
from deploy.cli.output import EXIT_FINDING, EXIT_USAGE, fail, print_json, print_table

if TYPE_CHECKING:
    from deploy.stack.plan import StackPlan, StackPorts
    from deploy.stack.stack_history import HistoryReport

app = typer.Typer(help="The local stack: start it, look at it, stop it. Nothing is left behind.")


@app.command()
def up(
    broker: Annotated[
        str, typer.Option(help="kafka, embedded (keeps nothing), or HOST:PORT of one that runs")
    ] = "kafka",
    java: Java = None,
    scoring_workers: Annotated[int, typer.Option(min=1, max=10, help="scoring workers")] = 1,
    tick_seconds: Annotated[
        float,
        typer.Option(min=0, help="seconds between statements of time when nothing else says it; 0: none"),
    ] = 1.0,
    free: Annotated[bool, typer.Option("--free-ports", help="take free ports instead of the usual ones")] = False,
    foreground: Annotated[bool, typer.Option(help="stay until Ctrl-C")] = False,
    history: Annotated[bool, typer.Option(help="live through the shipped history first, once, then go live")] = False,
    run_dir: RunDirectory = DEFAULT_RUN_DIRECTORY,
    as_json: AsJson = False,
) -> None:
    """Start everything and return when it is ready (or stay, with --foreground).

    What the stack was told is kept by Apache Kafka in the run directory. A stack that has the history gets what is new
    in it, also without --history.
    """
    from deploy.stack.fetch import prepare_broker
    from deploy.stack.lock import StackRunningError
    from deploy.stack.plan import PortTakenError, free_ports, usual_ports
    from deploy.stack.server import MissingToolError, ServerFailedError
    from producers.held_events import UnreadableTopicError
    from producers.log_watch import NotAdmittedError

    try:
        ports = (free_ports if free else usual_ports)(scoring_workers=scoring_workers)
        plan = _plan(run_dir, ports, broker, java=java, tick_seconds=tick_seconds)
        prepare_broker(plan, lambda line: typer.echo(line, err=True))
        _run(run_dir, plan, history=history, stay=foreground)
    except (PortTakenError, MissingToolError, ServerFailedError, StackRunningError) as error:
        fail(str(error))
    except (UnreadableTopicError, NotAdmittedError) as error:
        fail(f"{error}\nThe stack was stopped; the next `monazite stack up` goes on where this one stood.")
    except ValueError as error:
        fail(str(error), code=EXIT_USAGE)
    if not foreground:
        status(run_dir=run_dir, as_json=as_json)


def _plan(run_dir: Path, ports: "StackPorts", broker: str, *, java: str | None, tick_seconds: float) -> "StackPlan":
    from deploy.stack.children import plan_stack

    return plan_stack(run_directory=run_dir, ports=ports, broker=broker, java=java, tick_seconds=tick_seconds)


def _run(run_dir: Path, plan: "StackPlan", *, history: bool, stay: bool) -> None:
    import signal
    from datetime import timedelta

    from deploy.stack.lock import StackRunningError
    from deploy.stack.stack_control import await_end
    from deploy.stack.stack_control import down as stop
    from deploy.stack.stack_history import bring_up
    from streams.runtime.clock import utc_now

    signal.signal(signal.SIGTERM, signal.default_int_handler)
    shown: set[str] = set()

    def progress(what: str, _: float) -> None:
        if what[:14] not in shown:
            shown.add(what[:14])
            typer.echo(f"{what[:14]} ...", err=True)

    typer.echo(f"broker: {plan.broker_kind.value}, {plan.broker_kind.keeps}", err=True)
    ended = 0
    try:
        yesterday = utc_now().date() - timedelta(days=1)
        started, report = bring_up(run_dir, plan, asked=history, until=yesterday, progress=progress)
        typer.echo(_said(report), err=True)
        if stay:
            ports = plan.ports
            typer.echo(
                f"ready: console on :{ports.console if ports else '?'}, gateway on "
                f":{ports.gateway if ports else '?'}; Ctrl-C stops everything"
            )
            ended = await_end(run_dir, started.supervisor)
            typer.echo("stopped" if ended == 0 else f"the stack failed: see {run_dir}/logs/supervisor.log")
    except StackRunningError:
        raise
    except BaseException as error:
        stop(run_dir)
        if not isinstance(error, KeyboardInterrupt):
            raise
        typer.echo("stopped")
        if not stay:
            raise typer.Exit(EXIT_FINDING) from error
    if ended:
        raise typer.Exit(ended)


def _said(report: "HistoryReport") -> str:
    from deploy.stack.stack_history import HistoryDecision

    return {
        HistoryDecision.NOT_WANTED: "without the shipped history (--history lives through it once)",
        HistoryDecision.REPLAY: f"lived through {report.sent} events of history in {report.seconds:.0f} s; live now",
        HistoryDecision.RESUME: f"lived through the last {report.sent} events of a history that was interrupted; live "
        "now",
        HistoryDecision.SEND_NEW: f"sent {report.sent} events of the shipped history that this stack did not have",
        HistoryDecision.COMPLETE: "the shipped history is there already",
    }[report.decision]


@app.command()
def down(run_dir: RunDirectory = DEFAULT_RUN_DIRECTORY, as_json: AsJson = False) -> None:
    """Stop everything, also what a killed supervisor left running."""
    from deploy.stack.stack_control import down as stop

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
    from deploy.stack.stack_status import status as look

    found = look(run_dir)
    if as_json:
        print_json(found)
    else:
        typer.echo(f"stack in {run_dir}: {found.phase} {found.detail}".rstrip())
        if found.processes:
            typer.echo(f"broker {found.bootstrap} ({found.broker_kind}: {found.keeps}), Redis {found.redis_url}")
            shown = [*([found.supervisor] if found.supervisor else []), *found.processes]
            print_table(
                "Processes",
                ["name", "state", "port", "restarts", "since (UTC)", "pid", "log"],
                [
                    (
                        p.name,
                        p.state.replace("_", " "),
                        p.port or "–",
                        p.restarts,
                        f"{p.since:%Y-%m-%d %H:%M:%S}" if p.since else "–",
                        p.pid or "–",
                        p.log,
                    )
                    for p in shown
                ],
            )
    if found.phase != "ready":
        raise typer.Exit(EXIT_FINDING)
