"""Free loopback ports for servers.

Ports are drawn below the range that Linux hands to outgoing connections (32768 and up), so that a connection of another
process cannot take the port of a server between its stop and its next start.
"""

import random
import socket

LOOPBACK = "127.0.0.1"
LOWEST_PORT = 15000
HIGHEST_PORT = 32000
ATTEMPT_COUNT = 500


def is_free(port: int) -> bool:
    """Say whether a server could listen on `port` of the loopback address now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
        return True


def is_listening(port: int, *, timeout_seconds: float = 0.5) -> bool:
    """Say whether something accepts connections on `port` of the loopback address."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.settimeout(timeout_seconds)
        return probe.connect_ex((LOOPBACK, port)) == 0


def free_port() -> int:
    """Return a loopback port on which nothing listens; raises `OSError` when none is found."""
    for _ in range(ATTEMPT_COUNT):
        port = random.randint(LOWEST_PORT, HIGHEST_PORT)
        if is_free(port):
            return port
    raise OSError(f"no free port between {LOWEST_PORT} and {HIGHEST_PORT} after {ATTEMPT_COUNT} attempts")
