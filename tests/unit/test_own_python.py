"""How the stack starts its processes, and where it keeps what it fetched: in a clone, and installed."""

import os
from pathlib import Path

import pytest

from deploy.stack.artifacts import CACHE_VARIABLE, cache_folder
from deploy.stack.own_python import module_command, search_path


def test_a_clone_comes_first_and_an_installed_package_is_found_without() -> None:
    """A clone is run without being installed; the folder of all packages before the standard library breaks others."""
    clone = Path("/src/clone")
    assert search_path("", root=clone, installed=["/env/packages"]) == "/src/clone"
    assert search_path("/more", root=clone, installed=["/env/packages"]) == os.pathsep.join(["/src/clone", "/more"])
    assert search_path("", root=Path("/env/packages"), installed=["/env/packages"]) == ""
    assert search_path("/more", root=Path("/env/packages"), installed=["/env/packages"]) == "/more"


def test_a_folder_named_like_our_package_where_the_person_stands_is_not_run() -> None:
    """Many projects have a `deploy`."""
    assert module_command("deploy.cli")[1:] == ("-P", "-m", "deploy.cli")


def test_what_is_fetched_is_kept_below_the_clone_or_in_the_cache_of_the_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The folder of an installed package may belong to somebody else, and an upgrade empties it."""
    clone, packages = tmp_path / "clone", tmp_path / "packages"
    clone.mkdir()
    for name in ("pyproject.toml", "Makefile"):
        (clone / name).touch()
    monkeypatch.delenv(CACHE_VARIABLE, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "users"))
    assert cache_folder(clone) == clone / ".cache"
    assert cache_folder(packages) == tmp_path / "users" / "monazite"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative/is/invalid")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert cache_folder(packages) == tmp_path / "home" / ".cache" / "monazite"
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "named"))
    assert cache_folder(clone) == cache_folder(packages) == tmp_path / "named"
