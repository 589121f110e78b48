"""Topics on real brokers: made, checked, refused."""

import asyncio
from collections.abc import Iterator
from contextlib import closing

import pytest
from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient

from deploy.kafka.topic_admin import TopicsRefusedError, alter_topics, check_topics, ensure_topics
from deploy.kafka.topic_declaration import FindingKind
from tests.support.brokers import EmbeddedBroker, KafkaCluster, on_node, wait_known_to_all
from tests.support.waiting import wait_until

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def pair() -> Iterator[KafkaCluster]:
    with KafkaCluster(nodes=2) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def embedded() -> Iterator[EmbeddedBroker]:
    with EmbeddedBroker() as broker:
        yield broker


def test_missing_topics_are_made_once_with_their_configurations(pair: KafkaCluster) -> None:
    """The second call finds all of it as declared, which proves that the broker has the configurations."""
    first = ensure_topics(pair.bootstrap, prefix="made")
    assert len(first.created) == len(first.declared) == 13
    again = ensure_topics(pair.bootstrap, prefix="made")
    assert again.created == []
    assert again.findings == []


def test_checking_changes_nothing(pair: KafkaCluster) -> None:
    """A check is for people and probes; only ensure makes topics."""
    report = check_topics(pair.bootstrap, prefix="absent")
    assert {finding.kind for finding in report.refusals} == {FindingKind.MISSING}
    assert len(check_topics(pair.bootstrap, prefix="absent").refusals) == 13


def test_another_partition_count_refuses_the_start_before_anything_is_made(pair: KafkaCluster) -> None:
    """A half-made road on a wrong topic would be worse than none."""
    pair.create_topics(["odd.signals.v1"], partitions=3)
    asyncio.run(wait_known_to_all(pair.bootstrap, "odd.signals.v1"))
    with pytest.raises(TopicsRefusedError, match=r"odd\.signals\.v1: partitions_differ: found 3 partitions, wanted 4"):
        ensure_topics(pair.bootstrap, prefix="odd")
    kinds = [f.kind for f in check_topics(pair.bootstrap, prefix="odd").findings if f.topic == "odd.price.v1"]
    assert kinds == [FindingKind.MISSING]


def test_another_configuration_refuses_the_start(pair: KafkaCluster) -> None:
    """Kafka's own retention of a week would delete the history."""
    pair.create_topics(["week.signals.v1"], partitions=4)
    asyncio.run(wait_known_to_all(pair.bootstrap, "week.signals.v1"))
    with pytest.raises(TopicsRefusedError, match=r"found retention\.ms=604800000, wanted retention\.ms=-1"):
        ensure_topics(pair.bootstrap, prefix="week")


def test_settings_are_brought_to_what_is_declared_and_records_are_not_touched(pair: KafkaCluster) -> None:
    """Topics of version 0.1 keep the time stamps of producers; one of them is brought over with what it holds."""
    ensure_topics(pair.bootstrap, prefix="older")
    with closing(KafkaAdminClient(bootstrap_servers=pair.bootstrap)) as admin:
        old = {"message.timestamp.type": "CreateTime", "retention.ms": "604800000"}
        admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, "older.price.v1", configs=old)])

    def would_change() -> set[str]:
        return {f"{f.topic} {f.wanted}" for f in alter_topics(pair.bootstrap, prefix="older", dry_run=True)}

    wanted = {"older.price.v1 message.timestamp.type=LogAppendTime", "older.price.v1 retention.ms=-1"}
    wait_until(lambda: would_change() == wanted, timeout_seconds=20, what="the old settings on the node asked")
    assert len(check_topics(pair.bootstrap, prefix="older").refusals) == 2
    assert len(alter_topics(pair.bootstrap, prefix="older")) == 2
    assert check_topics(pair.bootstrap, prefix="older").findings == []


def test_leaders_stand_where_they_were_assigned(pair: KafkaCluster) -> None:
    """Tests of recovery need the source led by one broker and the changelog by another."""
    assignments = {"apart.signals.v1": on_node(1), "apart-scoring-assess-changelog": on_node(2)}
    ensure_topics(pair.bootstrap, prefix="apart", assignments=assignments)
    with closing(KafkaAdminClient(bootstrap_servers=pair.bootstrap)) as admin:
        leaders = {
            topic["name"]: {partition["leader_id"] for partition in topic["partitions"]}
            for topic in admin.describe_topics(list(assignments))
        }
    assert leaders == {"apart.signals.v1": {1}, "apart-scoring-assess-changelog": {2}}


def test_the_embedded_broker_says_what_it_cannot_check(embedded: EmbeddedBroker) -> None:
    """Only its partitions can be checked, and the report tells."""
    report = ensure_topics(embedded.bootstrap, prefix="made")
    assert len(report.created) == 13
    assert {finding.kind for finding in report.findings} == {FindingKind.CONFIGS_UNKNOWN}
    assert report.refusals == []


def test_the_embedded_broker_refuses_another_partition_count(embedded: EmbeddedBroker) -> None:
    """The check that matters most works on both brokers."""
    embedded.create_topics(["odd.signals.v1"], partitions=3)
    with pytest.raises(TopicsRefusedError, match="partitions_differ"):
        ensure_topics(embedded.bootstrap, prefix="odd")
