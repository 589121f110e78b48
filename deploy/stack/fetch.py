"""Fetches Apache Kafka's artifacts from Maven Central, without Maven: `python -m deploy.stack.fetch`, `make kafka`.

Each artifact is downloaded by its exact coordinates and kept only if its SHA-256 is the pinned one. What was fetched
waits beside the folder and is taken up by the next try; the folder itself appears in one step, when all of it is there.
"""

import fcntl
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import suppress
from pathlib import Path

from deploy.stack.artifacts import (
    ARTIFACT_FOLDER_VARIABLE,
    KAFKA_VERSION,
    Artifact,
    artifact_folder,
    java_program,
    kafka_class_path,
    missing_artifacts,
    pinned_artifacts,
)
from deploy.stack.plan import BrokerKind, StackPlan
from deploy.stack.server import MissingToolError

DOWNLOAD_COUNT = 6
"""Downloads at a time; most artifacts are small, so that waiting for answers takes longer than the bytes."""
TIMEOUT_SECONDS = 15
TRIES = 2

Download = Callable[[Artifact, Path], Path]
Progress = Callable[[int, int], None]


class UnreachableRepositoryError(MissingToolError):
    """No artifact could be fetched, although some are missing."""


class WrongArtifactError(MissingToolError):
    """What a repository sent is not the pinned file."""


def fetch_artifacts(
    folder: Path,
    *,
    artifacts: Sequence[Artifact],
    download: Download,
    progress: Progress = lambda _done, _all: None,
) -> int:
    """Fill `folder` with the artifacts and nothing else; return how many were downloaded.

    `download` fetches one artifact below a folder and returns its file. `progress` is told how many of all are there.
    Files that are there and right are kept. Raises `UnreachableRepositoryError` or `WrongArtifactError`; what was
    fetched until then is kept for the next try.
    """
    if _is_whole(folder, artifacts):
        return 0
    gathered = folder.with_name(f"{folder.name}.part")
    gathered.mkdir(parents=True, exist_ok=True)
    wanted = []
    for artifact in artifacts:
        if not artifact.is_at(gathered / artifact.filename):
            if artifact.is_at(folder / artifact.filename):
                _copy(folder / artifact.filename, gathered / artifact.filename)
            else:
                wanted.append(artifact)
    progress(len(artifacts) - len(wanted), len(artifacts))
    with ThreadPoolExecutor(DOWNLOAD_COUNT) as pool:
        fetching = [pool.submit(_fetch, artifact, gathered, download) for artifact in wanted]
        try:
            for count, done in enumerate(as_completed(fetching), 1):
                done.result()
                progress(len(artifacts) - len(wanted) + count, len(artifacts))
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    _put_in_place(gathered, folder, artifacts)
    return len(wanted)


def _is_whole(folder: Path, artifacts: Sequence[Artifact]) -> bool:
    found = {path.name for path in folder.glob("*.jar")}
    return found == {a.filename for a in artifacts} and all(a.is_at(folder / a.filename) for a in artifacts)


def _copy(source: Path, target: Path) -> None:
    part = target.with_suffix(".copy")
    shutil.copyfile(source, part)
    part.replace(target)


def _fetch(artifact: Artifact, gathered: Path, download: Download) -> None:
    """Download one artifact into `gathered`: a part of a file is never seen there."""
    problem = ""
    for _ in range(TRIES):
        with tempfile.TemporaryDirectory(dir=gathered.parent, prefix=f".{gathered.name}-") as fresh:
            try:
                path = download(artifact, Path(fresh))
            except (OSError, RuntimeError) as error:  # what requests and jgo raise
                problem = f"{type(error).__name__}: {error}"
                continue
            if artifact.is_at(path):
                path.replace(gathered / artifact.filename)
                return
        raise WrongArtifactError(
            f"{artifact.group}:{artifact.name}:{artifact.version} is not the file that is pinned (SHA-256 "
            f"{artifact.sha256[:16]}...): what stands between this machine and Maven Central changes files; "
            "nothing of it was kept"
        )
    raise UnreachableRepositoryError(
        "this machine reaches no Maven repository: use --broker embedded, which keeps nothing, or set "
        f"{ARTIFACT_FOLDER_VARIABLE} to a folder with Apache Kafka's jars "
        f"({artifact.name} {artifact.version}: {problem[:200]})"
    )


def _put_in_place(gathered: Path, folder: Path, artifacts: Sequence[Artifact]) -> None:
    names = {artifact.filename for artifact in artifacts}
    for path in gathered.iterdir():
        if path.name not in names:
            path.unlink()
    old = folder.with_name(f"{folder.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    with suppress(FileNotFoundError):
        folder.rename(old)
    gathered.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


def central_download() -> Download:
    """Return what downloads one artifact below a folder, from the resolver's default repository."""
    try:
        from jgo.maven import MavenContext
    except ImportError as error:
        raise MissingToolError(
            "fetching Apache Kafka needs jgo of the kafka extra: `pip install 'monazite[kafka]'`"
        ) from error

    def download(artifact: Artifact, folder: Path) -> Path:
        context = MavenContext(repo_cache=folder, timeout=TIMEOUT_SECONDS)
        component = context.project(artifact.group, artifact.name).at_version(artifact.version)
        return Path(context.resolver.download(component.artifact()))

    return download


def ensure_artifacts(say: Callable[[str], None], *, check: bool = False) -> None:
    """Fetch the artifacts unless they are there, saying so; `check` also reads what is there and mends it.

    A folder named by `MONAZITE_KAFKA_LIB` is never filled. Raises as `fetch_artifacts` does.
    """
    folder, artifacts = artifact_folder(), pinned_artifacts()
    if os.environ.get(ARTIFACT_FOLDER_VARIABLE) or (not check and not missing_artifacts(folder, artifacts)):
        return
    said = -1

    def progress(done: int, count: int) -> None:
        nonlocal said
        tenth = done * 10 // count
        if tenth > said and (said >= 0 or done < count):
            said = tenth
            say(f"fetching Apache Kafka {KAFKA_VERSION}: {done} of {count} artifacts")

    folder.parent.mkdir(parents=True, exist_ok=True)
    with (folder.parent / f"{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # another process may be fetching: then there is nothing left to do
        if check or missing_artifacts(folder, artifacts):
            fetch_artifacts(folder, artifacts=artifacts, download=central_download(), progress=progress)


def prepare_broker(plan: StackPlan, say: Callable[[str], None]) -> None:
    """Make sure that this machine can run the broker of a plan, before anything is started.

    Raises `MissingToolError` that says what to do.
    """
    if plan.broker_kind is BrokerKind.KAFKA:
        java_program(plan.java)
        ensure_artifacts(say)


def main() -> int:
    """Fetch what is missing or wrong; return 0, or 1 with the reason on standard error."""
    try:
        ensure_artifacts(lambda line: print(line, flush=True), check=True)  # noqa: T201 - a program that prints
        kafka_class_path()
    except MissingToolError as error:
        print(error, file=sys.stderr)  # noqa: T201 - the same
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
