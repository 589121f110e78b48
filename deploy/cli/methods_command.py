"""`monazite methods`: a published method over a file."""

from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from deploy.cli.method_files import METHODS
from deploy.cli.options import AsJson
from deploy.cli.output import EXIT_USAGE, fail, print_json, print_table
from streams.contracts.reasons import FieldError

_MARKS = str.maketrans({"[": "\\["})
HELP = "Compute a published method over a file; what is missing is said, never guessed.\n\n" + "\n\n".join(
    f"[bold]{name}[/]: {each.title}. {each.shape.translate(_MARKS)}" for name, each in METHODS.items()
)


def methods(
    name: Annotated[str, typer.Argument(help="one of " + ", ".join(METHODS))],
    file: Annotated[Path, typer.Argument(help="CSV or JSON, as the method wants it")],
    as_json: AsJson = False,
) -> None:
    """Compute a method and print its result."""
    method = METHODS.get(name)
    if method is None:
        fail(f"there is no method {name!r}", code=EXIT_USAGE, hint="methods: " + ", ".join(METHODS))
    if not file.is_file():
        fail(f"{file}: there is no such file", code=EXIT_USAGE, hint=method.shape)
    try:
        answer = method.run(file)
    except FieldError as error:
        fail(f"{file}: {error.field}: {error.detail} ({error.reason.value})", code=EXIT_USAGE, hint=method.shape)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        fail(f"{file}: {error}", code=EXIT_USAGE, hint=method.shape)
    if as_json:
        print_json(answer)
        return
    _print(method.title, answer if isinstance(answer, list) else [answer])


def _print(title: str, rows: list[dict[str, Any]]) -> None:
    columns = [name for name in (rows[0] if rows else ()) if name != "note"]
    print_table(title, columns, [[_cell(row.get(name)) for name in columns] for row in rows])
    for note in sorted({row["note"] for row in rows if row.get("note")}):
        typer.echo(note)


def _cell(value: Any) -> Any:
    if isinstance(value, (tuple, list)):
        return ", ".join(value) or "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.6g}" if isinstance(value, float) else value
