"""What is installed with an extra of the distribution, read from `pyproject.toml`, and a program that sees no more."""

import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from importlib.metadata import PackageNotFoundError, packages_distributions, requires
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.support.road import ROOT

_HIDING = """
import sys
hidden = set(sys.argv.pop(1).split(","))
class Hider:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in hidden:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Hider())
"""


def project() -> dict[str, Any]:
    """Return the `project` table."""
    table: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return table


def requirements(*extras: str) -> Iterator[Requirement]:
    """Yield the direct requirements of an installation with these extras."""
    table = project()
    for text in (*table["dependencies"], *(t for extra in extras for t in table["optional-dependencies"][extra])):
        requirement = Requirement(text)
        if requirement.name == table["name"]:
            yield from requirements(*requirement.extras)
        else:
            yield requirement


@cache
def distributions(*extras: str) -> frozenset[str]:
    """Return the distributions that an installation with these extras brings, as far as they are installed here."""
    found: set[str] = set()
    waiting = [(r, extra) for r in requirements(*extras) for extra in ("", *r.extras)]
    seen: set[tuple[str, str]] = set()
    while waiting:
        requirement, extra = waiting.pop()
        name = canonicalize_name(requirement.name)
        if (name, extra) in seen or (requirement.marker and not requirement.marker.evaluate({"extra": extra})):
            continue
        seen.add((name, extra))
        found.add(name)
        try:
            needed = [Requirement(text) for text in requires(name) or ()]
        except PackageNotFoundError:
            continue
        here = {"extra": extra}
        wanted = [r for r in needed if r.marker is None or r.marker.evaluate(here)]
        waiting += [(Requirement(str(r).partition(";")[0]), each) for r in wanted for each in ("", *r.extras)]
    return frozenset(found)


@cache
def hidden_modules(*extras: str) -> frozenset[str]:
    """Return the modules of the distributions here that an installation with these extras does not bring."""
    brought = distributions(*extras)
    ours = canonicalize_name(project()["name"])
    return frozenset(
        module
        for module, owners in packages_distributions().items()
        if not {canonicalize_name(owner) for owner in owners} & {*brought, ours}
    )


def run_with(*extras: str, program: str, words: tuple[str, ...] = ()) -> "subprocess.CompletedProcess[str]":
    """Run a Python program that finds only what an installation with these extras brings."""
    argv = [sys.executable, "-c", _HIDING + program, ",".join(sorted(hidden_modules(*extras))), *words]
    return subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False)
