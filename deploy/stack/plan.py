"""What a stack consists of: options of the person, ports, and the plan that the supervisor carries out."""

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path

import msgspec

from deploy.stack.free_ports import free_port, is_free


class BrokerKind(StrEnum):
    """Where the broker of a stack comes from."""

    EMBEDDED = "embedded"
    KAFKA = "kafka"
    EXTERNAL = "external"

    @property
    def is_durable(self) -> bool:
        """Say whether the broker holds what it was told when the stack is stopped and started again."""
        return self is not BrokerKind.EMBEDDED

    @property
    def keeps(self) -> str:
        """Say in words what becomes of what the broker was told."""
        return {
            BrokerKind.EMBEDDED: "keeps nothing: events, rules, subscriptions and alerts are gone when the stack stops",
            BrokerKind.KAFKA: "keeps everything in the run directory when the stack stops or is killed",
            BrokerKind.EXTERNAL: "keeps what its topics keep; this stack neither starts nor stops it",
        }[self]


class PortTakenError(RuntimeError):
    """A port that the stack needs is in use by another program."""


class ChildSpec(msgspec.Struct, frozen=True, kw_only=True):
    """A process of the stack.

    `group` names what is replaced together. `ready_url` answers 200 when the child is ready; None: running is ready.
    `env` is added to the environment of the supervisor.
    """

    name: str
    group: str
    argv: tuple[str, ...]
    env: dict[str, str] = {}
    ready_url: str | None = None
    stop_timeout_seconds: float = 15.0


class StackPorts(msgspec.Struct, frozen=True, kw_only=True):
    """The loopback ports of a stack; scoring workers count up from `scoring`. `supervisor` 0: it serves no metrics."""

    broker: int
    redis: int
    gateway: int
    console: int
    intake: int
    scoring: tuple[int, ...]
    alerts: int
    supervisor: int = 0


class StackPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What the supervisor starts, in this order: broker, Redis, topics, children.

    `bootstrap` and `redis_url` are used as given when the broker is external or `redis_port` is None. `topic_prefix`
    None makes no topics. `java` is a java command of one's own for Apache Kafka. `generation` grows with every change
    of the plan.
    """

    broker_kind: BrokerKind
    bootstrap: str | None = None
    broker_port: int | None = None
    java: str | None = None
    redis_url: str | None = None
    redis_port: int | None = None
    topic_prefix: str | None = "monazite"
    partitions: int | None = None
    replication: int | None = None
    ports: StackPorts | None = None
    children: tuple[ChildSpec, ...] = ()
    ready_timeout_seconds: float = 90.0
    generation: int = 1


def usual_ports(*, scoring_workers: int = 1) -> StackPorts:
    """Return the documented ports (gateway 8320, console 8321, metrics 9300, 9310, 9320 and up, 9330).

    Broker and Redis take 9092 and 6379 when free, else any free port. Raises `PortTakenError` naming what is taken.
    """
    ports = StackPorts(
        broker=9092 if is_free(9092) else free_port(),
        redis=6379 if is_free(6379) else free_port(),
        gateway=8320,
        console=8321,
        intake=9310,
        scoring=tuple(range(9320, 9320 + min(scoring_workers, 10))) + _more_ports(scoring_workers - 10),
        alerts=9330,
        supervisor=9300,
    )
    named = {
        "gateway": ports.gateway,
        "console": ports.console,
        "intake": ports.intake,
        "alerts": ports.alerts,
        "supervisor": ports.supervisor,
    }
    named |= {f"scoring {number}": port for number, port in enumerate(ports.scoring)}
    taken = [f"{port} ({name})" for name, port in named.items() if not is_free(port)]
    if taken:
        raise PortTakenError(
            f"ports in use by another program: {', '.join(taken)}; stop that program (a stack of another folder is "
            "stopped there with `monazite stack down`), or start with --free-ports"
        )
    return ports


def free_ports(*, scoring_workers: int = 1) -> StackPorts:
    """Return ports that are free now."""
    numbers = _more_ports(7 + scoring_workers)
    return StackPorts(
        broker=numbers[0],
        redis=numbers[1],
        gateway=numbers[2],
        console=numbers[3],
        intake=numbers[4],
        alerts=numbers[5],
        supervisor=numbers[6],
        scoring=numbers[7:],
    )


def _more_ports(count: int) -> tuple[int, ...]:
    numbers: set[int] = set()
    while len(numbers) < count:
        numbers.add(free_port())
    return tuple(numbers)


def read_plan(run_directory: Path) -> StackPlan | None:
    """Return the plan in a run directory; None when there is none."""
    path = plan_path(run_directory)
    return msgspec.json.decode(path.read_bytes(), type=StackPlan) if path.exists() else None


def write_plan(run_directory: Path, plan: StackPlan) -> None:
    """Write the plan so that a reader sees the old one or the new one, never a part."""
    write_whole(plan_path(run_directory), msgspec.json.encode(plan))


def plan_path(run_directory: Path) -> Path:
    """Return where the plan is kept."""
    return run_directory / "plan.json"


def write_whole(path: Path, content: bytes) -> None:
    """Replace a file in one step; only its owner may read it."""
    part = path.with_suffix(".part")
    part.touch(mode=0o600)
    part.write_bytes(content)
    part.replace(path)


def replaced_group(plan: StackPlan, group: str, children: Sequence[ChildSpec]) -> StackPlan:
    """Return the plan of the next generation in which `children` stand where those of `group` stood (else last)."""
    place = next((i for i, child in enumerate(plan.children) if child.group == group), len(plan.children))
    kept_before = [child for child in plan.children[:place] if child.group != group]
    kept_after = [child for child in plan.children[place:] if child.group != group]
    return msgspec.structs.replace(
        plan, children=(*kept_before, *children, *kept_after), generation=plan.generation + 1
    )


def data_folder(run_directory: Path, broker_kind: BrokerKind) -> Path:
    """Return where workers keep their local copy: apart for each kind of broker, since it must match its logs."""
    return run_directory / "data" / str(broker_kind)
