"""A real Prometheus for tests: over written history, or scraping; ended by its own pid."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx
import pytest

from deploy.stack.free_ports import free_port
from streams.runtime.clock import utc_now
from tests.support.waiting import wait_until


def require_prometheus() -> None:
    """Skip the test (with CI=true fail) where Prometheus or promtool is not installed."""
    if shutil.which("prometheus") and shutil.which("promtool"):
        return
    message = "prometheus and promtool are not installed: apt-get install --no-install-recommends prometheus"
    if os.environ.get("CI", "").lower() == "true":
        pytest.fail(message)
    pytest.skip(message)


class PrometheusServer:
    """Prometheus on a free port; `history` is OpenMetrics text with time stamps that becomes its data."""

    def __init__(self, *, config: str = "global: {}\n", rules: Path | None = None, history: str = "") -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="monazite-prometheus-"))
        (self.folder / "prometheus.yml").write_text(config)
        if rules is not None:
            shutil.copy(rules, self.folder / rules.name)
        if history:
            self._backfill(history)
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._log = (self.folder / "prometheus.log").open("w")
        self._process = subprocess.Popen(
            ["prometheus", f"--config.file={self.folder}/prometheus.yml", f"--storage.tsdb.path={self.folder}/data",
             f"--web.listen-address=127.0.0.1:{self.port}", "--storage.tsdb.retention.time=100y"],
            stdout=self._log, stderr=subprocess.STDOUT,
        )  # fmt: skip

    def _backfill(self, history: str) -> None:
        (self.folder / "history.txt").write_text(history)
        subprocess.run(
            ["promtool", "tsdb", "create-blocks-from", "openmetrics", "history.txt", "data"],
            cwd=self.folder, check=True, capture_output=True,
        )  # fmt: skip

    def __enter__(self) -> Self:
        wait_until(self._ready, timeout_seconds=30, what=f"Prometheus; log in {self.folder}")
        return self

    def _ready(self) -> bool:
        try:
            return httpx.get(f"{self.url}/-/ready", timeout=2).status_code == 200
        except httpx.HTTPError:
            return False

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._process.terminate()
        self._process.wait(timeout=20)
        self._log.close()
        if error is not None:
            print((self.folder / "prometheus.log").read_text()[-3000:])
        shutil.rmtree(self.folder, ignore_errors=True)

    def ask(self, expression: str, *, at_seconds: float | None = None) -> dict[tuple[tuple[str, str], ...], float]:
        """Return the values of an instant query by their labels; raises on an error of the expression."""
        return {
            tuple(sorted(row["metric"].items())): float(row["value"][1]) for row in self._query(
                "query", {"query": expression, "time": utc_now().timestamp() if at_seconds is None else at_seconds})
        }  # fmt: skip

    def ask_range(self, expression: str, *, start_seconds: float, end_seconds: float, step_seconds: float) -> list[Any]:
        """Return the series of a range query."""
        asked = {"query": expression, "start": start_seconds, "end": end_seconds, "step": step_seconds}
        return self._query("query_range", asked)

    def _query(self, kind: str, parameters: Mapping[str, Any]) -> list[Any]:
        answer = httpx.get(f"{self.url}/api/v1/{kind}", params=dict(parameters), timeout=10).json()
        assert answer["status"] == "success", f"{parameters['query']}: {answer}"
        result: list[Any] = answer["data"]["result"]
        return result
