"""A child for tests of the supervisor: answers /readyz on a port.

Flags: `--die-first FILE` ends at once with code 3 when FILE does not exist yet (and makes it); `--stubborn` ignores
SIGTERM.
"""

import signal
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path


class _Ready(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()

    def log_message(self, *arguments: object) -> None:
        pass


if __name__ == "__main__":
    port, flags = int(sys.argv[1]), sys.argv[2:]
    if "--die-first" in flags:
        mark = Path(flags[flags.index("--die-first") + 1])
        if not mark.exists():
            mark.touch()
            print("dying as told", flush=True)
            sys.exit(3)
    signal.signal(signal.SIGTERM, signal.SIG_IGN if "--stubborn" in flags else lambda *_: sys.exit(0))
    HTTPServer(("127.0.0.1", port), _Ready).serve_forever()
