"""Apache Kafka 4.1 (KRaft) from its Maven artifacts: one node or several on this machine.

Node 1 is controller and broker, the others are brokers. Clients, brokers and the controller have a listener each, so
that a proxy (tests) stands only between clients and brokers.
"""

import subprocess
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from deploy.stack.artifacts import java_program, kafka_class_path
from deploy.stack.free_ports import LOOPBACK, free_port, is_listening
from deploy.stack.probes import brokers_seen, coordinates_groups
from deploy.stack.server import ServerFailedError, ServerProcess, log_tail

# Small heap: the logs are small, and tests run two nodes beside their workers. Serial collector and the first
# compiler tier alone start faster (about 4 s instead of 7 s on two cores); the stack for live use leaves tiers on.
# A broker that is out of memory ends, so that its supervisor starts it again. The compression codecs are native
# code: without the last option newer Javas warn about them (Java 17 knows it too).
HEAP_OPTIONS = (
    "-Xms128m",
    "-Xmx512m",
    "-XX:+UseSerialGC",
    "-XX:+ExitOnOutOfMemoryError",
    "-Djava.awt.headless=true",
    "--enable-native-access=ALL-UNNAMED",
)
QUICK_START_OPTIONS = ("-XX:TieredStopAtLevel=1",)
FORMAT_TIMEOUT_SECONDS = 60.0
STOP_TIMEOUT_SECONDS = 15.0
CONTROLLER_NODE_ID = 1

SINGLE_MACHINE_PROPERTIES = {
    "auto.create.topics.enable": "false",
    "group.initial.rebalance.delay.ms": "0",
    "group.min.session.timeout.ms": "1000",
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "4",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "transaction.state.log.num.partitions": "4",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "message.max.bytes": str(4 * 1024 * 1024),
    "replica.fetch.max.bytes": str(8 * 1024 * 1024),
    "num.network.threads": "2",
    "num.io.threads": "4",
    "controlled.shutdown.enable": "true",
    # A killed broker is let in again only when its old session is over: 9 s by default, most of its restart.
    "broker.heartbeat.interval.ms": "500",
    "broker.session.timeout.ms": "3000",
    # A stack may stand still for weeks; with forgotten offsets intake would read all inputs anew.
    "offsets.retention.minutes": str(2**31 - 1),
    # The default of 128 MB is half of a small heap; 16 MB map 600,000 keys in one pass.
    "log.cleaner.dedupe.buffer.size": str(16 * 1024 * 1024),
    # The controller says twice a second that nothing happened: 172,800 records a day on an idle node.
    "metadata.max.idle.interval.ms": "5000",
}
"""What is the same for every node: one replica of the internal topics, small thread pools, quick starts."""

LOG4J = """Configuration:
  status: ERROR
  Appenders:
    Console:
      name: STDOUT
      PatternLayout:
        pattern: "%d{ISO8601} %p %m (%c)%n"
  Loggers:
    Root:
      level: WARN
      AppenderRef:
        - ref: STDOUT
    Logger:
      - name: kafka.server.KafkaRaftServer
        level: INFO
"""


def cluster_id() -> str:
    """Return a fresh KRaft cluster id (a URL-safe base64 UUID that does not start with a dash)."""
    while (text := urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")).startswith("-"):
        pass
    return text


def node_properties(
    *,
    node_id: int,
    client_port: int,
    advertised_port: int,
    broker_port: int,
    controller_port: int,
    data_folder: Path,
) -> dict[str, str]:
    """Return the server properties of one node.

    `advertised_port` is what clients are told to connect to: `client_port`, or that of a proxy before it.
    """
    is_controller = node_id == CONTROLLER_NODE_ID
    listeners = [f"CLIENT://{LOOPBACK}:{client_port}", f"BROKER://{LOOPBACK}:{broker_port}"]
    advertised = [f"CLIENT://{LOOPBACK}:{advertised_port}", f"BROKER://{LOOPBACK}:{broker_port}"]
    if is_controller:
        listeners.append(f"CONTROLLER://{LOOPBACK}:{controller_port}")
    return {
        "process.roles": "controller,broker" if is_controller else "broker",
        "node.id": str(node_id),
        "controller.quorum.voters": f"{CONTROLLER_NODE_ID}@{LOOPBACK}:{controller_port}",
        "controller.listener.names": "CONTROLLER",
        "inter.broker.listener.name": "BROKER",
        "listener.security.protocol.map": "CLIENT:PLAINTEXT,BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "listeners": ",".join(listeners),
        "advertised.listeners": ",".join(advertised),
        "log.dirs": str(data_folder),
        **SINGLE_MACHINE_PROPERTIES,
    }


class KafkaNode:
    """One node of a local cluster, with its files in `folder`."""

    def __init__(
        self,
        *,
        node_id: int,
        folder: Path,
        client_port: int,
        advertised_port: int,
        controller_port: int,
        java: str | None,
        jvm_options: Sequence[str],
        extra_properties: dict[str, str],
        marker: Mapping[str, str],
        die_with_parent: bool,
    ) -> None:
        self.node_id = node_id
        self.folder = folder
        self.client_port = client_port
        self.advertised_port = advertised_port
        folder.mkdir(parents=True, exist_ok=True)
        self.properties_path = folder / "server.properties"
        properties = node_properties(
            node_id=node_id,
            client_port=client_port,
            advertised_port=advertised_port,
            broker_port=free_port(),
            controller_port=controller_port,
            data_folder=folder / "data",
        )
        properties.update(extra_properties)
        self.properties_path.write_text("".join(f"{k}={v}\n" for k, v in properties.items()), encoding="utf-8")
        (folder / "log4j2.yaml").write_text(LOG4J, encoding="utf-8")
        self._java = [
            java_program(java),
            *HEAP_OPTIONS,
            *jvm_options,
            f"-Dlog4j2.configurationFile={folder / 'log4j2.yaml'}",
            "-cp",
            kafka_class_path(),
        ]
        self.process = ServerProcess(
            name=f"kafka-{node_id}",
            argv=[*self._java, "kafka.Kafka", str(self.properties_path)],
            log_path=folder / "server.log",
            env=marker,
            die_with_parent=die_with_parent,
        )

    @property
    def formatted(self) -> bool:
        """Say whether the node has storage of an earlier start."""
        return (self.folder / "data" / "meta.properties").exists()

    def begin_format(self, cluster: str) -> "subprocess.Popen[bytes]":
        """Start the formatting of the node's storage; its output goes to `format.log`."""
        argv = [*self._java, "kafka.tools.StorageTool", "format"]
        argv += ["--cluster-id", cluster, "--config", str(self.properties_path)]
        with (self.folder / "format.log").open("wb") as log:
            return subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)

    def end_format(self, formatting: "subprocess.Popen[bytes]") -> None:
        """Wait for the formatting; raises `ServerFailedError` with its output when it failed."""
        try:
            code = formatting.wait(timeout=FORMAT_TIMEOUT_SECONDS)
        except subprocess.TimeoutExpired:
            formatting.kill()
            code = formatting.wait()
        if code != 0:
            raise ServerFailedError(
                f"formatting of kafka-{self.node_id} failed\n{log_tail(self.folder / 'format.log')}"
            )


class KafkaServers:
    """A local Apache Kafka cluster with its files under `folder` (which the caller removes).

    `client_ports` and `advertised_ports` are one for each node; None means free ones, and the same as the client ports.
    `java` is a java command of one's own. `quick_start` limits the compiler to its first tier, `marker` is added to the
    environment of the processes. Raises `MissingToolError` when Java or the artifacts lack.

    What clients wrote survives the end of the processes, by whatever signal; the operating system writes it to the disk
    in its own time, so that a power cut may take the last seconds.
    """

    def __init__(
        self,
        *,
        folder: Path,
        node_count: int = 1,
        client_ports: Sequence[int] | None = None,
        advertised_ports: Sequence[int] | None = None,
        java: str | None = None,
        quick_start: bool = False,
        extra_properties: dict[str, str] | None = None,
        marker: Mapping[str, str] | None = None,
        die_with_parent: bool = False,
    ) -> None:
        ports = list(client_ports or [free_port() for _ in range(node_count)])
        advertised = list(advertised_ports or ports)
        controller_port = free_port()
        self.nodes = [
            KafkaNode(
                node_id=index + 1,
                folder=folder / f"node-{index + 1}",
                client_port=ports[index],
                advertised_port=advertised[index],
                controller_port=controller_port,
                java=java,
                jvm_options=QUICK_START_OPTIONS if quick_start else (),
                extra_properties=extra_properties or {},
                marker=marker or {},
                die_with_parent=die_with_parent,
            )
            for index in range(node_count)
        ]

    @property
    def bootstrap(self) -> str:
        """Return the addresses that clients use."""
        return ",".join(f"{LOOPBACK}:{node.advertised_port}" for node in self.nodes)

    @property
    def direct_bootstrap(self) -> str:
        """Return the addresses of the brokers themselves, for the first connection; metadata names the advertised."""
        return ",".join(f"{LOOPBACK}:{node.client_port}" for node in self.nodes)

    def start(self, *, timeout_seconds: float = 60.0) -> None:
        """Start and await all nodes, formatted first when they are new; after a failure nothing of it runs."""
        if not all(node.formatted for node in self.nodes):
            self._format()
        try:
            for node in self.nodes:
                node.process.start()
            self.wait_ready(timeout_seconds=timeout_seconds)
        except BaseException:
            self.kill()
            raise

    def _format(self) -> None:
        cluster = cluster_id()
        formattings = [(node, node.begin_format(cluster)) for node in self.nodes]
        for node, formatting in formattings:
            node.end_format(formatting)

    def wait_ready(self, *, timeout_seconds: float = 60.0) -> None:
        """Wait until every node serves, the cluster knows all of them, and consumer groups can be used."""
        for node in self.nodes:
            port = node.client_port
            node.process.wait_ready(lambda p=port: is_listening(p), timeout_seconds=timeout_seconds)  # type: ignore[misc]
        first = self.nodes[0].process
        first.wait_ready(lambda: brokers_seen(self.bootstrap) == len(self.nodes), timeout_seconds=timeout_seconds)
        first.wait_ready(lambda: coordinates_groups(self.bootstrap), timeout_seconds=timeout_seconds)

    def stop(self) -> None:
        """Stop all nodes, brokers before the controller's node."""
        for node in reversed(self.nodes):
            with suppress(ProcessLookupError):
                node.process.stop(timeout_seconds=STOP_TIMEOUT_SECONDS)

    def kill(self) -> None:
        """End all nodes with SIGKILL: quick, for throw-away clusters."""
        for node in self.nodes:
            node.process.kill()
