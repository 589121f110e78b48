"""States as they come back from the changelog."""

from collections.abc import Callable
from typing import Any

from streams.runtime.stage_ports import InMemoryStateStore


def recovered(
    store: InMemoryStateStore, *, encode: Callable[[Any], bytes], decode: Callable[[bytes], Any]
) -> InMemoryStateStore:
    """Give a store with every value taken through its encoded form."""
    made = InMemoryStateStore()
    for key, value in store.items():
        made.put(key, decode(encode(value)))
    return made
