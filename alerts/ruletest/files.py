"""Rule test files: loading with faults that name file, line and test, and running all tests of files."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
from pydantic import ValidationError

from alerts.rules.documents import DocumentPath, DocumentRefused, compose_document
from alerts.rules.loader import RuleFileError, load_texts, shipped_rules_directory
from alerts.rules.ruleset import Rules
from alerts.ruletest.case_inputs import InputError
from alerts.ruletest.ruletest_specification import RuleTestFileSpec, RuleTestSpec
from alerts.ruletest.run_ruletest import TestRun, run_test, start_of

SHIPPED = "shipped"


class RuleTestFileError(ValueError):
    """A rule test file that is refused; each line of the message names file and line and says what to do."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LoadedTest:
    """One test of a file, ready to run."""

    file: str
    line: int
    spec: RuleTestSpec
    rules: Rules
    default_start: str | int
    interval: str

    def run(self, *, ticks: bool = True) -> TestRun:
        """Run it. Raise `RuleTestFileError` where the test itself cannot be."""
        try:
            start = start_of(self.spec, default=self.default_start)
            return run_test(self.spec, self.rules, start=start, interval=self.interval, ticks=ticks)
        except InputError as error:
            where = f" {error.where}" if error.where else ""
            raise RuleTestFileError(
                f"{self.file}:{self.line}: test {self.spec.name!r}:{where} {error.detail}"
            ) from error


@dataclass(frozen=True, kw_only=True, slots=True)
class TestResult:
    """The result of one test; `rules` are those it loaded, `fault` says why it could not run."""

    __test__ = False
    file: str
    line: int
    name: str
    run: TestRun
    rules: frozenset[str] = frozenset()
    fault: str | None = None

    @property
    def passed(self) -> bool:
        """Tell whether it ran and everything was as expected."""
        return self.fault is None and self.run.passed


def test_files(paths: Iterable[Path]) -> list[Path]:
    """Return files, and the `*.yaml` files of directories in order of name. Raise `FileNotFoundError`."""
    found: list[Path] = []
    for path in paths:
        if not path.exists():
            raise FileNotFoundError(f"{path}: there is no such file or directory")
        found += sorted(path.rglob("*.yaml")) if path.is_dir() else [path]
    return found


test_files.__test__ = False  # type: ignore[attr-defined] # its name is no test's


def _line(lines: dict[DocumentPath, int], path: DocumentPath) -> int:
    while path and path not in lines:
        path = path[:-1]
    return lines.get(path, 1)


def _faults(error: ValidationError, lines: dict[DocumentPath, int], name: str) -> str:
    told = []
    for found in error.errors(include_url=False):
        # the names of alternatives stand in pydantic's path, not in the file
        path = tuple(p for p in found["loc"] if p not in ("EventSpec", "CloudEventSpec", "deadline", "threshold"))
        field = ".".join(str(part) for part in path)
        detail = found["msg"].removeprefix("Value error, ")
        if found["type"] == "extra_forbidden":
            detail = "is no field here: remove it, or see the JSON Schema (`rules docs`)"
        told.append(f"{name}:{_line(lines, path)}: {field} {detail}")
    return "\n".join(dict.fromkeys(told))


def load_test_file(path: Path) -> list[LoadedTest]:
    """Load a rule test file with its rules. Raise `RuleTestFileError`, `RuleFileError` or `OSError`."""
    name = path.as_posix()
    try:
        data, lines = compose_document(path.read_text("utf-8"))
        spec = RuleTestFileSpec.model_validate(data)
    except DocumentRefused as refused:
        raise RuleTestFileError(f"{name}:{refused.line}: {refused.detail}") from refused
    except ValidationError as error:
        raise RuleTestFileError(_faults(error, lines, name)) from error
    rules = _rules(spec, path)
    shared = tuple(
        each if each.interval else each.model_copy(update={"interval": spec.interval}) for each in spec.series
    )
    return [
        LoadedTest(
            file=name,
            line=_line(lines, ("tests", n)),
            rules=rules,
            default_start=spec.start,
            interval=test.interval or spec.interval,
            spec=test.model_copy(
                update={
                    "events": (*spec.events, *test.events),
                    "series": (*shared, *test.series),
                    "about": test.about or spec.about,
                }
            ),
        )
        for n, test in enumerate(spec.tests)
    ]


def _rules(spec: RuleTestFileSpec, path: Path) -> Rules:
    texts: list[tuple[str, str]] = []
    for given in spec.rule_files:
        place = shipped_rules_directory() if given == SHIPPED else path.parent / given
        if not place.exists():
            raise RuleTestFileError(f"{path.as_posix()}: rule_files names {given!r}, which is not there")
        files = sorted(place.glob("*.yaml")) if place.is_dir() else [place]
        texts += [(file.name, file.read_text("utf-8")) for file in files]
    if spec.groups:
        document = {
            "groups": [group.model_dump(mode="json", by_alias=True, exclude_unset=True) for group in spec.groups]
        }
        texts.append((f"{path.name} groups", msgspec.json.encode(document).decode()))
    return load_texts(texts)


def run_files(paths: Sequence[Path], *, match: str | None = None) -> Iterator[TestResult]:
    """Run the tests of files (those whose name holds `match`), one by one; a refused file is one failed result."""
    for path in paths:
        try:
            tests = load_test_file(path)
        except (RuleTestFileError, RuleFileError) as error:
            yield TestResult(file=path.as_posix(), line=1, name="the file itself", run=TestRun(), fault=str(error))
            continue
        for test in tests:
            if match is not None and match not in test.spec.name:
                continue
            try:
                run, fault = test.run(), None
            except RuleTestFileError as error:
                run, fault = TestRun(), str(error)
            yield TestResult(
                file=test.file,
                line=test.line,
                name=test.spec.name,
                run=run,
                fault=fault,
                rules=frozenset(test.rules.by_id),
            )
