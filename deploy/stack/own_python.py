"""How this program starts itself again: the same interpreter and the same code, whatever folder it is started from."""

import os
import sys
import sysconfig
from collections.abc import Iterable
from pathlib import Path

from streams.runtime.version import SOURCE_TREE


def module_command(module: str) -> tuple[str, ...]:
    """Return the words that run a module of ours; `-P`: a `deploy` folder where the person stands is not ours."""
    return (sys.executable, "-P", "-m", module)


def search_path(inherited: str, *, root: Path = SOURCE_TREE, installed: Iterable[str] | None = None) -> str:
    """Return the `PYTHONPATH` of a child of ours: our source tree first, which may be run without being installed.

    An installed package is found without; named there, its folder would come before the standard library.
    """
    folders = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")} if installed is None else set(installed)
    ours = [] if str(root) in folders else [str(root)]
    return os.pathsep.join([*ours, *filter(None, [inherited])])


def own_environment() -> dict[str, str]:
    """Return what is to stand in the environment of a child of ours."""
    return {"PYTHONPATH": search_path(os.environ.get("PYTHONPATH", ""))}
