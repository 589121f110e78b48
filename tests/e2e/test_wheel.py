"""A wheel is all that is needed: built, installed and run from an empty folder, it finds what it brings with it."""

import json
import zipfile
from pathlib import Path

import httpx
import pytest

from deploy.stack.stack_control import down
from streams.runtime.version import monazite_version
from tests.support.road import ROOT
from tests.support.wheel import InstalledWheel, build_wheel

pytestmark = pytest.mark.e2e

PACKAGES = ("producers", "streams", "alerts", "deploy")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build it once."""
    return build_wheel(tmp_path_factory.mktemp("build"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> InstalledWheel:
    """Install it once."""
    return InstalledWheel.install(wheel, tmp_path_factory.mktemp("installed"))


def test_the_wheel_holds_every_file_of_the_packages_but_their_readmes(wheel: Path) -> None:
    """A table or a runbook that stays at home is missed by the first person who installs."""
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if name.startswith(PACKAGES)}
    ours = {
        str(path.relative_to(ROOT))
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.is_file() and path.name != "README.md" and "__pycache__" not in path.parts
    }
    assert held == ours


def test_the_commands_that_need_no_stack_work_from_an_empty_folder(installed: InstalledWheel, tmp_path: Path) -> None:
    """Nobody who installs a wheel stands in a clone; and a look leaves nothing behind."""

    def said(*words: str) -> str:
        done = installed.monazite(*words, folder=tmp_path)
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert said("--version") == f"monazite {monazite_version()}\n"
    assert "Usage: monazite measures status" in said("measures", "status", "--help")
    rules = json.loads(said("rules", "check", "--json"))
    assert "suspension-end" in {rule["id"] for rule in rules}
    assert "CN-2025-57" in {row["measure"] for row in json.loads(said("measures", "status", "--json"))}
    assert "runbooks/suspension-end.md" in said("rules", "docs", "suspension-end")
    assert json.loads(said("rules", "explain", "--not", "dysprosium", "volatility-high", "--json"))
    changes = said("rules", "backtest", "--until", "2023-12-01", "--json").splitlines()
    fingerprint = json.loads(changes[0])["fingerprint"]
    assert fingerprint in said("rules", "explain", fingerprint, "--until", "2023-12-01", "--json")
    assert not list(tmp_path.iterdir())


def test_a_stack_of_a_wheel_starts_and_ends_where_a_folder_of_the_same_name_lies(
    installed: InstalledWheel, tmp_path: Path
) -> None:
    """Its processes are those of the wheel, whatever the person calls the folders of their own."""
    strange = tmp_path / "deploy" / "__init__.py"
    strange.parent.mkdir()
    strange.write_text("raise SystemExit('this is not the deploy package of the wheel')\n")
    run = tmp_path / ".monazite"
    try:
        up = installed.monazite("stack", "up", "--broker", "embedded", "--free-ports", "--json", folder=tmp_path)
        assert up.returncode == 0, up.stderr
        ports = json.loads(up.stdout)["ports"]
        answer = httpx.get(f"http://127.0.0.1:{ports['console']}/metrics", timeout=30)
        assert f'version="{monazite_version()}"' in answer.text
        acted = installed.monazite("silences", "add", "rule=score-high", "--json", folder=tmp_path)
        assert acted.returncode == 0, acted.stderr
        assert acted.stderr.startswith("the stack in .monazite: broker 127.0.0.1:")
        listed = installed.monazite("alerts", "list", "--json", folder=tmp_path)
        assert listed.returncode == 0, listed.stderr
        stopped = installed.monazite("stack", "down", "--json", folder=tmp_path)
        assert stopped.returncode == 0, stopped.stderr
        assert json.loads(stopped.stdout)["killed"] == []
    finally:
        down(run)
