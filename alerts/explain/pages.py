"""A page per rule, drawn from the rule files: when it fires, how it waits, which facts it reads, what it says."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from alerts.rules.documents import read_document
from alerts.rules.facts import CATALOGUE, TEXT_NAMES
from alerts.rules.loader import load_rules
from alerts.rules.rule_specification import RuleFileSpec

_WORD = re.compile(r"\b[a-z_][a-z0-9_]*\b")
_STRING = re.compile(r"\"[^\"]*\"|'[^']*'")
_TEXTS = ("summary", "description", "passed", "resolved")
_NOT_SHOWN = {"id", "kind", "on", "labels", "annotations", "where"}


@dataclass(frozen=True, kw_only=True, slots=True)
class RulePage:
    """A rule and its page in Markdown."""

    id: str
    kind: str
    on: str | None
    group: str
    file: str
    fires: str
    severities: tuple[str, ...]
    runbook: str | None
    facts: tuple[str, ...]
    markdown: str


def rule_pages(paths: Iterable[Path]) -> list[RulePage]:
    """Return a page for each rule of files and directories. Raise `RuleFileError` where they do not load."""
    files = [f for path in paths for f in (sorted(path.glob("*.yaml")) if path.is_dir() else [path])]
    load_rules(files)
    pages = []
    for file in files:
        try:
            document = RuleFileSpec.model_validate(read_document(file.read_text("utf-8")))
        except ValidationError as error:  # pragma: no cover - load_rules has refused it before
            raise AssertionError(file) from error
        for group in document.groups:
            for spec in group.rules:
                written = spec.model_dump(mode="json", by_alias=True, exclude_unset=True)
                pages.append(_page(written, spec, group=group.name, file=file.name))
    return pages


def fires_in_words(rule: dict[str, Any]) -> str:
    """Say in one sentence when a rule fires; `rule` is what is written in the file."""
    match rule["kind"]:
        case "deadline":
            steps = ", ".join(f"{s['before']} ({s['severity']})" for s in rule["ladder"])
            after = rule.get("passed")
            repeat = f", told again every {after['repeat']}" if after and after.get("repeat") else ""
            passed = f"; after it has passed ({after['severity']}){repeat}" if after else ""
            return f"On the way to `{rule['date']}`: {steps}{passed}."
        case "threshold" if "when" in rule:
            return f"While `{rule['when']}` ({rule.get('severity')})."
        case "threshold" | "change":
            side = "above" if "above" in rule else "below"
            given = rule[side]
            steps = (
                ", ".join(f"{s['value']:g} ({s['severity']})" for s in given)
                if isinstance(given, list)
                else f"{given:g} ({rule.get('severity')})"
            )
            what = f"`{rule['fact']}`"
            if rule["kind"] == "change":
                unit = rule.get("as", "ratio").replace("_", " ")
                over = rule["over"]
                what = f"the change ({unit}) of {what} over {over}{' observations' if isinstance(over, int) else ''}"
            return f"While {what} is {side} {steps}."
        case "absence":
            after = rule["after"]
            steps = after if isinstance(after, str) else ", ".join(f"{s['value']} ({s['severity']})" for s in after)
            each = f"; {len(rule['rhythms'])} sources have a rhythm of their own" if rule.get("rhythms") else ""
            return f"When nothing was heard for {steps}{each}."
        case "composite":
            needs = rule["needs"]
            some = (
                needs if isinstance(needs, str | int) else ", ".join(f"{n['count']} ({n['severity']})" for n in needs)
            )
            by = f", by {', '.join(rule['by'])}" if rule.get("by") else ""
            return f"While {some} of {', '.join(f'`{r}`' for r in rule['of'])} fire{by}."
        case "sequence":
            return f"When `{rule['first']}` came true and within {rule['within']} not `{rule['then']}`."
        case other:
            return f"See its fields (kind {other})."


def _severities(rule: Any) -> Iterator[str]:
    if isinstance(rule, dict):
        for key, value in rule.items():
            if key == "severity" and isinstance(value, str):
                yield value
            else:
                yield from _severities(value)
    elif isinstance(rule, list):
        for each in rule:
            yield from _severities(each)


def _facts(rule: dict[str, Any]) -> list[str]:
    kinds = [kind for kind in (rule.get("on"), rule.get("then_on")) if kind]
    known = {name for kind in kinds for name in CATALOGUE.get(kind, {})}
    texts = [str(v) for k, v in rule.items() if k not in ("annotations", "id", "labels", "kind", "on")]
    named = {word for text in texts for word in _WORD.findall(_STRING.sub(" ", text.replace("'", " ")))}
    named |= {w for text in rule["annotations"].values() for w in re.findall(r"\{([a-z0-9_]+)", str(text))}
    return sorted(named & known)


def _page(rule: dict[str, Any], spec: Any, *, group: str, file: str) -> RulePage:
    facts = _facts(rule)
    order = {"info": 0, "warning": 1, "critical": 2}
    severities = tuple(sorted(dict.fromkeys(_severities(rule)), key=lambda s: order.get(s, 3)))
    fires = fires_in_words(rule)
    runbook = rule["annotations"].get("runbook")
    lines = [f"# {rule['id']}", "", f"{fires}", ""]
    if rule.get("where"):
        lines += [f"Only for `{rule['where']}`.", ""]
    about = f" about `{rule['on']}`" if rule.get("on") else ""
    lines += [f"Kind `{rule['kind']}`{about}, group `{group}`, file `{file}`. Severities: {', '.join(severities)}."]
    if rule.get("labels"):
        lines.append(f"Labels: {', '.join(f'{k}={v}' for k, v in rule['labels'].items())}.")
    if runbook:
        lines.append(f"Runbook: `{runbook}`.")
    lines += ["", *_fields(rule, spec), *_fact_lines(rule, facts), *_text_lines(rule)]
    return RulePage(
        id=rule["id"],
        kind=rule["kind"],
        on=rule.get("on"),
        group=group,
        file=file,
        fires=fires,
        severities=severities,
        runbook=runbook,
        facts=tuple(facts),
        markdown="\n".join(lines).rstrip() + "\n",
    )


def _fields(rule: dict[str, Any], spec: Any) -> list[str]:
    described = {f.alias or name: f.description or "" for name, f in type(spec).model_fields.items()}
    rows = [
        f"| `{name}` | {_in_cell(value)} | {_in_cell(described.get(name, ''))} |"
        for name, value in rule.items()
        if name not in _NOT_SHOWN
    ]
    return ["## Fields", "", "| Field | Value | Meaning |", "|---|---|---|", *rows, ""] if rows else []


def _in_cell(value: Any) -> str:
    if isinstance(value, list):
        value = "; ".join(
            ", ".join(f"{k} {v}" for k, v in each.items()) if isinstance(each, dict) else str(each) for each in value
        )
    elif isinstance(value, dict):
        value = ", ".join(f"{k} {v}" for k, v in value.items())
    return str(value).replace("|", "\\|").replace("\n", " ")


def _fact_lines(rule: dict[str, Any], facts: list[str]) -> list[str]:
    if not facts:
        return []
    rows = []
    for name in facts:
        spec = next(
            CATALOGUE[kind][name]
            for kind in (rule.get("on"), rule.get("then_on"))
            if kind and name in CATALOGUE.get(kind, {})
        )
        choices = f": {', '.join(spec.choices)}" if spec.choices else ""
        rows.append(f"| `{name}` | {spec.type} | {_in_cell(spec.meaning + choices)} |")
    return ["## Facts it reads", "", "| Fact | Type | Meaning |", "|---|---|---|", *rows, ""]


def _text_lines(rule: dict[str, Any]) -> list[str]:
    lines = ["## What it says", ""]
    texts = rule["annotations"]
    for name in _TEXTS:
        if texts.get(name):
            lines += [f"- {name}: {' '.join(str(texts[name]).split())}"]
    named = {w for text in texts.values() for w in re.findall(r"\{([a-z0-9_]+)", str(text))}
    if words := sorted(named & TEXT_NAMES.keys()):
        lines += ["", "Besides facts: " + "; ".join(f"`{w}` is {TEXT_NAMES[w]}" for w in words) + "."]
    return lines


def index_page(pages: Iterable[RulePage]) -> str:
    """Return the page that lists all rules by group."""
    lines = ["# Rules", "", "One page per rule, drawn from the rule files by `monazite rules docs`."]
    group = None
    for page in pages:
        if page.group != group:
            group = page.group
            lines += ["", f"## {group}", "", "| Rule | Fires | Severities |", "|---|---|---|"]
        lines.append(f"| [{page.id}]({page.id}.md) | {_in_cell(page.fires)} | {', '.join(page.severities)} |")
    return "\n".join(lines).rstrip() + "\n"
