"""Groups of alerts and entities by labels, as `by` of composite and sequence rules names them."""

from alerts.rules.facts import CATALOGUE
from alerts.rules.fingerprint import RuleError

HOMES = ("material", "measure")
"""Labels that decide the partition: a group without one would be spread over partitions.

An end use is none: it is assessed through each of its materials, where that material lives.
"""


def check_group(by: tuple[str, ...], *, on: str) -> None:
    """Check that a group names labels an entity kind has, one of which keeps it in a partition. Raise `RuleError`."""
    if not set(by) & set(HOMES):
        raise RuleError(field="by", detail=f"must hold one of {', '.join(HOMES)}: what is grouped must meet somewhere")
    for name in by:
        if name not in CATALOGUE[on] or CATALOGUE[on][name].type != "text":
            raise RuleError(field="by", detail=f"names {name!r}, which is no label of {on}")
