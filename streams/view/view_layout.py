"""How the read view lies in Redis: one position and three hashes for each stage and partition.

The position is written with the rows it stands for in one script, so a reader in one MULTI never sees rows of one
position under another. Everything here can be rebuilt from Kafka: Redis may be emptied at any time.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeAlias

import msgspec

from streams.contracts.alert import AlertChanged
from streams.contracts.assessments import MeasureAssessed, RiskAssessed
from streams.contracts.rule_sets import RuleSetStanding

DEFAULT_VIEW_PREFIX = "monazite"
HASHES = ("measures", "risks", "alerts")

Row: TypeAlias = MeasureAssessed | RiskAssessed | AlertChanged


@dataclass(frozen=True, kw_only=True, slots=True)
class ViewSlice:
    """What one partition of one stage shows, at one position.

    `position` is the offset of the last record it reflects; `clock_at` the partition's own now, `None` before the first
    record. `rule_set`: the rules in force, of the stage that has any. The keys name the entity: the measure, `risk_key`
    of an assessment, the fingerprint of an open alert.
    """

    position: int
    clock_at: datetime | None = None
    measures: dict[str, MeasureAssessed] = field(default_factory=dict)
    risks: dict[str, RiskAssessed] = field(default_factory=dict)
    alerts: dict[str, AlertChanged] = field(default_factory=dict)
    rule_set: RuleSetStanding | None = None

    def hashes(self) -> dict[str, dict[str, bytes]]:
        """Encode the rows, by hash and field."""
        rows: dict[str, Mapping[str, Row]] = {"measures": self.measures, "risks": self.risks, "alerts": self.alerts}
        return {name: {key: _encode(row) for key, row in found.items()} for name, found in rows.items()}


class Position(msgspec.Struct, frozen=True, kw_only=True):
    """Where one partition stands. `written_at` is the writer's clock, `clock_at` the partition's own now.

    `rule_set`: the rules in force in it, of the stage that has any.
    """

    stage: str
    partition: int
    position: int
    written_at: datetime
    clock_at: datetime | None = None
    lineage: str = ""
    rule_set: RuleSetStanding | None = None


_encode = msgspec.json.Encoder(order="deterministic").encode


def risk_key(assessed: RiskAssessed) -> str:
    """Return the key of the entity that a risk assessment is about: aspect, material, home and labels."""
    labels = ",".join(f"{name}={value}" for name, value in sorted(assessed.labels.items()))
    return f"{assessed.aspect}|{assessed.material}|{assessed.home or ''}|{labels}"


def position_key(prefix: str, *, stage: str, partition: int) -> str:
    """Return the Redis key of a position."""
    return f"{prefix}:view:{stage}:{partition}:position"


def hash_key(prefix: str, *, stage: str, partition: int, name: str) -> str:
    """Return the Redis key of a hash of rows."""
    return f"{prefix}:view:{stage}:{partition}:{name}"


WRITE_SCRIPT = """
-- KEYS: position, then one key a hash. ARGV: base ('' = replace all), position, position document, lineage,
-- then per hash: rows in all afterwards, fields to set, fields to delete, and these fields (name, value; name).
local stored = redis.call('HMGET', KEYS[1], 'position', 'lineage')
local same = stored[2] == ARGV[4]
if same and stored[1] and tonumber(ARGV[2]) < tonumber(stored[1]) then return 'older' end
local whole = ARGV[1] == ''
if not whole and not (same and stored[1] == ARGV[1]) then return 'rebuild' end
local at = 5
for i = 2, #KEYS do
  local total, sets, dels = tonumber(ARGV[at]), tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2])
  at = at + 3
  if whole then redis.call('DEL', KEYS[i]) end
  for _ = 1, sets do redis.call('HSET', KEYS[i], ARGV[at], ARGV[at + 1]); at = at + 2 end
  for _ = 1, dels do redis.call('HDEL', KEYS[i], ARGV[at]); at = at + 1 end
  if redis.call('HLEN', KEYS[i]) ~= total then return 'rebuild' end
end
redis.call('HSET', KEYS[1], 'position', ARGV[2], 'lineage', ARGV[4], 'document', ARGV[3])
return 'written'
"""
"""Writes a partition if it is not older than what is there. A change is refused with `rebuild` unless it is a change of
what is stored (base position, and row counts afterwards): after FLUSHALL, or another writer, all rows must be sent."""
