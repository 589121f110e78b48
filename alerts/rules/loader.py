"""Loading rule files: every fault with file, line, rule, field and what to do; all faults of a file at once."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Any

import msgspec
from pydantic import ValidationError

from alerts.rules.documents import MAX_CHARACTERS, DocumentPath, DocumentRefused, compose_document, read_document
from alerts.rules.fingerprint import RuleError
from alerts.rules.rule_kinds import BUILDERS, Rule, build_rule
from alerts.rules.rule_specification import RuleFileSpec
from alerts.rules.ruleset import BUILT_IN, Rules, rules_of


@dataclass(frozen=True, kw_only=True, slots=True)
class RuleFault:
    """One fault of a rule file; `rule` and `field` are empty where it is not about one."""

    file: str
    line: int
    rule: str
    field: str
    detail: str

    def __str__(self) -> str:
        about = f" rule {self.rule}:" if self.rule else ""
        field = f" {self.field}" if self.field else ""
        return f"{self.file}:{self.line}:{about}{field} {self.detail}"


class RuleFileError(ValueError):
    """A rule file that is refused; `faults` has all of them."""

    def __init__(self, faults: Sequence[RuleFault]) -> None:
        super().__init__("\n".join(str(fault) for fault in faults))
        self.faults = tuple(faults)


def _line(lines: dict[DocumentPath, int], path: DocumentPath) -> int:
    while path and path not in lines:
        path = path[:-1]
    return lines.get(path, 1)


def _rule_name(data: Any, path: DocumentPath) -> str:
    try:
        return str(data["groups"][path[1]]["rules"][path[3]]["id"])
    except (KeyError, IndexError, TypeError):
        return ""


def _shape_faults(error: ValidationError, data: Any, lines: dict[DocumentPath, int], file: str) -> Iterator[RuleFault]:
    errors = error.errors(include_url=False)
    # a list whose every item failed is also reported as too short: only its items are faults
    told = [e for e in errors if e["type"] != "too_short" or len(errors) == 1]
    for found in told:
        # the tag of the union (the kind) stands in pydantic's path, not in the file
        path = tuple(part for n, part in enumerate(found["loc"]) if not (n == 4 and part in BUILDERS))
        field = ".".join(str(part) for part in path[4:]) if len(path) > 4 else ".".join(str(part) for part in path)
        detail = found["msg"].removeprefix("Value error, ")
        if found["type"] == "extra_forbidden":
            detail = "is no field of this kind of rule: remove it, or see the JSON Schema (`rules docs`)"
        yield RuleFault(file=file, line=_line(lines, path), rule=_rule_name(data, path), field=field, detail=detail)


def _load(text: str, file: str) -> tuple[list[tuple[Rule, int]], list[RuleFault]]:
    try:
        data, lines = compose_document(text)
    except DocumentRefused as refused:
        return [], [RuleFault(file=file, line=refused.line, rule="", field="", detail=refused.detail)]
    try:
        shaped = RuleFileSpec.model_validate(data)
    except ValidationError as error:
        return [], list(_shape_faults(error, data, lines, file))
    rules: list[tuple[Rule, int]] = []
    faults: list[RuleFault] = []
    for g, group in enumerate(shaped.groups):
        for r, spec in enumerate(group.rules):
            path: DocumentPath = ("groups", g, "rules", r)
            try:
                rules.append((build_rule(spec), _line(lines, path)))
            except RuleError as error:
                line = _line(lines, (*path, *error.field.split(".")))
                faults.append(RuleFault(file=file, line=line, rule=spec.id, field=error.field, detail=error.detail))
    return rules, faults


def load_texts(texts: Iterable[tuple[str, str]]) -> Rules:
    """Load rule files given as (name, text). Raise `RuleFileError` with every fault of every file."""
    loaded: dict[str, tuple[Rule, str, int]] = {}
    faults: list[RuleFault] = []
    for file, text in texts:
        rules, found = _load(text, file)
        faults += found
        for rule, line in rules:
            if rule.id in BUILT_IN:
                detail = "is the name of an alert that Monazite tells itself: give the rule another id"
                faults.append(RuleFault(file=file, line=line, rule=rule.id, field="id", detail=detail))
            elif rule.id in loaded:
                detail = (
                    f"is used twice, first in {loaded[rule.id][1]}:{loaded[rule.id][2]}: give one of them another id"
                )
                faults.append(RuleFault(file=file, line=line, rule=rule.id, field="id", detail=detail))
            else:
                loaded[rule.id] = (rule, file, line)
    if faults:
        raise RuleFileError(faults)
    try:
        return rules_of(rule for rule, _, _ in loaded.values())
    except RuleError as error:
        _, file, line = loaded[error.rule]
        fault = RuleFault(file=file, line=line, rule=error.rule, field=error.field, detail=error.detail)
        raise RuleFileError([fault]) from error


@lru_cache(maxsize=4)
def load_rule_set(text: str) -> Rules:
    """Load the text of a whole rule set, once for all partitions of a worker. Raise `RuleFileError`."""
    return load_texts([("rule set", text)])


def read_rule_set_text(paths: Iterable[Path]) -> tuple[str, Rules]:
    """Read files as one text, for a directive, and the rules it holds. Raise `RuleFileError` or `OSError`.

    Faults are told by file and line; comments are not in the text. A set too large for one directive is refused here.
    """
    files = _files(paths)
    load_rules(files)
    groups = [group for file in files for group in read_document(file.read_text("utf-8"))["groups"]]
    text = msgspec.json.encode({"groups": groups}).decode()
    if len(text) > MAX_CHARACTERS:
        detail = (
            f"are {len(text)} characters together, and one directive carries at most {MAX_CHARACTERS}: shorten texts, "
            "drop rules, or let one rule with a wider `where` stand for several. Nothing was sent"
        )
        raise RuleFileError([RuleFault(file=files[0].parent.name, line=1, rule="", field="", detail=detail)])
    return text, load_rule_set(text)


def _files(paths: Iterable[Path]) -> list[Path]:
    return [f for path in paths for f in (sorted(path.glob("*.yaml")) if path.is_dir() else [path])]


def load_rules(paths: Iterable[Path]) -> Rules:
    """Load rule files, and the `*.yaml` files of directories in order of name. Raise `RuleFileError` or `OSError`."""
    return load_texts((file.name, file.read_text("utf-8")) for file in _files(paths))


def shipped_rules_directory() -> Path:
    """Return the directory of the shipped rule files."""
    return Path(str(resources.files("deploy"))).resolve() / "rules"


def shipped_rules() -> Rules:
    """Load the shipped rules."""
    return load_rules([shipped_rules_directory()])
