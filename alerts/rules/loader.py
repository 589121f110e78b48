"""Loading rule files: every fault with file, line, rule, field and what to do; all faults of a file at once."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from alerts.rules.deadline import build_deadline
from alerts.rules.ruleset import Rule, Rules, rules_of
from alerts.rules.specification import DeadlineSpec, RuleFileSpec, ThresholdSpec
from alerts.rules.threshold import build_threshold
from alerts.rules.wording import RuleError

MAX_CHARACTERS = 400_000
MAX_DEPTH = 12
_Path = tuple[str | int, ...]


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


class _Refused(Exception):  # noqa: N818 - never leaves this module
    def __init__(self, line: int, detail: str) -> None:
        super().__init__(detail)
        self.line = line
        self.detail = detail


def _read_node(node: yaml.Node, path: _Path, lines: dict[_Path, int]) -> Any:
    """Turn a YAML node into data and note the line of every path; refuses what `safe_load` lets pass."""
    line = node.start_mark.line + 1
    lines[path] = line
    if isinstance(node, yaml.SequenceNode):
        return [_read_node(item, (*path, n), lines) for n, item in enumerate(node.value)]
    if not isinstance(node, yaml.MappingNode):
        return _scalar(node)
    made: dict[str, Any] = {}
    for key_node, value_node in node.value:
        key = str(key_node.value) if isinstance(key_node, yaml.ScalarNode) else "?"
        here = key_node.start_mark.line + 1
        if key in made:
            raise _Refused(here, f"has the key {key!r} twice: keep one of them")
        made[key] = _read_node(value_node, (*path, key), lines)
        lines[*path, key] = here
    return made


def _scalar(node: yaml.Node) -> Any:
    made = yaml.SafeLoader("").construct_object(node)
    return made if isinstance(made, str | int | float | bool) or made is None else str(node.value)


def _check_events(text: str) -> None:
    """Refuse aliases and deep nesting while the text is being read: whole, 5,000 brackets would take seconds."""
    depth = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        line = event.start_mark.line + 1 if event.start_mark else 1
        if isinstance(event, yaml.AliasEvent):
            raise _Refused(line, "uses an alias (*name): write the value out")
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > MAX_DEPTH:
            raise _Refused(line, f"is nested deeper than {MAX_DEPTH}: a rule file has groups, rules and their fields")


def _compose(text: str) -> tuple[Any, dict[_Path, int]]:
    if len(text) > MAX_CHARACTERS:
        raise _Refused(1, f"has {len(text)} characters, at most {MAX_CHARACTERS}: split the file")
    try:
        _check_events(text)
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or str(error)
        raise _Refused(mark.line + 1 if mark else 1, f"is no YAML: {problem}") from error
    except RecursionError as error:
        raise _Refused(1, "is nested too deeply") from error
    if node is None:
        raise _Refused(1, "is empty: a rule file begins with `groups:`")
    lines: dict[_Path, int] = {}
    return _read_node(node, (), lines), lines


def read_document(text: str) -> Any:
    """Read a rule file as plain data, every key a text (YAML 1.1 would read the key `on` as true)."""
    return _compose(text)[0]


def _line(lines: dict[_Path, int], path: _Path) -> int:
    while path and path not in lines:
        path = path[:-1]
    return lines.get(path, 1)


def _rule_name(data: Any, path: _Path) -> str:
    try:
        return str(data["groups"][path[1]]["rules"][path[3]]["id"])
    except (KeyError, IndexError, TypeError):
        return ""


def _shape_faults(error: ValidationError, data: Any, lines: dict[_Path, int], file: str) -> Iterator[RuleFault]:
    errors = error.errors(include_url=False)
    # a list whose every item failed is also reported as too short: only its items are faults
    told = [e for e in errors if e["type"] != "too_short" or len(errors) == 1]
    for found in told:
        # the tag of the union (the kind) stands in pydantic's path, not in the file
        path = tuple(part for n, part in enumerate(found["loc"]) if not (n == 4 and part in ("deadline", "threshold")))
        field = ".".join(str(part) for part in path[4:]) if len(path) > 4 else ".".join(str(part) for part in path)
        detail = found["msg"].removeprefix("Value error, ")
        if found["type"] == "extra_forbidden":
            detail = "is no field of this kind of rule: remove it, or see the JSON Schema (`rules docs`)"
        yield RuleFault(file=file, line=_line(lines, path), rule=_rule_name(data, path), field=field, detail=detail)


def build_rule(spec: DeadlineSpec | ThresholdSpec) -> Rule:
    """Compile one rule. Raise `RuleError` where it is refused."""
    return build_deadline(spec) if isinstance(spec, DeadlineSpec) else build_threshold(spec)


def _load(text: str, file: str) -> tuple[list[tuple[Rule, int]], list[RuleFault]]:
    try:
        data, lines = _compose(text)
    except _Refused as refused:
        return [], [RuleFault(file=file, line=refused.line, rule="", field="", detail=refused.detail)]
    try:
        shaped = RuleFileSpec.model_validate(data)
    except ValidationError as error:
        return [], list(_shape_faults(error, data, lines, file))
    rules: list[tuple[Rule, int]] = []
    faults: list[RuleFault] = []
    for g, group in enumerate(shaped.groups):
        for r, spec in enumerate(group.rules):
            path: _Path = ("groups", g, "rules", r)
            try:
                rules.append((build_rule(spec), _line(lines, path)))
            except RuleError as error:
                line = _line(lines, (*path, *error.field.split(".")))
                faults.append(RuleFault(file=file, line=line, rule=spec.id, field=error.field, detail=error.detail))
    return rules, faults


def load_texts(texts: Iterable[tuple[str, str]]) -> Rules:
    """Load rule files given as (name, text). Raise `RuleFileError` with every fault of every file."""
    loaded: dict[str, tuple[Rule, str]] = {}
    faults: list[RuleFault] = []
    for file, text in texts:
        rules, found = _load(text, file)
        faults += found
        for rule, line in rules:
            if rule.id in loaded:
                detail = f"is used twice, first in {loaded[rule.id][1]}: give one of them another id"
                faults.append(RuleFault(file=file, line=line, rule=rule.id, field="id", detail=detail))
            else:
                loaded[rule.id] = (rule, f"{file}:{line}")
    if faults:
        raise RuleFileError(faults)
    return rules_of(rule for rule, _ in loaded.values())


def load_rules(paths: Iterable[Path]) -> Rules:
    """Load rule files, and the `*.yaml` files of directories in order of name. Raise `RuleFileError` or `OSError`."""
    files = [f for path in paths for f in (sorted(path.glob("*.yaml")) if path.is_dir() else [path])]
    return load_texts((file.name, file.read_text("utf-8")) for file in files)


def shipped_rules_directory() -> Path:
    """Return the directory of the shipped rule files."""
    return Path(__file__).resolve().parents[2] / "deploy" / "rules"


def shipped_rules() -> Rules:
    """Load the shipped rules."""
    return load_rules([shipped_rules_directory()])
