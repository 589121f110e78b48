"""The declaration of all topics, and the pure comparison with what a broker has."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType

import yaml
from pydantic import BaseModel, ConfigDict, Field

DECLARATION_PATH = Path(__file__).parent / "topics.yaml"
DEFAULT_PREFIX = "monazite"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Defaults(_Strict):
    partitions: int = Field(ge=1, le=256)
    replication: int = Field(ge=1, le=16)


class _Entry(_Strict):
    name: str
    profile: str
    holds: str
    group: str | None = None
    partitions: int | None = Field(default=None, ge=1, le=256)


class _Declaration(_Strict):
    defaults: _Defaults
    profiles: dict[str, dict[str, str]]
    topics: list[_Entry]
    changelogs: list[_Entry]


@dataclass(frozen=True, kw_only=True)
class DeclaredTopic:
    """A topic as it should be; `group` names the topics with which its partition count must be equal (None: none)."""

    name: str
    partitions: int
    replication: int
    configs: Mapping[str, str]
    group: str | None = None
    holds: str = ""


@dataclass(frozen=True, kw_only=True)
class FoundTopic:
    """A topic as a broker has it; `configs` is None when the broker cannot describe them."""

    name: str
    partitions: int
    replication: int
    configs: Mapping[str, str] | None = field(default_factory=lambda: MappingProxyType({}))


class FindingKind(StrEnum):
    """What is wrong with a topic, or cannot be known about it."""

    MISSING = "missing"
    PARTITIONS_DIFFER = "partitions_differ"
    COUNTS_UNEQUAL = "counts_unequal"
    REPLICATION_TOO_LOW = "replication_too_low"
    CONFIG_DIFFERS = "config_differs"
    KEYS_MISSING = "keys_missing"
    CONFIGS_UNKNOWN = "configs_unknown"


_NOTES = frozenset({FindingKind.CONFIGS_UNKNOWN, FindingKind.KEYS_MISSING})
"""Findings with which processes may start."""


@dataclass(frozen=True, kw_only=True)
class TopicFinding:
    """One finding: the topic, what was found, what is wanted, and what to do about it.

    `setting`: name and declared value of a setting that `topics alter` can bring about, `None` where it cannot.
    """

    kind: FindingKind
    topic: str
    found: str
    wanted: str
    advice: str
    setting: tuple[str, str] | None = None

    @property
    def refuses(self) -> bool:
        """Say whether processes must not start with this."""
        return self.kind not in _NOTES

    def __str__(self) -> str:
        return f"{self.topic}: {self.kind}: found {self.found}, wanted {self.wanted}; {self.advice}"


def declared_topics(
    *,
    prefix: str = DEFAULT_PREFIX,
    partitions: int | None = None,
    replication: int | None = None,
    path: Path = DECLARATION_PATH,
) -> list[DeclaredTopic]:
    """Return all declared topics and changelogs under `prefix`.

    `partitions` and `replication` replace the defaults of the file (None: leave them). Raises `ValueError`, with the
    place, when the file does not have the declared shape.
    """
    declaration = _Declaration.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    named = [(f"{prefix}.{entry.name}", entry) for entry in declaration.topics]
    named += [(f"{prefix}-{entry.name}", entry) for entry in declaration.changelogs]
    unknown = sorted({entry.profile for _, entry in named} - set(declaration.profiles))
    if unknown:
        raise ValueError(
            f"{path}: unknown profiles {', '.join(unknown)}; declared are {', '.join(declaration.profiles)}"
        )
    return [
        DeclaredTopic(
            name=name,
            partitions=entry.partitions or partitions or declaration.defaults.partitions,
            replication=replication or declaration.defaults.replication,
            configs=MappingProxyType(declaration.profiles[entry.profile]),
            group=entry.group,
            holds=entry.holds,
        )
        for name, entry in named
    ]


def decide_topic_changes(declared: Sequence[DeclaredTopic], found: Mapping[str, FoundTopic]) -> list[TopicFinding]:
    """Compare the declared topics with those found (by name); topics that nobody declared are left alone."""
    findings: list[TopicFinding] = []
    for topic in declared:
        seen = found.get(topic.name)
        if seen is None:
            findings.append(
                TopicFinding(
                    kind=FindingKind.MISSING,
                    topic=topic.name,
                    found="nothing",
                    wanted=f"{topic.partitions} partitions",
                    advice="run `monazite topics ensure`",
                )
            )
            continue
        findings += _differences(topic, seen)
    return findings + _unequal_counts(declared, found)


def _differences(topic: DeclaredTopic, seen: FoundTopic) -> list[TopicFinding]:
    findings: list[TopicFinding] = []

    def add(kind: FindingKind, found: str, wanted: str, advice: str) -> None:
        findings.append(TopicFinding(kind=kind, topic=topic.name, found=found, wanted=wanted, advice=advice))

    if seen.partitions != topic.partitions:
        add(
            FindingKind.PARTITIONS_DIFFER,
            f"{seen.partitions} partitions",
            f"{topic.partitions} partitions",
            "the count cannot be changed under a running state: start with the count found "
            f"(--partitions {seen.partitions}), or use a new prefix (--prefix) and replay the inputs into it",
        )
    if seen.replication < topic.replication:
        add(
            FindingKind.REPLICATION_TOO_LOW,
            f"{seen.replication} replicas",
            f"{topic.replication} replicas or more",
            "reassign the topic with kafka-reassign-partitions, or ask for fewer replicas",
        )
    if seen.configs is None:
        add(
            FindingKind.CONFIGS_UNKNOWN,
            "a broker that cannot describe configurations",
            _listed(topic.configs),
            "only the partitions were checked (known of the embedded broker)",
        )
        return findings
    return findings + _setting_differences(topic, seen.configs)


def _setting_differences(topic: DeclaredTopic, configs: Mapping[str, str]) -> list[TopicFinding]:
    findings: list[TopicFinding] = []
    for name, wanted in topic.configs.items():
        value = configs.get(name)
        if value == wanted:
            continue
        found = f"{name}={value if value is not None else '(not set)'}"
        finding = TopicFinding(
            kind=FindingKind.CONFIG_DIFFERS,
            topic=topic.name,
            found=found,
            wanted=f"{name}={wanted}",
            advice=f"run `monazite topics alter`, or kafka-configs --alter --topic {topic.name} "
            f"--add-config {name}={wanted}",
            setting=(name, wanted),
        )
        if name == "cleanup.policy" and value == "delete" and not topic.name.endswith("-changelog"):
            finding = replace(
                finding,
                kind=FindingKind.KEYS_MISSING,
                setting=None,
                advice="it was made by version 0.1, whose records have no keys: compaction would delete them, so it "
                "stays as it is and only grows faster; with a new prefix (--prefix) it is made as declared",
            )
        findings.append(finding)
    return findings


def _unequal_counts(declared: Sequence[DeclaredTopic], found: Mapping[str, FoundTopic]) -> list[TopicFinding]:
    groups: dict[str, dict[str, int]] = {}
    for topic in declared:
        if topic.group is not None:
            seen = found.get(topic.name)
            groups.setdefault(topic.group, {})[topic.name] = seen.partitions if seen else topic.partitions
    return [
        TopicFinding(
            kind=FindingKind.COUNTS_UNEQUAL,
            topic=f"group {group}",
            found=", ".join(f"{name} {count}" for name, count in counts.items()),
            wanted="equal partition counts",
            advice="partition p of each feeds partition p of the next: use a new prefix (--prefix) and replay into it",
        )
        for group, counts in groups.items()
        if len(set(counts.values())) > 1
    ]


def _listed(configs: Mapping[str, str]) -> str:
    return ", ".join(f"{name}={value}" for name, value in configs.items())
