"""The declaration of the topics, and what is found wrong with those of a broker."""

from dataclasses import replace
from pathlib import Path

import pytest

from deploy.kafka.topic_admin import TopicsRefusedError, refuse
from deploy.kafka.topic_declaration import (
    DeclaredTopic,
    FindingKind,
    FoundTopic,
    TopicFinding,
    decide_topic_changes,
    declared_topics,
)
from streams.contracts import topics as names


def as_declared(topic: DeclaredTopic) -> FoundTopic:
    return FoundTopic(
        name=topic.name, partitions=topic.partitions, replication=topic.replication, configs=topic.configs
    )


def kinds(findings: list[TopicFinding]) -> list[tuple[FindingKind, str]]:
    return [(finding.kind, finding.topic) for finding in findings]


def test_every_topic_of_the_road_is_declared() -> None:
    """The names in the contracts are the public surface; a topic without declaration would never be made."""
    wanted = {
        names.topic_name(topic)
        for topic in (*names.INPUTS, names.SIGNALS, names.ASSESSMENTS, names.ALERTS, names.DELIVERIES)
    } | {names.topic_name(names.DEAD_LETTERS)}
    changelogs = {
        "monazite-scoring-assess-changelog",
        "monazite-alerts-rules-changelog",
        "monazite-alerts-notify-changelog",
        "monazite-alerts-deliver-changelog",
    }
    assert {topic.name for topic in declared_topics()} == wanted | changelogs


def test_the_prefix_replaces_the_name_of_the_project_everywhere() -> None:
    """Two roads on one broker must not share a topic or a changelog."""
    assert all(topic.name.startswith(("t1.", "t1-")) for topic in declared_topics(prefix="t1"))


def test_partitions_and_replicas_may_be_asked_for() -> None:
    """A larger cluster needs more of both; the declaration is for one machine."""
    assert {(t.partitions, t.replication) for t in declared_topics(partitions=8, replication=3)} == {(8, 3)}


def test_inputs_and_signals_are_never_deleted_and_changelogs_are_compacted_late() -> None:
    """As-of and rebuild read the inputs; a stalled worker's value must be put right before compaction keeps it."""
    declared = {topic.name: topic.configs for topic in declared_topics()}
    for name in (*names.INPUTS[:3], names.SIGNALS):
        assert declared[names.topic_name(name)]["retention.ms"] == "-1"
    for name, configs in declared.items():
        if name.endswith(("-changelog", names.DIRECTIVES)):
            assert configs["cleanup.policy"] == "compact"
            assert int(configs["min.compaction.lag.ms"]) >= 60_000


def test_topics_as_declared_have_no_finding() -> None:
    """Otherwise every start would be refused."""
    declared = declared_topics()
    assert decide_topic_changes(declared, {topic.name: as_declared(topic) for topic in declared}) == []


def test_a_missing_topic_is_named() -> None:
    """The person must know which one, and that ensure makes it."""
    declared = declared_topics()
    found = {topic.name: as_declared(topic) for topic in declared[1:]}
    findings = decide_topic_changes(declared, found)
    assert kinds(findings) == [(FindingKind.MISSING, "monazite.policy.v1")]
    assert "topics ensure" in findings[0].advice


def test_another_partition_count_is_found_and_so_is_the_group_that_it_breaks() -> None:
    """Partition p feeds partition p of the next topic: one topic with another count breaks the road."""
    declared = declared_topics()
    found = {topic.name: as_declared(topic) for topic in declared}
    found["monazite.signals.v1"] = replace(found["monazite.signals.v1"], partitions=6)
    assert kinds(decide_topic_changes(declared, found)) == [
        (FindingKind.PARTITIONS_DIFFER, "monazite.signals.v1"),
        (FindingKind.COUNTS_UNEQUAL, "group road"),
    ]


def test_a_configuration_that_differs_or_is_not_set_is_found() -> None:
    """A retention of a week would silently delete what as-of needs."""
    declared = declared_topics()
    found = {topic.name: as_declared(topic) for topic in declared}
    price = found["monazite.price.v1"]
    found["monazite.price.v1"] = replace(price, configs={**(price.configs or {}), "retention.ms": "604800000"})
    found["monazite.policy.v1"] = replace(found["monazite.policy.v1"], configs={})
    findings = decide_topic_changes(declared, found)
    assert {finding.kind for finding in findings} == {FindingKind.CONFIG_DIFFERS}
    assert len([finding for finding in findings if finding.topic == "monazite.policy.v1"]) == 5
    assert any(finding.found == "retention.ms=604800000" for finding in findings)


def test_a_log_of_version_one_keeps_its_policy_since_its_records_have_no_keys() -> None:
    """Compaction deletes records without a key: the whole log would be gone."""
    declared = declared_topics()
    found = {topic.name: as_declared(topic) for topic in declared}
    signals = found["monazite.signals.v1"]
    found["monazite.signals.v1"] = replace(signals, configs={**(signals.configs or {}), "cleanup.policy": "delete"})
    findings = decide_topic_changes(declared, found)
    assert kinds(findings) == [(FindingKind.KEYS_MISSING, "monazite.signals.v1")]
    assert findings[0].setting is None
    refuse(findings)


def test_more_replicas_than_asked_for_are_fine_and_fewer_are_not() -> None:
    """A cluster may keep more copies; fewer lose data with one broker."""
    declared = declared_topics(replication=2)
    for count, wanted in ((3, set()), (1, {FindingKind.REPLICATION_TOO_LOW})):
        found = {topic.name: replace(as_declared(topic), replication=count) for topic in declared}
        assert {finding.kind for finding in decide_topic_changes(declared, found)} == wanted


def test_a_broker_that_cannot_describe_configurations_is_said_but_not_refused() -> None:
    """The embedded broker cannot; a demo must still start, and the person must know what was not checked."""
    declared = declared_topics()
    found = {topic.name: replace(as_declared(topic), configs=None) for topic in declared}
    findings = decide_topic_changes(declared, found)
    assert {finding.kind for finding in findings} == {FindingKind.CONFIGS_UNKNOWN}
    refuse(findings)


def test_a_refusal_names_topic_found_wanted_and_what_to_do() -> None:
    """An error says what was wrong, where, and what to do."""
    finding = TopicFinding(kind=FindingKind.PARTITIONS_DIFFER, topic="a", found="6", wanted="4", advice="do this")
    with pytest.raises(TopicsRefusedError, match=r"a: partitions_differ: found 6, wanted 4; do this"):
        refuse([finding])
    refuse([finding], ignoring={FindingKind.PARTITIONS_DIFFER})


def test_a_declaration_with_an_unknown_profile_is_refused(tmp_path: Path) -> None:
    """A typing mistake must not give a topic without its retention."""
    path = tmp_path / "topics.yaml"
    path.write_text(
        "defaults: {partitions: 4, replication: 1}\nprofiles: {kept: {}}\n"
        "topics: [{name: a, profile: kep, holds: x}]\nchangelogs: []\n"
    )
    with pytest.raises(ValueError, match="unknown profiles kep"):
        declared_topics(path=path)
