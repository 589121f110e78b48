"""`monazite keys`: API keys of the gateway."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from deploy.cli.options import DEFAULT_RUN_DIRECTORY, AsJson, RunDirectory
from deploy.cli.output import fail, print_json, print_table

app = typer.Typer(help="API keys of the gateway; a key is shown once and kept as a hash.")

KeyPath = Annotated[
    Path | None,
    typer.Option("--key-file", envvar="MONAZITE_KEY_FILE", help="where keys are kept; default: keys.json in --run-dir"),
]


def _kept(key_file: Path | None, run_dir: Path) -> Path:
    return key_file or run_dir / "keys.json"


@app.command()
def create(
    scope: Annotated[list[str], typer.Option(help="what the key may do; events:write (send events) is the only scope")],
    days: Annotated[int | None, typer.Option(min=1, help="lifetime in days (default: 365)")] = 365,
    key_file: KeyPath = None,
    run_dir: RunDirectory = DEFAULT_RUN_DIRECTORY,
    as_json: AsJson = False,
) -> None:
    """Make a key and show it, this once."""
    from producers.gateway.keys import SCOPE, KeyFile
    from streams.runtime.clock import utc_now

    if unknown := sorted(set(scope) - {SCOPE}):
        fail(f"there is no scope {', '.join(unknown)}", hint=f"use --scope {SCOPE}", code=2)
    lifetime = None if days is None else timedelta(days=days)
    record, key = KeyFile(_kept(key_file, run_dir)).create(scopes=tuple(scope), at=utc_now(), lifetime=lifetime)
    if as_json:
        print_json({"id": record.id, "key": key, "scopes": record.scopes, "expires_at": record.expires_at})
    else:
        typer.echo(f"{key}\nid {record.id}, scopes {', '.join(record.scopes)}, expires {record.expires_at}")


@app.command("list")
def list_keys(key_file: KeyPath = None, run_dir: RunDirectory = DEFAULT_RUN_DIRECTORY, as_json: AsJson = False) -> None:
    """List the keys without showing them."""
    from producers.gateway.keys import KeyFile

    records = list(KeyFile(_kept(key_file, run_dir)).records().values())
    if as_json:
        print_json(
            [{"id": r.id, "scopes": r.scopes, "expires_at": r.expires_at, "revoked_at": r.revoked_at} for r in records]
        )
    else:
        rows = [(r.id, ", ".join(r.scopes), r.expires_at or "never", r.revoked_at or "–") for r in records]
        print_table("API keys", ["id", "scopes", "expires", "revoked"], rows)


@app.command()
def revoke(
    key_id: Annotated[str, typer.Argument(help="id of the key, as `monazite keys list` shows it")],
    key_file: KeyPath = None,
    run_dir: RunDirectory = DEFAULT_RUN_DIRECTORY,
) -> None:
    """Revoke a key; the gateway refuses it from its next request on."""
    from producers.gateway.keys import KeyFile
    from streams.runtime.clock import utc_now

    try:
        KeyFile(_kept(key_file, run_dir)).revoke(key_id, at=utc_now())
    except KeyError:
        fail(f"there is no key {key_id} in {_kept(key_file, run_dir)}", hint="`monazite keys list` shows them")
    typer.echo(f"revoked {key_id}")
