"""Where Apache Kafka's Maven artifacts and Java are, and what to do when they are not."""

import os
import shutil
from pathlib import Path

from deploy.stack.server import MissingToolError

KAFKA_VERSION = "4.1.0"
ARTIFACT_FOLDER_VARIABLE = "MONAZITE_KAFKA_LIB"
REQUIRED_ARTIFACTS = (f"kafka_2.13-{KAFKA_VERSION}.jar", f"kafka-tools-{KAFKA_VERSION}.jar")


def artifact_folder() -> Path:
    """Return the folder that `make kafka` fills, or the one named by `MONAZITE_KAFKA_LIB`."""
    named = os.environ.get(ARTIFACT_FOLDER_VARIABLE)
    return Path(named) if named else Path(__file__).parents[2] / ".cache" / "kafka" / KAFKA_VERSION


def java_program() -> str:
    """Return the path of java; raises `MissingToolError` when there is none."""
    home = os.environ.get("JAVA_HOME")
    if home and (Path(home) / "bin" / "java").is_file():
        return str(Path(home) / "bin" / "java")
    found = shutil.which("java")
    if found is None:
        raise MissingToolError(
            "Apache Kafka needs Java 17 or newer and none is on PATH: install it "
            "(Debian: apt-get install openjdk-17-jre-headless), or use the embedded broker (--broker embedded)"
        )
    return found


def kafka_class_path() -> str:
    """Return the Java class path of Apache Kafka; raises `MissingToolError` when the artifacts are not resolved."""
    folder = artifact_folder()
    missing = [name for name in REQUIRED_ARTIFACTS if not (folder / name).is_file()]
    if missing:
        maven = "" if shutil.which("mvn") else " (needs Maven, Debian: apt-get install maven)"
        raise MissingToolError(
            f"Apache Kafka's artifacts are not in {folder} (missing {', '.join(missing)}): run `make kafka`{maven}, "
            f"or set {ARTIFACT_FOLDER_VARIABLE} to a folder that has them"
        )
    return str(folder / "*")
