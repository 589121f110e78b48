"""The version is said in one place, and whoever asks gets the one of the code that runs."""

import re
import tomllib
from pathlib import Path

from typer.testing import CliRunner

from deploy.cli.main import app
from streams.runtime.version import SOURCE_TREE, is_source_tree, monazite_version, version_of
from tests.support.road import ROOT


def test_the_version_is_that_of_the_source_tree() -> None:
    """Clones may share one environment; its metadata tell of the clone that was installed last."""
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert ROOT == SOURCE_TREE
    assert monazite_version() == declared
    assert CliRunner().invoke(app, ["--version"]).stdout == f"monazite {declared}\n"


def test_the_project_of_somebody_else_beside_the_package_is_not_asked(tmp_path: Path) -> None:
    """Some distributions leave a `pyproject.toml` in the folder where all packages are installed."""
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "other"\nversion = "9.9"\n')
    assert version_of(tmp_path) != "9.9"
    assert not is_source_tree(tmp_path)
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "monazite"\nversion = "9.9"\n')
    assert version_of(tmp_path) == "9.9"


def test_no_module_says_the_version_once_more() -> None:
    """A second place is forgotten with the first release."""
    pattern = re.compile(rf"""["']{re.escape(monazite_version())}["']""")
    folders = ("streams", "producers", "alerts", "deploy")
    found = [path.name for name in folders for path in (ROOT / name).rglob("*.py") if pattern.search(path.read_text())]
    assert found == []
