"""The report of test results: lines for people, rows for machines."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from alerts.ruletest.compare import Failure
from alerts.ruletest.files import TestResult

_ORDER = ("at", "to", "rule", "from", "state", "reason", "severity", "labels", "step", "summary")


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%dT%H:%M:%SZ}"
    if isinstance(value, Mapping):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(each) for each in value]
    return value


def _in_line(fields: Mapping[str, Any]) -> str:
    parts = []
    for name in (*_ORDER, *(n for n in fields if n not in _ORDER)):
        if name not in fields or (name == "to" and "state" in fields):
            continue
        value = _plain(fields[name])
        if isinstance(value, dict):
            value = "{" + ", ".join(f"{key}: {each}" for key, each in value.items()) + "}"
        parts.append(f"{name} {value!r}" if name in ("summary", "says") else f"{name} {value}")
    return ", ".join(parts)


def failure_lines(failure: Failure) -> Iterator[str]:
    """Say what was expected and what was, one thing a line."""
    yield f"    {failure.check}"
    if failure.actual is None:
        yield f"      - expected, not there:  {_in_line(failure.expected or {})}"
    elif failure.expected is None:
        yield f"      + there, not expected:  {_in_line(failure.actual)}"
    else:
        yield f"      ~ not as expected:      {_in_line(failure.actual)}"
        for each in failure.differences:
            yield f"          {each.field}: expected {_plain(each.expected)!r}, was {_plain(each.actual)!r}"


def result_lines(result: TestResult) -> Iterator[str]:
    """Say how a test went; for one that failed, everything that was not as expected."""
    yield f"{'ok  ' if result.passed else 'FAIL'}  {result.file}:{result.line}  {result.name}"
    if result.fault is not None:
        yield from (f"    {line}" for line in result.fault.splitlines())
    for failure in result.run.failures:
        yield from failure_lines(failure)


def result_row(result: TestResult) -> dict[str, Any]:
    """Return a result as a row for machines."""
    return {
        "file": result.file,
        "line": result.line,
        "test": result.name,
        "passed": result.passed,
        "fault": result.fault,
        "failures": [
            {
                "check": f.check,
                "expected": _plain(f.expected),
                "actual": _plain(f.actual),
                "differences": [
                    {"field": d.field, "expected": _plain(d.expected), "actual": _plain(d.actual)}
                    for d in f.differences
                ],
            }
            for f in result.run.failures
        ],
        "fired": sorted(result.run.fired),
    }


def summary_line(results: Sequence[TestResult]) -> str:
    """Count the results."""
    failed = sum(not r.passed for r in results)
    files = len({r.file for r in results})
    return f"{len(results) - failed} passed, {failed} failed, in {files} {'file' if files == 1 else 'files'}"


def never_fired(results: Iterable[TestResult]) -> list[str]:
    """Return the rules that were loaded and that no test saw firing."""
    loaded: set[str] = set()
    fired: set[str] = set()
    for result in results:
        loaded |= result.rules
        fired |= result.run.fired
    return sorted(loaded - fired)
