"""`monazite rules explain|docs`: why an alert fires, why none does, and a page per rule."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from deploy.cli.options import AsJson
from deploy.cli.output import EXIT_USAGE, console, fail, print_json, print_table
from deploy.cli.rules_backtest import Origin, RulePaths, Until, recording, rules_at, run
from deploy.cli.stack_options import StackOptions, takes_stack

if TYPE_CHECKING:
    from alerts.backtest.pipeline import Watcher
    from alerts.explain.alert_history import AlertLife
    from alerts.rules.ruleset import Rules
    from deploy.cli.recorded_events import Recording
    from streams.contracts.alert import AlertChanged


@takes_stack(broker=True)
def explain(
    stack: StackOptions,
    target: Annotated[
        str, typer.Argument(metavar="FINGERPRINT|RULE", help="the alert (first digits suffice); with --not the rule")
    ],
    entity: Annotated[
        str | None,
        typer.Option(
            "--not", metavar="ENTITY", help="why RULE does not fire for this material, measure or label=value,..."
        ),
    ] = None,
    until: Until = None,
    origin: Origin = "history",
    rules: RulePaths = None,
    as_json: AsJson = False,
) -> None:
    """Explain an alert: its life so far, what was compared with what, the events behind it, the rule as it stood.

    Fingerprints stand in `rules backtest --json` and `alerts list`.
    The reverse is --not: why a rule does not fire, with the values that are short of a limit, the parts of a condition
    that are false, and the facts that are unknown.

    Examples: rules explain 3f09 · rules explain --not dysprosium price-change-30-observations ·
    rules explain --not measure=CN-2025-18 suspension-end
    """
    from alerts.explain.alert_history import UnknownAlertError, find_changes, life_of, life_row

    of = recording(origin, until, stack=stack)
    asked = _rules_asked(of, rules)
    if entity is not None:
        _explain_not(target, entity, of, asked, as_json=as_json)
        return
    try:
        changes = find_changes(_log(of, asked), target)
    except UnknownAlertError as error:
        fail(str(error), code=EXIT_USAGE)
    life = life_of(changes, of.events, asked.rules)
    if as_json:
        print_json({**life_row(life), "rule_set": asked.row})
    else:
        _show_life(life)
        console().print(asked.words, markup=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Asked:
    """Rules that an explanation speaks of, those the log begins with, and where they come from, in words and data."""

    rules: "Rules"
    initial: "Rules"
    applied: bool
    words: str
    row: dict[str, Any]


def _rules_asked(of: "Recording", paths: list[Path] | None) -> _Asked:
    """Choose the rules given, else those in force at the end of the log, else the shipped ones; say which."""
    initial = rules_at(paths)
    if paths:
        rules, origin, event = initial, "given", None
        words = f"by the rules given, set {rules.content_hash}; sets applied on the way do not count"
    else:
        rules, event = of.rules_at_end(initial)
        origin = "applied" if event is not None else "shipped"
        words = f"by the shipped rules, set {rules.content_hash}; none were applied on the way"
        if event is not None:
            words = f"by the rules applied at {event.recorded_at:%Y-%m-%d %H:%M} UTC, set {rules.content_hash}"
    row = {"origin": origin, "content_hash": rules.content_hash, "applied_at": event.recorded_at if event else None}
    return _Asked(rules=rules, initial=initial, applied=not paths, words=words, row=row)


def _log(of: "Recording", asked: _Asked, *, watch: "Watcher | None" = None) -> "list[AlertChanged]":
    return run(of, asked.initial, what="backtest", applied=asked.applied, watch=watch)


def _explain_not(rule_id: str, entity: str, of: "Recording", asked: _Asked, *, as_json: bool) -> None:
    from alerts.explain.entity_search import Watch
    from alerts.explain.why_not import kinds_read_by, why_not, why_not_row

    rules = asked.rules
    rule = rules.by_id.get(rule_id)
    if rule is None:
        fail(f"there is no rule {rule_id!r}", code=EXIT_USAGE, hint=f"there are: {', '.join(sorted(rules.by_id))}")
    watch = Watch(entity, kinds=kinds_read_by(rule, rules))
    log = _log(of, asked, watch=watch)
    answer = why_not(rule, rules, watch, log, asked=entity, until=of.until)
    if as_json:
        print_json({**why_not_row(answer), "rule_set": asked.row})
        return
    screen = console()
    screen.print(f"{answer.rule} ({answer.kind}), asked about {entity}: {answer.reason}", style="bold", markup=False)
    for each in answer.entities:
        screen.print(f"\n{_pairs(dict(each.labels))}: {each.state.value}, fingerprint {each.fingerprint}", markup=False)
        for reason in each.why.reasons:
            screen.print(f"  - {reason}", markup=False)
        if (near := each.why.closest) is not None and each.why.reasons:
            screen.print(f"  nearest: {near.value:g} at {near.at:%Y-%m-%d}, first limit {near.limit:g}", markup=False)
        for past in each.fired:
            ended = f"to {past.ended_at:%Y-%m-%d}" if past.ended_at else "and still does"
            screen.print(f"  fired from {past.started_at:%Y-%m-%d} {ended}", markup=False)
    screen.print(f"\n{asked.words}", markup=False)


def _pairs(of: dict[str, Any]) -> str:
    return ", ".join(f"{k} {'unknown' if v is None else v}" for k, v in of.items()) or "–"


def _show_life(life: "AlertLife") -> None:
    screen = console()
    since = f" since {life.fired_since:%Y-%m-%d %H:%M} UTC" if life.fired_since else ""
    screen.print(f"{life.rule} ({_pairs(dict(life.labels))}) is {life.state.value}{since}", style="bold", markup=False)
    for text in (life.summary, life.description):
        if text:
            screen.print(text, markup=False)
    screen.print(f"compared: {_pairs(life.values)}", markup=False)
    screen.print(f"with: {_pairs(life.thresholds)}", markup=False)
    edited = {None: "not in this rule set any more", True: "the rule was edited since", False: "the rule as it stands"}
    screen.print(f"rule {life.rule}, hash {life.changes[-1].rule_hash}: {edited[life.edited]}", markup=False)
    if life.runbook:
        screen.print(f"what to do: {life.runbook}", markup=False)
    print_table(
        f"\n{len(life.changes)} changes",
        ["at (UTC)", "from", "to", "severity", "step", "about", "why"],
        [
            (
                f"{c.at:%Y-%m-%d %H:%M}",
                c.from_state.value,
                c.to_state.value,
                c.severity or "–",
                c.step or "–",
                c.occasion or "–",
                c.summary,
            )
            for c in life.changes
        ],
    )
    print_table(
        f"\n{len(life.causes)} events behind the last change",
        ["recorded (UTC)", "event", "type", "said by", "read it at"],
        [
            (f"{e.recorded_at:%Y-%m-%d %H:%M}", e.id, e.type.removeprefix("org.monazite."), e.said_by, e.address)
            for e in life.causes
        ],
    )
    if life.missing_causes:
        screen.print(f"not in this recording: {', '.join(life.missing_causes)}", markup=False)


def docs(
    rule: Annotated[str | None, typer.Argument(help="print the page of this rule only")] = None,
    rules: RulePaths = None,
    out: Annotated[Path | None, typer.Option(help="write README.md, a page per rule and the JSON Schemas here")] = None,
    as_json: AsJson = False,
) -> None:
    """Document rules: a page per rule, an index, and the JSON Schemas of rule files and rule test files.

    Point an editor at the schema with `# yaml-language-server: $schema=rules.schema.json` on the first line of a file.
    """
    import dataclasses

    import msgspec

    from alerts.explain.pages import index_page, rule_pages
    from alerts.rules.loader import RuleFileError, shipped_rules_directory
    from alerts.rules.rule_specification import rule_file_schema
    from alerts.ruletest.ruletest_specification import rule_test_schema

    try:
        pages = rule_pages(rules or [shipped_rules_directory()])
    except RuleFileError as error:
        fail(str(error))
    except OSError as error:
        fail(str(error), code=EXIT_USAGE)
    index = index_page(pages)
    if rule is not None:
        pages = [page for page in pages if page.id == rule]
        if not pages:
            fail(f"there is no rule {rule!r}", code=EXIT_USAGE, hint="`rules check` lists them")
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        for page in pages:
            (out / f"{page.id}.md").write_text(page.markdown, "utf-8")
        (out / "README.md").write_text(index, "utf-8")
        for name, schema in (("rules", rule_file_schema()), ("rule-tests", rule_test_schema())):
            (out / f"{name}.schema.json").write_bytes(
                msgspec.json.format(msgspec.json.encode(schema), indent=2) + b"\n"
            )
    if as_json:
        print_json([dataclasses.asdict(page) for page in pages])
    elif out is not None:
        typer.echo(f"{len(pages)} pages, an index and two schemas are in {out}")
    else:
        typer.echo("\n\n".join(page.markdown for page in pages) if rule is not None else index, nl=False)
