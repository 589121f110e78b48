"""The worker and server processes of Monazite, in the order in which they start."""

from pathlib import Path

import msgspec

from deploy.stack.free_ports import LOOPBACK
from deploy.stack.own_python import module_command, own_environment
from deploy.stack.plan import BrokerKind, ChildSpec, StackPlan, StackPorts, data_folder

INTAKE = "intake"
SCORING = "scoring"
GATEWAY = "gateway"


def monazite_children(
    *,
    ports: StackPorts,
    bootstrap: str,
    redis_url: str,
    broker_kind: BrokerKind,
    data_folder: Path,
    tick_seconds: float,
    prefix: str = "monazite",
    partitions: int = 4,
    extra_env: dict[str, str] | None = None,
) -> tuple[ChildSpec, ...]:
    """Return the children of a stack: intake, a scoring worker for each of its ports, alerts, gateway, console.

    `tick_seconds` is the longest distance of live statements of time; 0 means none (a replay states time). Workers keep
    their local copy below `data_folder`.
    """
    shared = ["--bootstrap", bootstrap, "--redis", redis_url, "--prefix", prefix, "--partitions", str(partitions)]
    kind = "embedded" if broker_kind is BrokerKind.EMBEDDED else "kafka"

    def child(name: str, command: list[str], *, group: str, metrics_port: int, more: list[str]) -> ChildSpec:
        return ChildSpec(
            name=name,
            group=group,
            argv=(*module_command("deploy.cli"), *command, *shared, *more),
            env=_environment(extra_env or {}),
            ready_url=f"http://{LOOPBACK}:{metrics_port}/readyz",
        )

    def worker(name: str, role: str, metrics_port: int) -> ChildSpec:
        more = ["--metrics-port", str(metrics_port), "--broker-kind", kind, "--data-dir", str(data_folder / name)]
        more += ["--static-member", name] if kind == "kafka" else []  # its partitions wait for it: no rebalance
        if role == INTAKE:  # the only one that states time
            more += ["--tick-seconds", f"{tick_seconds:g}"]
        return child(name, ["work", role], group=role, metrics_port=metrics_port, more=more)

    def server(role: str, port: int) -> ChildSpec:
        more = ["--port", str(port)]
        if role == GATEWAY and kind == "embedded":
            more += ["--no-idempotent", "--no-durable"]
        return child(role, ["serve", role], group=role, metrics_port=port, more=more)

    return (
        worker("intake", INTAKE, ports.intake),
        *(worker(f"scoring-{number}", SCORING, port) for number, port in enumerate(ports.scoring)),
        worker("alerts", "alerts", ports.alerts),
        server(GATEWAY, ports.gateway),
        server("console", ports.console),
    )


def _environment(more: dict[str, str]) -> dict[str, str]:
    return {"PYTHONUNBUFFERED": "1", **own_environment(), **more}


def replaying_children(plan: StackPlan) -> tuple[ChildSpec, ...]:
    """Return the children of a plan for the time of a replay: intake states no time, and there is no gateway."""
    return tuple(
        msgspec.structs.replace(child, argv=(*child.argv, "--tick-seconds", "0")) if child.group == INTAKE else child
        for child in plan.children
        if child.group != GATEWAY
    )


def plan_stack(
    *,
    run_directory: Path,
    ports: StackPorts,
    broker: str = "embedded",
    tick_seconds: float = 1.0,
    prefix: str = "monazite",
    partitions: int = 4,
    redis_url: str | None = None,
    java: str | None = None,
    extra_env: dict[str, str] | None = None,
) -> StackPlan:
    """Return the plan of a whole stack; it has a scoring worker for each scoring port.

    `broker` is `embedded`, `kafka`, or the bootstrap address `HOST:PORT[,HOST:PORT]` of a broker that runs. With
    `redis_url` that server is used, else one is started. `java` is a java command of one's own. Raises `ValueError` for
    another `broker`.
    """
    kind = broker_kind_of(broker)
    bootstrap = broker if kind is BrokerKind.EXTERNAL else f"{LOOPBACK}:{ports.broker}"
    redis = redis_url or f"redis://{LOOPBACK}:{ports.redis}/0"
    children = monazite_children(
        ports=ports,
        bootstrap=bootstrap,
        redis_url=redis,
        broker_kind=kind,
        data_folder=data_folder(run_directory, kind).resolve(),
        tick_seconds=tick_seconds,
        prefix=prefix,
        partitions=partitions,
        extra_env={
            "MONAZITE_KEY_FILE": str((run_directory / "keys.json").resolve()),
            "MONAZITE_SECRETS_FILE": str((run_directory / "secrets.json").resolve()),
            **(extra_env or {}),
        },
    )
    return StackPlan(
        broker_kind=kind,
        bootstrap=bootstrap,
        broker_port=None if kind is BrokerKind.EXTERNAL else ports.broker,
        java=java,
        redis_url=redis,
        redis_port=None if redis_url else ports.redis,
        topic_prefix=prefix,
        partitions=partitions,
        ports=ports,
        children=children,
    )


def broker_kind_of(broker: str) -> BrokerKind:
    """Return the kind that a `--broker` option names; raises `ValueError` when it names none."""
    if broker in {BrokerKind.EMBEDDED, BrokerKind.KAFKA}:
        return BrokerKind(broker)
    if all(host and port.isdigit() for host, _, port in (part.rpartition(":") for part in broker.split(","))):
        return BrokerKind.EXTERNAL
    raise ValueError(f"--broker is `embedded`, `kafka` or HOST:PORT[,HOST:PORT], not {broker!r}")
