"""Reading the console's API for `--from live`."""

from typing import Any

import httpx

from deploy.cli.output import fail


def read_live(base_url: str, path: str) -> dict[str, Any]:
    """Get a JSON document from the console; ends the command with what to do when it does not answer."""
    try:
        answer = httpx.get(base_url + path, timeout=5.0)
    except httpx.HTTPError as error:
        fail(f"the console at {base_url} does not answer: {error}", hint="start one with `monazite stack up`")
    if answer.status_code != httpx.codes.OK:
        fail(f"the console answered {answer.status_code}: {answer.text[:300]}")
    document: dict[str, Any] = answer.json()
    return document
