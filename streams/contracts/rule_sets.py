"""Which rule set holds in a partition, and which applied one is refused: what state, view and commands share."""

from datetime import datetime
from typing import Literal

import msgspec


class RefusedRuleSet(msgspec.Struct, frozen=True, kw_only=True, tag="refused_rules"):
    """A rule set that was applied and that this version of the program does not take: whose, since when, and why."""

    content_hash: str
    by: str
    at: datetime
    reason: str


class RuleSetStanding(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The rules in force in one partition.

    `source`: `shipped` (none was applied), `applied`, or `previous`, the one before a set that is refused. `by` and
    `at` are of its directive, `None` for the shipped one. `refused` is the set applied last, where it is not in force.
    """

    source: Literal["shipped", "applied", "previous"]
    content_hash: str
    rule_count: int
    by: str | None = None
    at: datetime | None = None
    refused: RefusedRuleSet | None = None
