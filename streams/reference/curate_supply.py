"""Price and capacity history (to come in the next step)."""

from streams.contracts.events import Event


def price_history() -> list[Event]:
    """Return no event yet."""
    return []


def capacity_history() -> list[Event]:
    """Return no event yet."""
    return []
