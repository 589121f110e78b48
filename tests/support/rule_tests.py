"""The rule test files of the project, loaded once, and each run once in a session."""

from functools import cache
from pathlib import Path

from alerts.ruletest.files import LoadedTest, load_test_file
from alerts.ruletest.run_ruletest import TestRun

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = ROOT / "deploy/rules/tests"
FILES = tuple(sorted([*(ROOT / "tests/rules").rglob("*.yaml"), *SHIPPED.rglob("*.yaml")]))


@cache
def loaded_from(path: Path) -> tuple[LoadedTest, ...]:
    """Return the tests of a file."""
    return tuple(load_test_file(path))


@cache
def _run(path: Path, number: int) -> TestRun:
    return loaded_from(path)[number].run()


def run_once(test: LoadedTest) -> TestRun:
    """Return the run of a test with its ticks."""
    path = Path(test.file)
    return _run(path, loaded_from(path).index(test))
