"""Every rule test file of the project, each test collected as its own, run twice: with ticks and without."""

from pathlib import Path

import jsonschema
import pytest

from alerts.rules.documents import read_document
from alerts.ruletest.files import LoadedTest
from alerts.ruletest.ruletest_report import failure_lines
from alerts.ruletest.ruletest_specification import rule_test_schema
from tests.support.rule_tests import FILES, loaded_from, run_once

ALL = [pytest.param(test, id=f"{path.stem}: {test.spec.name}") for path in FILES for test in loaded_from(path)]


@pytest.mark.parametrize("test", ALL)
def test_it_sees_what_it_expects(test: LoadedTest) -> None:
    """The reason stands in the file, beside the test."""
    run = run_once(test)
    told = "\n".join(line for failure in run.failures for line in failure_lines(failure))
    assert run.passed, f"{test.file}:{test.line}\n{told}"


@pytest.mark.parametrize("test", ALL)
def test_its_log_does_not_depend_on_how_often_time_ticks(test: LoadedTest) -> None:
    """Promise 1: time is cadence-invariant, so only the ticks at checks may be left out and nothing changes."""
    dense, sparse = run_once(test), test.run(ticks=False)
    assert sparse.changes == dense.changes


def test_there_are_at_least_thirty_tests_of_promtools_documentation_and_of_ours() -> None:
    """A notation is known by its examples; gaps and start times are among them."""
    assert len(ALL) >= 30
    text = "\n".join(path.read_text() for path in FILES)
    assert all(word in text for word in ("_x3", "stale", "start:"))


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
def test_each_file_fits_the_published_schema(path: Path) -> None:
    """Editors check test files against it."""
    schema = rule_test_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(read_document(path.read_text()), schema)
