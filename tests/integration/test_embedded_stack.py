"""A stack on the embedded broker says that it keeps nothing, wherever somebody could think that it does."""

import json
import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from deploy.stack.stack_control import down
from streams.contracts.codec import encode_event
from tests.support.examples import EXAMPLE_EVENTS
from tests.support.road import ROOT

pytestmark = pytest.mark.integration


def monazite(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "MONAZITE_RUN_DIR": str(folder), "MONAZITE_KEY_FILE": str(folder / "keys.json")}
    return subprocess.run(
        [sys.executable, "-m", "deploy.cli", *words], cwd=ROOT, env=env, capture_output=True, text=True, check=False
    )


def test_up_status_and_each_answer_of_the_gateway_say_that_nothing_is_kept(tmp_path: Path) -> None:
    """Who starts it, who looks at it, and who sends to it with a key: three different people."""
    folder = tmp_path / "run"
    try:
        started = monazite(folder, "stack", "up", "--broker", "embedded", "--free-ports", "--json")
        assert started.returncode == 0, started.stderr
        assert "broker: embedded, keeps nothing" in started.stderr
        assert json.loads(started.stdout)["durable"] is False
        status = monazite(folder, "stack", "status", "--json")
        assert status.returncode == 0, status.stderr
        seen = json.loads(status.stdout)
        assert seen["keeps"].startswith("keeps nothing")
        assert "keeps nothing" in " ".join(monazite(folder, "stack", "status").stdout.split())
        key = json.loads(monazite(folder, "keys", "create", "--scope", "events:write", "--json").stdout)["key"]
        answer = httpx.post(
            f"http://127.0.0.1:{seen['ports']['gateway']}/v1/events", content=encode_event(EXAMPLE_EVENTS[3]),
            headers={"authorization": f"Bearer {key}", "content-type": "application/cloudevents+json"}, timeout=30,
        ).json()  # fmt: skip
        assert (answer["durable"], answer["retention"]) == (False, "until the stack stops")
    finally:
        down(folder)


def test_a_java_that_is_none_ends_the_start_before_anything_runs(tmp_path: Path) -> None:
    """The person named it; another one in its place would be a surprise."""
    started = monazite(tmp_path / "run", "stack", "up", "--java", str(tmp_path / "absent"), "--free-ports")
    assert started.returncode == 1
    assert "(from --java) is no program" in " ".join(started.stderr.split())
    assert not (tmp_path / "run").exists()
