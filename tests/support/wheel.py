"""The wheel of this tree, built and installed for tests: beside the dependencies, without the tree."""

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from dataclasses import dataclass
from pathlib import Path

from tests.support.road import ROOT


def build_wheel(folder: Path) -> Path:
    """Build the wheel out of a copy of what git knows or would take: a build leaves files behind and reads them."""
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0")
    tree = folder / "tree"
    for name in filter(None, names):
        if (ROOT / name).is_file():
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, tree / name)
    _pip("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder / "wheels"), str(tree))
    (wheel,) = (folder / "wheels").glob("*.whl")
    return wheel


@dataclass(frozen=True)
class InstalledWheel:
    """An environment that holds the wheel, and reaches the dependencies of the one that runs the tests."""

    environment: Path

    @classmethod
    def install(cls, wheel: Path, environment: Path) -> "InstalledWheel":
        """Make the environment. A path entry brings the dependencies, and not the tree that is installed with them."""
        venv.create(environment, with_pip=False)
        installed = cls(environment)
        _pip("--python", str(installed.program("python")), "install", "--no-deps", "--no-index", str(wheel))
        entry = installed.packages / "dependencies.pth"
        entry.write_text("".join(f"{sysconfig.get_path(name)}\n" for name in ("purelib", "platlib")))
        return installed

    @property
    def packages(self) -> Path:
        """Return where the wheel is unpacked."""
        paths = {"base": str(self.environment), "platbase": str(self.environment)}
        return Path(sysconfig.get_path("purelib", "venv", vars=paths))

    def program(self, name: str) -> Path:
        """Return a program of the environment."""
        return self.environment / "bin" / name

    def monazite(self, *words: str, folder: Path) -> subprocess.CompletedProcess[str]:
        """Run the command in a folder, told nothing by the environment of the tests."""
        env = {k: v for k, v in os.environ.items() if not k.startswith(("MONAZITE_", "PYTHON"))}
        argv = [str(self.program("monazite")), *words]
        return subprocess.run(argv, cwd=folder, env=env, capture_output=True, text=True, check=False)


def _pip(*words: str) -> None:
    argv = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", *words]
    done = subprocess.run(argv, cwd="/", capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
