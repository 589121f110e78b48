"""`monazite work`: one worker process; a supervisor (`monazite stack up`) usually starts it."""

from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from deploy.cli.stack_options import StackOptions, takes_stack
from streams.agents.worker_settings import PipelineSettings

app = typer.Typer(help="Run one worker of the road in the foreground: intake, scoring or alerts.")


class BrokerFlavour(StrEnum):
    """Which broker the session times are chosen for."""

    KAFKA = "kafka"
    EMBEDDED = "embedded"


Port = Annotated[int, typer.Option(min=0, max=65535, help="port of /metrics, /healthz and /readyz on loopback")]
Kind = Annotated[BrokerFlavour, typer.Option(help="session times for this kind of broker")]
DataDirectory = Annotated[Path | None, typer.Option("--data-dir", help="local copy of the state; none: memory only")]
Secrets = Annotated[
    Path | None,
    typer.Option(
        envvar="MONAZITE_SECRETS_FILE", help="signing secrets of webhooks; default: secrets.json in --run-dir"
    ),
]
StaticMember = Annotated[
    str | None,
    typer.Option(
        help="name in the consumer group, for a worker that a supervisor restarts at once under the same name; "
        "two workers must never share one"
    ),
]
Ticks = Annotated[
    float,
    typer.Option(
        min=0,
        help="how often intake states time when nothing else does, in seconds; 0: not at all, for a replay, "
        "which brings its own (without it timers and deadlines stand still); of no effect on other workers",
    ),
]

InputPrefix = Annotated[
    str | None, typer.Option(help="prefix of the input topics, to run a second road beside one over the same input")
]


IdentityEvents = Annotated[
    int,
    typer.Option(
        min=512,
        help="events of a partition known again by source and id, so that a repeat changes nothing",
    ),
]


def _settings(
    stack: StackOptions,
    port: int,
    kind: BrokerFlavour,
    data: Path | None,
    ticks: float,
    static_member: str | None,
    secrets: Path | None = None,
    input_prefix: str | None = None,
) -> PipelineSettings:
    return PipelineSettings(
        bootstrap=stack.bootstrap,
        prefix=stack.prefix,
        partitions=stack.partitions,
        redis_url=stack.redis_url_if_any,
        metrics_port=port,
        embedded=kind is BrokerFlavour.EMBEDDED,
        data_directory=data,
        tick_seconds=ticks or None,
        secrets_file=secrets or stack.run_directory / "secrets.json",
        static_member=static_member,
        input_prefix=input_prefix,
    )


@app.command()
@takes_stack(broker=True, redis=True)
def intake(
    stack: StackOptions,
    metrics_port: Port = 9310,
    broker_kind: Kind = BrokerFlavour.KAFKA,
    data_dir: DataDirectory = None,
    tick_seconds: Ticks = 0.0,
    static_member: StaticMember = None,
    input_prefix: InputPrefix = None,
) -> None:
    """Admit events from the input topics into the signals log; refuse bad ones with a reason."""
    from streams.agents.intake_worker import run_intake_process

    run_intake_process(
        _settings(stack, metrics_port, broker_kind, data_dir, tick_seconds, static_member, input_prefix=input_prefix)
    )


@app.command()
@takes_stack(broker=True, redis=True)
def scoring(
    stack: StackOptions,
    metrics_port: Port = 9320,
    broker_kind: Kind = BrokerFlavour.KAFKA,
    identity_events: IdentityEvents = 131_072,
    data_dir: DataDirectory = None,
    tick_seconds: Ticks = 0.0,
    static_member: StaticMember = None,
) -> None:
    """Keep the measure book and the series; write assessments."""
    from streams.agents.scoring_worker import build_scoring
    from streams.runtime.worker_process import run_worker

    settings = _settings(stack, metrics_port, broker_kind, data_dir, tick_seconds, static_member)
    run_worker(build_scoring(replace(settings, identity_events=identity_events)))


@app.command()
@takes_stack(broker=True, redis=True)
def alerts(
    stack: StackOptions,
    metrics_port: Port = 9330,
    broker_kind: Kind = BrokerFlavour.KAFKA,
    data_dir: DataDirectory = None,
    tick_seconds: Ticks = 0.0,
    static_member: StaticMember = None,
    secrets_file: Secrets = None,
) -> None:
    """Decide alerts by rules, decide who is told, and deliver."""
    from alerts.agents.alerts_worker import build_alerts
    from streams.runtime.worker_process import run_worker

    settings = _settings(stack, metrics_port, broker_kind, data_dir, tick_seconds, static_member, secrets_file)
    run_worker(build_alerts(settings))
