"""`python -m tests.chaos.show REPORT`: the first differences of a report, each pair of the same alert side by side."""

import json
import sys
from pathlib import Path
from typing import Any


def main() -> None:
    """Print one line for each side of a difference."""
    report = json.loads(Path(sys.argv[1]).read_text())
    parts = {"roads": report["roads"], **report["backtests"]}
    for name, made in parts.items():
        _doubles(name, made)
        for found in sorted(made["differences"], key=lambda d: (d["rule"], _of(d)["fingerprint"], _of(d)["at"])):
            for side in ("first", "second"):
                if (row := found[side]) is not None:
                    print(name, found["rule"], side, row["fingerprint"], row["at"], row["from_state"], row["to_state"],
                          row["severity"], row.get("step"), row["summary"], row.get("causes"), row["alert"][-8:],
                          found["fields"])  # fmt: skip


def _doubles(name: str, made: dict[str, Any]) -> None:
    for pair in made["doubles"]:
        for side, row in pair.items():
            print(name, "doubled", side, json.dumps(row))


def _of(difference: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = difference["first"] or difference["second"]
    return found


if __name__ == "__main__":
    main()
