"""The servers of a stack, its broker and its Redis, as processes that the supervisor looks after."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from deploy.stack.embedded import EmbeddedServer
from deploy.stack.kafka_server import KafkaServers
from deploy.stack.plan import BrokerKind, StackPlan
from deploy.stack.probes import redis_answers
from deploy.stack.redis_server import RedisServerProcess
from deploy.stack.server import ServerProcess
from deploy.stack.stack_state import PROCESS_NAME_VARIABLE
from deploy.stack.unit import READY_TIMEOUT_SECONDS, Unit
from streams.runtime.broker_probe import BrokerConnection

BROKER_STOP_SECONDS = 20.0
"""More than a child's: a broker that is killed reads its logs again at the next start."""


class Servers:
    """Makes the units of the servers that the plan asks for; `bootstrap` and `redis_url` are known with them."""

    def __init__(self, plan: StackPlan, *, folder: Path, marker: Mapping[str, str]) -> None:
        self._plan = plan
        self._folder = folder
        self._marker = marker
        self.bootstrap = plan.bootstrap or ""
        self.redis_url = plan.redis_url or ""
        self.broker: Unit | None = None

    def starts(self) -> Iterator[tuple[Unit, Callable[[], None]]]:
        """Yield each server in its order, with what starts it and waits until it answers."""
        plan, logs = self._plan, self._folder / "logs"
        if plan.broker_kind is BrokerKind.EMBEDDED:
            marker = {**self._marker, PROCESS_NAME_VARIABLE: "embedded-broker"}
            embedded = EmbeddedServer(folder=logs, port=plan.broker_port, marker=marker)
            self.bootstrap = embedded.bootstrap
            self.broker = self._unit(embedded.process, "broker", lambda: broker_answers(self.bootstrap), embedded.port)
            yield self.broker, embedded.start
        elif plan.broker_kind is BrokerKind.KAFKA:
            marker = {**self._marker, PROCESS_NAME_VARIABLE: "kafka-1"}
            ports = [plan.broker_port] if plan.broker_port else None
            kafka = KafkaServers(folder=self._folder / "broker", client_ports=ports, java=plan.java, marker=marker)
            node = kafka.nodes[0]
            self.bootstrap = kafka.bootstrap
            self.broker = self._unit(node.process, "broker", lambda: broker_answers(self.bootstrap), node.client_port)
            yield self.broker, kafka.start
        if plan.redis_port is not None:
            marker = {**self._marker, PROCESS_NAME_VARIABLE: "redis"}
            redis = RedisServerProcess(folder=logs, port=plan.redis_port, marker=marker)
            self.redis_url = redis.url
            yield self._unit(redis.process, "redis", lambda: redis_answers(redis.port), redis.port), redis.start

    def _unit(self, process: ServerProcess, group: str, probe: Callable[[], bool], port: int) -> Unit:
        return Unit(process=process, group=group, probe=probe, port=port, stop_timeout_seconds=BROKER_STOP_SECONDS)


def broker_answers(bootstrap: str, *, timeout_seconds: float = READY_TIMEOUT_SECONDS) -> bool:
    """Say whether a broker answers a request in time; a stopped one still accepts connections."""
    connection = BrokerConnection(bootstrap)
    try:
        connection.ask(timeout_seconds=timeout_seconds)
        return True
    except OSError:
        return False
    finally:
        connection.close()
