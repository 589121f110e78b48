"""What was expected against what was: pairs, differences field by field, what is missing and what is too much.

A field that an expectation does not name is not compared; `labels`, `values` and `thresholds` may name some of those
there are. Everything that is there must be expected.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import isclose
from typing import Any

from pydantic import BaseModel

from alerts.ruletest.case_instants import in_words, parse_instant
from alerts.ruletest.observed import Notice, fields_of_alert, fields_of_notice
from alerts.ruletest.ruletest_specification import AlertsCheck, ExpectedChange, ExpectedNotice
from streams.contracts.alert import AlertChanged

_PARTS = ("labels", "values", "thresholds")


@dataclass(frozen=True, kw_only=True, slots=True)
class Difference:
    """One field that is not as expected."""

    field: str
    expected: Any
    actual: Any


@dataclass(frozen=True, kw_only=True, slots=True)
class Failure:
    """One thing that is not as expected: `expected` is `None` for what is too much, `actual` for what is missing."""

    check: str
    expected: Mapping[str, Any] | None
    actual: Mapping[str, Any] | None
    differences: tuple[Difference, ...] = ()


def _same(expected: Any, actual: Any) -> bool:
    if isinstance(expected, bool) or isinstance(actual, bool):
        return expected is actual
    if isinstance(expected, int | float) and isinstance(actual, int | float):
        return isclose(expected, actual, rel_tol=1e-9, abs_tol=1e-12)
    return bool(expected == actual)


def _wanted(expected: BaseModel, *, start: datetime, **more: Any) -> dict[str, Any]:
    given: dict[str, Any] = dict(expected.model_dump(by_alias=True, exclude_unset=True))
    if "state" in type(expected).model_fields:
        given.setdefault("state", expected.state.value)  # type: ignore[attr-defined]
    if "reason" in type(expected).model_fields:
        given.setdefault("reason", expected.reason)  # type: ignore[attr-defined]
    if "at" in given:
        given["at"] = parse_instant(given["at"], start=start)
    for name in ("state", "from", "to"):
        if name in given:
            given[name] = str(given[name])
    return {**{k: v for k, v in more.items() if v is not None}, **given}


def differences(expected: Mapping[str, Any], actual: Mapping[str, Any]) -> tuple[Difference, ...]:
    """Return the fields of `actual` that are not as `expected` names them."""
    found: list[Difference] = []
    for name, wanted in expected.items():
        if name in _PARTS:
            there = actual[name]
            found += [
                Difference(field=f"{name}.{key}", expected=value, actual=there.get(key, "not there"))
                for key, value in wanted.items()
                if key not in there or not _same(value, there[key])
            ]
        elif name == "says":
            text = " ".join(actual["text"].split())
            found += [
                Difference(field="says", expected=part, actual=actual["text"].strip())
                for part in wanted
                if " ".join(part.split()) not in text
            ]
        elif not _same(wanted, actual[name]):
            found.append(Difference(field=name, expected=wanted, actual=actual[name]))
    return tuple(found)


def _shown(actual: Mapping[str, Any], like: Iterable[str]) -> dict[str, Any]:
    """Leave of what is there what a person compares: identity, state, and the fields that were named."""
    names = ["at", "to", "rule", "state", "from", "reason", "severity", "labels", "step", "summary", *like]
    return {name: actual[name] for name in dict.fromkeys(names) if name in actual and actual[name] is not None}


def match_any_order(
    expected: Sequence[Mapping[str, Any]], actual: Sequence[Mapping[str, Any]], *, check: str
) -> list[Failure]:
    """Pair each expectation with one thing that is there, best pairs first; what is left over fails."""
    pairs = sorted((len(differences(e, a)), i, j) for i, e in enumerate(expected) for j, a in enumerate(actual))
    left_e, left_a = dict(enumerate(expected)), dict(enumerate(actual))
    failures: list[tuple[int, Failure]] = []
    for count, i, j in pairs:
        if i not in left_e or j not in left_a:
            continue
        e, a = left_e.pop(i), left_a.pop(j)
        if count:
            failures.append((i, _differ(e, a, check)))
    failures += [(i, Failure(check=check, expected=e, actual=None)) for i, e in left_e.items()]
    told = [failure for _, failure in sorted(failures, key=lambda pair: pair[0])]
    return told + [Failure(check=check, expected=None, actual=_shown(a, ())) for a in left_a.values()]


def match_in_order(
    expected: Sequence[Mapping[str, Any]], actual: Sequence[Mapping[str, Any]], *, check: str
) -> list[Failure]:
    """Compare two lists line by line, as a longest common subsequence: one line too many is one failure."""
    lengths = [[0] * (len(actual) + 1) for _ in range(len(expected) + 1)]
    equal = [[not differences(e, a) for a in actual] for e in expected]
    for i in range(len(expected) - 1, -1, -1):
        for j in range(len(actual) - 1, -1, -1):
            lengths[i][j] = lengths[i + 1][j + 1] + 1 if equal[i][j] else max(lengths[i + 1][j], lengths[i][j + 1])
    failures: list[Failure] = []
    missing: list[Mapping[str, Any]] = []
    extra: list[Mapping[str, Any]] = []
    i = j = 0
    while i < len(expected) or j < len(actual):
        if i < len(expected) and j < len(actual) and equal[i][j]:
            failures += _block(missing, extra, check)
            missing, extra, i, j = [], [], i + 1, j + 1
        elif j == len(actual) or (i < len(expected) and lengths[i + 1][j] >= lengths[i][j + 1]):
            missing.append(expected[i])
            i += 1
        else:
            extra.append(actual[j])
            j += 1
    return failures + _block(missing, extra, check)


def _block(missing: list[Mapping[str, Any]], extra: list[Mapping[str, Any]], check: str) -> list[Failure]:
    """Report lines that differ between two lines that agree: pairs as differences, the rest as missing or too many."""
    both = min(len(missing), len(extra))
    failures = [_differ(e, a, check) for e, a in zip(missing[:both], extra[:both], strict=True)]
    failures += [Failure(check=check, expected=e, actual=None) for e in missing[both:]]
    return failures + [Failure(check=check, expected=None, actual=_shown(a, ())) for a in extra[both:]]


def _differ(expected: Mapping[str, Any], actual: Mapping[str, Any], check: str) -> Failure:
    return Failure(
        check=check, expected=expected, actual=_shown(actual, expected), differences=differences(expected, actual)
    )


def compare_alerts(
    check: AlertsCheck, open_alerts: Sequence[AlertChanged], *, about: Sequence[str], start: datetime, at: datetime
) -> list[Failure]:
    """Compare the alerts open at an instant with those expected; the order does not matter."""
    of = [check.rule] if check.rule else about
    there = [fields_of_alert(alert) for alert in open_alerts if not of or alert.rule in of]
    wanted = [_wanted(expected, start=start, rule=check.rule) for expected in check.expect]
    rules = f", rule {check.rule}" if check.rule else ""
    return match_any_order(wanted, there, check=f"alerts at {in_words(at, start=start)}{rules}")


def compare_changes(
    expected: Sequence[ExpectedChange], changes: Sequence[AlertChanged], *, start: datetime
) -> list[Failure]:
    """Compare the alert log, in order of instant, rule and labels, with the one expected."""
    ordered = sorted(changes, key=lambda c: (c.at, c.rule, sorted(c.labels.items())))
    there = [fields_of_alert(change) for change in ordered]
    return match_in_order([_wanted(e, start=start) for e in expected], there, check="changes")


def compare_notices(expected: Sequence[ExpectedNotice], notices: Sequence[Notice], *, start: datetime) -> list[Failure]:
    """Compare the notices sent, in order of instant, rule, labels and subscription, with those expected."""
    ordered = sorted(notices, key=lambda n: (n.at, n.rule, sorted(n.labels.items()), n.to))
    there = [fields_of_notice(notice) for notice in ordered]
    return match_in_order([_wanted(e, start=start) for e in expected], there, check="notifications")
