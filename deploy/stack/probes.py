"""Questions to a broker and to a Redis server that show whether they are ready."""

import socket
from collections.abc import Callable
from contextlib import closing
from typing import Any

from deploy.stack.free_ports import LOOPBACK

READINESS_GROUP = "monazite-readiness"
PROBE_TIMEOUT_MS = 3000


def _ask(bootstrap: str, question: Callable[[Any], int]) -> int:
    """Return the answer of an admin client to the question; 0 while the broker cannot answer."""
    from kafka.admin import KafkaAdminClient
    from kafka.errors import KafkaConfigurationError, KafkaError

    try:
        with closing(KafkaAdminClient(bootstrap_servers=bootstrap, request_timeout_ms=PROBE_TIMEOUT_MS)) as admin:
            return question(admin)
    except KafkaConfigurationError:
        raise  # our own mistake, not a broker that starts
    except (KafkaError, OSError, ValueError):
        return 0


def brokers_seen(bootstrap: str) -> int:
    """Return how many brokers the cluster at `bootstrap` reports; 0 when it does not answer yet."""
    return _ask(bootstrap, lambda admin: len(admin.describe_cluster()["brokers"]))


def coordinates_groups(bootstrap: str) -> bool:
    """Say whether consumer groups can be used: a fresh Kafka answers NOT_COORDINATOR for about a second."""
    return _ask(bootstrap, lambda admin: len(admin.list_group_offsets({READINESS_GROUP: None})) + 1) > 0


def redis_answers(port: int) -> bool:
    """Say whether a Redis-compatible server answers PING on the loopback port."""
    try:
        with socket.create_connection((LOOPBACK, port), timeout=1.0) as connection:
            connection.sendall(b"PING\r\n")
            return connection.recv(16).startswith(b"+PONG")
    except OSError:
        return False
