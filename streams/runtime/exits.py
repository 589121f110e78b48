"""The loud end of a worker: one line on file descriptor 2, then exit code 70.

Measured: an exception in a Faust agent commits the failing event and goes on (docs/engine-traps.md 1), even under the
crashing supervisor; and the engine redirects `sys.stderr` into its log. So whatever must stop the worker leaves
here, without unwinding, without another commit. A supervisor starts the process again and recovery does the rest.
"""

import os
from contextlib import suppress
from typing import NoReturn

EXIT_CODE = 70  # EX_SOFTWARE of sysexits.h


def fatal(reason: str, /, **facts: object) -> NoReturn:
    """Write `reason` and `facts` as one line to standard error and end the process with code 70, at once."""
    listed = " ".join(f"{name}={value!r}" for name, value in facts.items())
    with suppress(OSError):  # a log on a full disk must not keep the process from ending
        os.write(2, f"FATAL {reason} {listed}\n".encode(errors="replace"))
    os._exit(EXIT_CODE)
