"""The version of Monazite: `[project] version` in `pyproject.toml`, and nowhere else."""

import tomllib
from functools import cache
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed_version
from pathlib import Path

DISTRIBUTION = "monazite"
SOURCE_TREE = Path(__file__).parents[2]
UNKNOWN = "unknown"


@cache
def monazite_version() -> str:
    """Return the version of the code that runs; `unknown` where it is neither a source tree nor installed.

    A source tree is asked first: several may share one environment, whose metadata belong to one of them.
    """
    return version_of(SOURCE_TREE)


def version_of(root: Path) -> str:
    """Return the version of the source tree at `root`, or where that is none, of the installed distribution."""
    project = root / "pyproject.toml"
    if project.is_file():
        declared = tomllib.loads(project.read_text(encoding="utf-8")).get("project", {})
        if declared.get("name") == DISTRIBUTION:
            return str(declared["version"])
    try:
        return installed_version(DISTRIBUTION)
    except PackageNotFoundError:
        return UNKNOWN


def is_source_tree(root: Path = SOURCE_TREE) -> bool:
    """Say whether the code runs in place, out of a clone, and not out of an installed wheel."""
    return (root / "pyproject.toml").is_file() and (root / "Makefile").is_file()
