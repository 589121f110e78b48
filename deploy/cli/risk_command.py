"""`monazite risk`: the score of a material for a home, taken apart."""

from typing import Annotated, Any

import typer

from deploy.cli.measures_command import MeasureOrigin, parse_day
from deploy.cli.options import AsJson
from deploy.cli.output import EXIT_FINDING, EXIT_USAGE, console, fail, print_json, print_table
from deploy.cli.stack_options import StackOptions, takes_stack

app = typer.Typer(
    help="Risk scores: what a score is made of, as of any day, as known on any day.", no_args_is_help=True
)

_BAR_CELLS = 40


@app.callback()
def risk() -> None:
    """Risk scores: what a score is made of, as of any day, as known on any day."""


@app.command()
@takes_stack(console=True)
def show(
    stack: StackOptions,
    material: Annotated[str, typer.Argument(help="a material, such as dysprosium")],
    home: Annotated[str, typer.Option(help="home country of the score: US, EU, JP, KR, GB, IN, BR")] = "US",
    as_of: Annotated[str | None, typer.Option(help="score of this day (default: today)")] = None,
    known_at: Annotated[str | None, typer.Option(help="as known on this day (default: everything known now)")] = None,
    origin: Annotated[str, typer.Option("--from", help="history, live, or a file of recorded events")] = "history",
    as_json: AsJson = False,
) -> None:
    """Show the score of a material for a home: factors, contributions, and every input with source, period and age.

    The score is 1 - prod(1 - weight x factor); contributions add up to it. The interval says how far what is unknown or
    stale could move it; a factor that is unknown shows no value and counts in blindness.
    """
    day, known = parse_day(as_of, option="--as-of"), parse_day(known_at, option="--known-at")
    if origin == MeasureOrigin.LIVE:
        if day or known:
            fail("--as-of and --known-at need the events: use --from history or --from FILE", code=EXIT_USAGE)
        document = _live(material, home, stack.console_url)
    else:
        document = _asked(material, home, origin, day, known)
    if as_json:
        print_json(document)
    else:
        _print(document)


def _asked(material: str, home: str, origin: str, day: Any, known: Any) -> dict[str, Any]:
    from deploy.cli.recorded_events import load_events
    from streams.contracts.materials import GROUPS, MATERIALS
    from streams.queries.risk_queries import RiskQuestionError, RiskQuestions, score_document
    from streams.runtime.clock import utc_now

    if material not in MATERIALS:
        hint = f"it is a group; choose one of {', '.join(GROUPS[material])}" if material in GROUPS else None
        fail(f"{material!r} is no material", code=EXIT_USAGE, hint=hint or f"there are {', '.join(MATERIALS)}")
    try:
        questions = RiskQuestions(load_events(origin), as_of=day or utc_now().date(), known_at=known)
        if home not in questions.parameters.homes:
            fail(f"{home!r} is no home", code=EXIT_USAGE, hint=f"there are {', '.join(questions.parameters.homes)}")
        return score_document(questions, material, home=home)
    except RiskQuestionError as error:
        fail(str(error))


def _live(material: str, home: str, console_url: str) -> dict[str, Any]:
    from deploy.cli.console_client import read_live

    found = read_live(console_url, f"/v1/materials/{material}")
    score = next((each for each in found.get("scores", ()) if each["home"] == home), None)
    if score is None:
        fail(
            f"the road has no score of {material} for {home} yet",
            code=EXIT_FINDING,
            hint="scores come with the first measure or figure of a material",
        )
    return {**score, "view": found["view"]}


def _print(document: dict[str, Any]) -> None:
    out = console()
    low, high = document["interval"]
    made_up = "  synthetic data" if document["synthetic"] else ""
    known = f", as known on {document['known_at']}" if document.get("known_at") else ""
    out.print(
        f"{document['material']} for {document['home']} as of {document.get('as_of') or document['at']}{known}: "
        f"[bold]{document['score']:.3f}[/] ({low:.3f} to {high:.3f}){made_up}"
    )
    for factor, share in document["contributions"].items():
        value = document["factors"][factor]["value"]
        cells = "█" * round(share * _BAR_CELLS) if share else ""
        shown = "unknown" if value is None else f"{value:.2f}"
        out.print(f"  {factor.replace('_', ' '):<16} {share:6.3f} {cells:<{_BAR_CELLS}} factor {shown}")
    print_table(
        "Inputs, the weightiest of each factor first",
        ["factor", "input", "of", "value", "stress", "says", "source", "period", "vintage", "age"],
        [
            (
                factor.replace("_", " "),
                row["name"],
                row["of"],
                _value(row),
                _ratio(row["stress_ratio"]),
                row["said"] or "–",
                row["source"],
                row["reference_period"] or "–",
                row["vintage"] or "–",
                "–" if row["age_days"] is None else f"{row['age_days']} days",
            )
            for factor, read in document["factors"].items()
            for row in read["inputs"]
        ],
    )
    if document["missing"]:
        out.print("missing: " + "; ".join(text for text in document["missing"] if " " in text))
    for each in document.get("exposures", ()):
        out.print(f"  exposes {each['end_use']} {each['exposure']:.2f}: {' > '.join(each['path'])}")


def _ratio(value: float | None) -> str | None:
    return None if value is None else f"{value:.2f}"


def _value(row: dict[str, Any]) -> str | None:
    if row["low"] is None:
        return None
    return f"{row['low']:.3g}" if row["low"] == row["high"] else f"{row['low']:.3g} to {row['high']:.3g}"
