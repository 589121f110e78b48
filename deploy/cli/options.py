"""Options that several commands share, spelt once."""

from pathlib import Path
from typing import Annotated

import typer

RunDirectory = Annotated[
    Path, typer.Option("--run-dir", envvar="MONAZITE_RUN_DIR", help="where the local stack keeps state, logs and keys")
]
Java = Annotated[
    str | None,
    typer.Option(
        envvar="MONAZITE_JAVA", help="java command of one's own for --broker kafka, 17 or newer; default: the wheel's"
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="print JSON")]

DEFAULT_RUN_DIRECTORY = Path(".monazite")
