"""How commands speak: JSON for machines, tables for people, errors that say what, where and what to do."""

import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn

import msgspec
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

EXIT_FINDING = 1
EXIT_USAGE = 2

_encode = msgspec.json.Encoder(enc_hook=str).encode


def console() -> Console:
    """Return the console of this process; plain text where the output is no terminal."""
    return Console(width=None if sys.stdout.isatty() else 160, highlight=False)


_PLAIN_EVERY_SECONDS = 5.0


@contextmanager
def progress(what: str) -> Iterator[Callable[[int, int], None]]:
    """Show how far long work is, on standard error: a bar on a terminal, a plain line every five seconds elsewhere."""
    if sys.stderr.isatty():
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
            task = bar.add_task(what, total=None)
            yield lambda done, total: bar.update(task, completed=done, total=total)
        return
    told = time.monotonic()

    def tell(done: int, total: int) -> None:
        nonlocal told
        if time.monotonic() - told >= _PLAIN_EVERY_SECONDS:
            told = time.monotonic()
            sys.stderr.write(f"{what}: {done} of {total}\n")

    yield tell


def print_json(value: Any) -> None:
    """Print one JSON document, indented, ending in a newline."""
    sys.stdout.write(msgspec.json.format(_encode(value), indent=2).decode() + "\n")


def print_json_lines(rows: Iterable[Any]) -> None:
    """Print one JSON document a line, as they come."""
    for row in rows:
        sys.stdout.write(_encode(row).decode() + "\n")


def print_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Print a table; `None` is shown as "unknown", never as zero or as nothing."""
    table = Table(title=title, title_justify="left", header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*("unknown" if cell is None else str(cell) for cell in row))
    console().print(table)


def fail(message: str, *, code: int = EXIT_FINDING, hint: str | None = None) -> NoReturn:
    """End the command with a message on standard error, and what to do about it."""
    err = Console(stderr=True, highlight=False)
    err.print(f"[bold red]error:[/] {message}", markup=True)
    if hint:
        err.print(f"  {hint}", markup=False)
    raise typer.Exit(code)
