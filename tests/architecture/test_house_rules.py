"""The rules of the house that no linter checks: sizes, names, clocks, imports, and the maps in the READMEs."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("streams", "producers", "alerts", "deploy")
MODULES = sorted(p for name in PACKAGES for p in (ROOT / name).rglob("*.py"))
BANNED_NAMES = {"utils", "helpers", "common", "base", "manager", "misc"}


def test_there_are_modules_to_check() -> None:
    """A gate that looks at nothing is green for ever."""
    assert len(MODULES) > 60


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(ROOT)))
def test_a_module_stays_small_and_well_named(path: Path) -> None:
    """A module has one subject: 400 lines is the stop, functions end at 50, and no name is a drawer for odds."""
    text = path.read_text()
    assert text.count("\n") <= 400
    assert path.stem not in BANNED_NAMES
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            assert length <= 50, f"{path.name}:{node.lineno} {node.name} has {length} lines"


def test_a_name_means_one_thing() -> None:
    """Two modules, or two public classes, of one name send a reader of a trace to the wrong file."""
    found: dict[str, list[str]] = {}
    for path in MODULES:
        where = str(path.relative_to(ROOT))
        if not path.stem.startswith("__"):
            found.setdefault(f"module {path.stem}", []).append(where)
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                found.setdefault(f"class {node.name}", []).append(where)
    assert {name: places for name, places in found.items() if len(places) > 1} == {}


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(ROOT)))
def test_only_the_clock_reads_the_wall_clock(path: Path) -> None:
    """Time is an argument: what reads the clock by itself cannot be replayed."""
    if path == ROOT / "streams/runtime/clock.py":
        return
    found = re.findall(r"\b(?:time\.time|datetime\.now|datetime\.utcnow|date\.today)\(", path.read_text())
    assert not found


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(ROOT)))
def test_no_exception_is_swallowed_in_silence(path: Path) -> None:
    """`except Exception: pass` hides the fault that stops a line."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ExceptHandler) and len(node.body) == 1 and isinstance(node.body[0], ast.Pass):
            kind = ast.unparse(node.type) if node.type else "everything"
            assert kind not in {"everything", "Exception", "BaseException"}, f"{path.name}:{node.lineno}"


def test_contracts_import_no_engine() -> None:
    """Producers and other systems use the contracts without Faust, Kafka or Redis installed."""
    program = (
        "import sys, pkgutil, importlib, streams.contracts as c\n"
        "for m in pkgutil.walk_packages(c.__path__, 'streams.contracts.'): importlib.import_module(m.name)\n"
        "bad = {'faust', 'aiokafka', 'kafka', 'redis'} & set(sys.modules)\n"
        "sys.exit(f'imported {sorted(bad)}' if bad else 0)"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_import_layers_hold() -> None:
    """The road has one direction; import-linter holds the layers."""
    done = subprocess.run(
        [str(Path(sys.executable).parent / "lint-imports"), "--no-cache"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-2000:]


def test_no_committed_file_names_a_package_index_or_a_machine_path() -> None:
    """A lock file or a note that names one machine's index is useless, and unwanted, on another."""
    done = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True)
    listed = done.stdout.split("\n")
    index = re.compile(r"index-url|--index\b|extra-index|registry\s*=\s*.{0,3}http", re.IGNORECASE)
    paths = re.compile(r"(?<![\w.])/(work|farm|root)/[\w.-]+")
    found = []
    for name in filter(None, listed):
        path = ROOT / name
        if not path.is_file() or path.stat().st_size > 2_000_000 or path == Path(__file__):
            continue
        try:
            text = path.read_text("utf-8")
        except UnicodeDecodeError:
            continue
        found += [f"{name}: {m.group(0)}" for m in (*index.finditer(text), *paths.finditer(text))]
    assert not found


def _has_files(folder: Path) -> bool:
    return any(q.is_file() for q in folder.rglob("*") if "__pycache__" not in q.parts)


def test_the_tree_in_the_readme_is_the_real_one() -> None:
    """A newcomer trusts the map; a map that lies is worse than none."""
    readme = (ROOT / "README.md").read_text()
    block = re.search(r"<!-- tree -->\n```text\n(.*?)```", readme, re.DOTALL)
    assert block, "README.md has no tree block"
    named = set(re.findall(r"^([a-z.]+(?:/[a-z0-9_]+)*)/", block.group(1), re.MULTILINE))
    real = {
        str(p.relative_to(ROOT))
        for name in (*PACKAGES, "bench", "tests")
        for p in (ROOT / name, *(ROOT / name).iterdir())
        if p.is_dir() and p.name != "__pycache__" and _has_files(p)
    }
    assert named == real


def test_the_diagram_of_legal_states_is_the_one_the_table_draws() -> None:
    """The table in `streams.domain.policy.measure_transitions` decides; a diagram drawn by hand would drift from it."""
    from streams.domain.policy.measure_transitions import mermaid_diagram

    readme = (ROOT / "README.md").read_text()
    block = re.search(r"<!-- states -->\n```mermaid\n(.*?)```", readme, re.DOTALL)
    assert block, "README.md has no states block"
    assert block.group(1).strip() == mermaid_diagram().strip()
