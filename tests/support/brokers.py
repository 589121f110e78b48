"""Real servers for tests: Apache Kafka clusters, the embedded broker, Redis. Each ends by its own pid."""

import os
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest
from aiokafka.client import AIOKafkaClient
from aiokafka.protocol.metadata import MetadataRequest

from deploy.stack.artifacts import java_program, kafka_class_path
from deploy.stack.embedded import EmbeddedServer, embedded_program
from deploy.stack.free_ports import free_port
from deploy.stack.kafka_server import KafkaNode, KafkaServers
from deploy.stack.redis_server import RedisServerProcess, redis_program
from deploy.stack.server import MissingToolError, log_tail
from tests.support.proxy import DelayProxy
from tests.support.waiting import wait_until_async

TopicConfigs = Mapping[str, str]


def continuous_integration() -> bool:
    """Say whether a missing tool is a failure (CI=true) or a skip."""
    return os.environ.get("CI", "").lower() == "true"


def require(*finders: Callable[[], str]) -> None:
    """Skip the test when a finder raises `MissingToolError`; with CI=true fail instead."""
    try:
        for finder in finders:
            finder()
    except MissingToolError as error:
        if continuous_integration():
            pytest.fail(f"CI=true and a tool is missing: {error}")
        pytest.skip(str(error))


def require_kafka() -> None:
    """Skip (or with CI=true fail) when Java or Apache Kafka's artifacts are missing."""
    require(java_program, kafka_class_path)


class _Server:
    """Folder, proxies and context management shared by the servers below."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="monazite-test-"))
        self.proxies: list[DelayProxy] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None and kind is not None and issubclass(kind, Exception):
            print(self.log_tail())
        self.stop()

    def log_tail(self) -> str:
        """Return the ends of all logs of the server (not the segments of its topics, which have the same ending)."""
        logs = (path for path in self.folder.rglob("*.log") if "data" not in path.relative_to(self.folder).parts)
        return "\n".join(log_tail(path) for path in sorted(logs))

    def stop(self) -> None:
        """End everything and remove the files."""
        self._end()
        for proxy in self.proxies:
            proxy.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _end(self) -> None:
        raise NotImplementedError

    def _open_proxies(self, ports: Sequence[int], latency_seconds: float) -> list[int]:
        if latency_seconds < 0:
            raise ValueError("latency_seconds must not be negative")
        for port in ports:
            proxy = DelayProxy(target_port=port)
            proxy.start()
            self.proxies.append(proxy)
        return [proxy.port for proxy in self.proxies]

    def set_latency(self, latency_seconds: float) -> None:
        """Delay every request from now on; the server must have been made with `latency_seconds` or `proxied`."""
        if not self.proxies:
            raise ValueError("this server has no proxy: make it with proxied=True")
        for proxy in self.proxies:
            proxy.latency_seconds = latency_seconds


class _Broker(_Server):
    """What clients need of a broker, whichever it is."""

    bootstrap: str

    def create_topics(
        self,
        topics: Mapping[str, TopicConfigs] | Sequence[str],
        *,
        partitions: int = 4,
        assignments: Mapping[str, Mapping[int, Sequence[int]]] | None = None,
    ) -> None:
        """Create topics and wait until each partition has a leader.

        `topics` are names, or names with their configurations. `assignments` gives for a topic the node ids of each
        partition (`on_node` makes one); topics without get their partitions placed by the broker, one replica.
        """
        create_topics(self.bootstrap, topics, partitions=partitions, assignments=assignments)


def on_node(node_id: int, *, partitions: int = 4) -> dict[int, list[int]]:
    """Return the replica assignment that puts all partitions of a topic on one node."""
    return {partition: [node_id] for partition in range(partitions)}


def create_topics(
    bootstrap: str,
    topics: Mapping[str, TopicConfigs] | Sequence[str],
    *,
    partitions: int = 4,
    assignments: Mapping[str, Mapping[int, Sequence[int]]] | None = None,
) -> None:
    """Create topics on any broker; see `_Broker.create_topics`."""
    from kafka.admin import KafkaAdminClient

    configs = dict(topics) if isinstance(topics, Mapping) else {name: {} for name in topics}
    placed = assignments or {}
    request: dict[str, dict[str, object]] = {}
    for name, config in configs.items():
        request[name] = {"configs": dict(config)}
        if name in placed:
            request[name]["assignments"] = {number: list(nodes) for number, nodes in placed[name].items()}
        else:
            request[name] |= {"num_partitions": partitions, "replication_factor": 1}
    with closing(KafkaAdminClient(bootstrap_servers=bootstrap)) as admin:
        admin.create_topics(request, wait_for_metadata=True)


async def wait_known_to_all(bootstrap: str, topic: str, *, timeout_seconds: float = 10.0) -> None:
    """Wait until every node of a cluster knows a topic: one that a client just made may be news to the next node."""
    client = AIOKafkaClient(bootstrap_servers=bootstrap)
    await client.bootstrap()

    async def known() -> bool:
        answers = [await client.send(broker.nodeId, MetadataRequest([topic], False)) for broker in brokers]
        return all(error == 0 and parts for answer in answers for error, _, _, parts in answer.topics)

    try:
        brokers = client.cluster.brokers()
        await wait_until_async(known, timeout_seconds=timeout_seconds, what=f"{topic} to be known to all nodes")
    finally:
        await client.close()


class KafkaCluster(_Broker):
    """Apache Kafka with `nodes` nodes (ids from 1; node 1 is also the controller), ready when made.

    With `latency_seconds` (or `proxied`) clients reach every node through a proxy that adds the delay to each request;
    brokers talk to one another directly. `properties` are more server properties. `direct_bootstrap` is where the
    brokers listen themselves (what they advertise is still the proxy). Skips the test, or with CI=true fails, when Java
    or the artifacts are missing.
    """

    def __init__(
        self,
        *,
        nodes: int = 1,
        latency_seconds: float = 0.0,
        proxied: bool = False,
        properties: Mapping[str, str] | None = None,
        quick_start: bool = True,
    ) -> None:
        require_kafka()
        super().__init__()
        try:
            ports = [free_port() for _ in range(nodes)]
            advertised = self._open_proxies(ports, latency_seconds) if latency_seconds > 0 or proxied else ports
            self.servers = KafkaServers(
                folder=self.folder,
                node_count=nodes,
                client_ports=ports,
                advertised_ports=advertised,
                quick_start=quick_start,
                extra_properties=dict(properties or {}),
                die_with_parent=True,
            )
            self.bootstrap = self.servers.bootstrap
            self.servers.start()
            if self.proxies:
                self.set_latency(latency_seconds)
        except BaseException:
            self.stop()
            raise

    @property
    def nodes(self) -> list[KafkaNode]:
        """Return the nodes; `.process` of each can be killed, paused, resumed and started again."""
        return self.servers.nodes

    @property
    def direct_bootstrap(self) -> str:
        """Return the addresses of the brokers behind the proxies."""
        return self.servers.direct_bootstrap

    def kill_node(self, node_id: int) -> None:
        """End a node with SIGKILL."""
        self.nodes[node_id - 1].process.kill()

    def start_node(self, node_id: int, *, timeout_seconds: float = 60.0) -> None:
        """Start a killed node again on its data and ports and wait until the whole cluster serves."""
        self.nodes[node_id - 1].process.start()
        self.servers.wait_ready(timeout_seconds=timeout_seconds)

    def _end(self) -> None:
        if hasattr(self, "servers"):
            self.servers.kill()


class EmbeddedBroker(_Broker):
    """The embedded broker, in memory, ready when made; `latency_seconds` as for `KafkaCluster`."""

    def __init__(self, *, latency_seconds: float = 0.0, proxied: bool = False) -> None:
        require(embedded_program)
        super().__init__()
        try:
            port = free_port()
            advertised = self._open_proxies([port], latency_seconds)[0] if latency_seconds > 0 or proxied else port
            self.server = EmbeddedServer(
                folder=self.folder, port=port, advertised_port=advertised, die_with_parent=True
            )
            self.bootstrap = self.server.bootstrap
            self.server.start()
            if self.proxies:
                self.set_latency(latency_seconds)
        except BaseException:
            self.stop()
            raise

    def _end(self) -> None:
        if hasattr(self, "server"):
            self.server.process.kill()


class RedisServer(_Server):
    """A Redis-compatible server without persistence, ready when made."""

    def __init__(self) -> None:
        require(redis_program)
        super().__init__()
        try:
            self.server = RedisServerProcess(folder=self.folder, die_with_parent=True)
            self.server.start()
        except BaseException:
            self.stop()
            raise

    @property
    def url(self) -> str:
        """Return the address for clients."""
        return self.server.url

    @property
    def port(self) -> int:
        """Return the loopback port."""
        return self.server.port

    def _end(self) -> None:
        if hasattr(self, "server"):
            self.server.process.kill()
