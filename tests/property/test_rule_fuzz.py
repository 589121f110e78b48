"""Rule texts from people we do not know: none crashes, hangs or surprises the loader."""

import os
import secrets
import signal
import subprocess
import sys
from pathlib import Path

import msgspec

FUZZ_SECONDS = 60 if os.environ.get("CI", "").lower() == "true" else 5
"""A minute where machines wait; at a desk only as long as one is willing to."""
GRACE_SECONDS = 120
"""What the child may take beyond that: start, the last round, and a text that hangs until faulthandler speaks."""


def test_every_text_gives_rules_or_a_refusal_with_faults(tmp_path: Path) -> None:
    """The CEL library can end the process and YAML can ask for all memory; rules come from outside."""
    seed = int(os.environ.get("RULE_FUZZ_SEED") or secrets.randbelow(2**32))
    last = tmp_path / "last_text"
    command = [sys.executable, "-m", "tests.support.rule_fuzz", str(seed), str(FUZZ_SECONDS), str(last)]
    print("to see this again: RULE_FUZZ_SEED =", seed)
    done = subprocess.run(command, capture_output=True, text=True, timeout=FUZZ_SECONDS + GRACE_SECONDS, check=False)
    ended = signal.Signals(-done.returncode).name if done.returncode < 0 else f"code {done.returncode}"
    text = last.read_bytes()[:1_000] if last.exists() else b""
    assert done.returncode == 0, f"seed {seed}: {ended}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}\nbegins: {text!r}"
    counts = msgspec.json.decode(done.stdout)
    print(counts)
    assert counts["loaded"] > 0
    assert counts["refused"] > 0
