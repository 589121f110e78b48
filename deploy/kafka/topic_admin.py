"""Making and checking the topics on a broker, through kafka-python's admin client."""

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from deploy.kafka.topic_declaration import (
    DEFAULT_PREFIX,
    DeclaredTopic,
    FindingKind,
    FoundTopic,
    TopicFinding,
    decide_topic_changes,
    declared_topics,
)
from deploy.stack.waiting import DeadlineExceededError, wait_until

if TYPE_CHECKING:
    from kafka.admin import KafkaAdminClient

EMBEDDED_CLUSTER_ID = "tansu_cluster"
REQUEST_TIMEOUT_MS = 20_000
SETTINGS_WITHIN_SECONDS = 20.0
TOPIC_EXISTS = 36  # error code TOPIC_ALREADY_EXISTS of the Kafka protocol

Assignments = Mapping[str, Mapping[int, Sequence[int]]]


class TopicsRefusedError(RuntimeError):
    """The topics are not as declared; processes must not start. `findings` has each reason."""

    def __init__(self, findings: Sequence[TopicFinding]) -> None:
        self.findings = list(findings)
        super().__init__("the topics are not as declared:\n" + "\n".join(f"- {finding}" for finding in findings))


@dataclass(frozen=True, kw_only=True)
class TopicsReport:
    """What was there, what was made, and what is wrong; `findings` may hold ones that do not refuse a start."""

    bootstrap: str
    declared: list[DeclaredTopic]
    created: list[str] = field(default_factory=list)
    findings: list[TopicFinding] = field(default_factory=list)

    @property
    def refusals(self) -> list[TopicFinding]:
        """Return the findings with which processes must not start."""
        return [finding for finding in self.findings if finding.refuses]


def ensure_topics(
    bootstrap: str,
    *,
    prefix: str = DEFAULT_PREFIX,
    partitions: int | None = None,
    replication: int | None = None,
    assignments: Assignments | None = None,
) -> TopicsReport:
    """Make the declared topics that are missing and check all of them.

    `assignments` gives node ids by partition for topics named in full (tests with several brokers). An existing topic
    is never changed. Raises `TopicsRefusedError` when one is not as declared; two callers at once do no harm.
    """
    declared = declared_topics(prefix=prefix, partitions=partitions, replication=replication)
    with closing(_admin(bootstrap)) as admin:
        found = find_topics(admin, [topic.name for topic in declared])
        missing = [topic for topic in declared if topic.name not in found]
        refuse(decide_topic_changes(declared, found), ignoring={FindingKind.MISSING})
        created = _create(admin, missing, assignments or {})
        found = find_topics(admin, [topic.name for topic in declared])
    findings = decide_topic_changes(declared, found)
    refuse(findings)
    return TopicsReport(bootstrap=bootstrap, declared=declared, created=created, findings=findings)


def check_topics(
    bootstrap: str,
    *,
    prefix: str = DEFAULT_PREFIX,
    partitions: int | None = None,
    replication: int | None = None,
) -> TopicsReport:
    """Compare the topics with the declaration and change nothing; what is wrong is in the report's `findings`."""
    declared = declared_topics(prefix=prefix, partitions=partitions, replication=replication)
    with closing(_admin(bootstrap)) as admin:
        found = find_topics(admin, [topic.name for topic in declared])
    return TopicsReport(bootstrap=bootstrap, declared=declared, findings=decide_topic_changes(declared, found))


def alter_topics(
    bootstrap: str,
    *,
    prefix: str = DEFAULT_PREFIX,
    partitions: int | None = None,
    replication: int | None = None,
    dry_run: bool = False,
) -> list[TopicFinding]:
    """Bring the settings of existing topics to what is declared; return the findings that this ended, or would end.

    Partitions, replicas and what would delete records are never changed. Raises `TopicsRefusedError` where the broker
    refuses a setting.
    """
    from kafka.admin import ConfigResource, ConfigResourceType

    declared = declared_topics(prefix=prefix, partitions=partitions, replication=replication)
    with closing(_admin(bootstrap)) as admin:
        found = find_topics(admin, [topic.name for topic in declared])
        alterable = [f for f in decide_topic_changes(declared, found) if f.setting is not None]
        wanted: dict[str, dict[str, str]] = {}
        for finding in alterable:
            assert finding.setting is not None
            wanted.setdefault(finding.topic, {})[finding.setting[0]] = finding.setting[1]
        if wanted and not dry_run:
            admin.alter_configs(
                [ConfigResource(ConfigResourceType.TOPIC, name, configs=settings) for name, settings in wanted.items()]
            )
            _wait_for_settings(admin, declared)
    return alterable


def _wait_for_settings(admin: "KafkaAdminClient", declared: Sequence[DeclaredTopic]) -> None:
    """Wait until the node asked shows new settings, which reach the nodes of a cluster one after the other."""
    differ: list[TopicFinding] = []

    def settled() -> bool:
        now = decide_topic_changes(declared, find_topics(admin, [topic.name for topic in declared]))
        differ[:] = [finding for finding in now if finding.setting is not None]
        return not differ

    try:
        wait_until(settled, timeout_seconds=SETTINGS_WITHIN_SECONDS, what="the settings of topics")
    except DeadlineExceededError:
        refuse(differ)


def refuse(
    findings: Sequence[TopicFinding], *, ignoring: frozenset[FindingKind] | set[FindingKind] = frozenset()
) -> None:
    """Raise `TopicsRefusedError` when a finding, other than of the kinds ignored, refuses a start."""
    refusals = [finding for finding in findings if finding.refuses and finding.kind not in ignoring]
    if refusals:
        raise TopicsRefusedError(refusals)


def find_topics(admin: "KafkaAdminClient", names: Sequence[str]) -> dict[str, FoundTopic]:
    """Return those of the named topics that the broker has."""
    # All topics are listed: asking an embedded broker for an unknown name could make it.
    described = {topic["name"]: topic for topic in admin.describe_topics() if topic["name"] in set(names)}
    configs = _find_configs(admin, sorted(described))
    return {
        name: FoundTopic(
            name=name,
            partitions=len(topic["partitions"]),
            replication=min((len(partition["replica_nodes"]) for partition in topic["partitions"]), default=0),
            configs=None if configs is None else configs.get(name, {}),
        )
        for name, topic in described.items()
    }


def _admin(bootstrap: str) -> "KafkaAdminClient":
    from kafka.admin import KafkaAdminClient

    return KafkaAdminClient(bootstrap_servers=bootstrap, request_timeout_ms=REQUEST_TIMEOUT_MS)


def _find_configs(admin: "KafkaAdminClient", names: Sequence[str]) -> dict[str, dict[str, str]] | None:
    """Return the configurations by topic; None from the embedded broker, which closes the connection when asked."""
    from kafka.admin import ConfigResource, ConfigResourceType

    if not names:
        return {}
    if admin.describe_cluster()["cluster_id"] == EMBEDDED_CLUSTER_ID:
        return None
    resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in names]
    described = admin.describe_configs(resources, config_filter="all")["topic"]
    return {
        topic: {name: str(entry["value"]) for name, entry in configs.items()} for topic, configs in described.items()
    }


def _create(admin: "KafkaAdminClient", missing: Sequence[DeclaredTopic], assignments: Assignments) -> list[str]:
    """Create topics and wait for their leaders; return the names that this call made."""
    if not missing:
        return []
    request: dict[str, dict[str, object]] = {}
    for topic in missing:
        placed = assignments.get(topic.name)
        request[topic.name] = {"configs": dict(topic.configs)}
        if placed is not None:
            request[topic.name]["assignments"] = {number: list(nodes) for number, nodes in placed.items()}
        else:
            request[topic.name] |= {"num_partitions": topic.partitions, "replication_factor": topic.replication}
    answer = admin.create_topics(request, raise_errors=False)
    failures = [t for t in answer["topics"] if t["error_code"] not in {0, TOPIC_EXISTS}]
    if failures:
        raise TopicsRefusedError(
            [
                TopicFinding(
                    kind=FindingKind.MISSING,
                    topic=topic["name"],
                    found=f"error {topic['error_code']} ({topic['error_message']})",
                    wanted="a new topic",
                    advice="see the broker's log and its rights and limits",
                )
                for topic in failures
            ]
        )
    admin.wait_for_topics([topic.name for topic in missing])
    return [topic["name"] for topic in answer["topics"] if topic["error_code"] == 0]
