"""API keys: 256 random bits, kept as a hash, with scopes and an expiry.

A key is `mzk_<id>_<secret>`. The secret is random and long, so one SHA-256 is enough (a slow hash protects guessable
passwords, which these are not). The file is readable by its owner alone.
"""

import hashlib
import hmac
import os
import secrets
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path

import msgspec

SCOPE = "events:write"
_PREFIX = "mzk"


class KeyRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What is kept of a key: never the key. `expires_at` `None` never expires."""

    id: str
    hash: str
    scopes: tuple[str, ...]
    created_at: datetime
    expires_at: datetime | None = None
    revoked_at: datetime | None = None


class KeyVerdict(StrEnum):
    """Why a key may or may not be used."""

    GRANTED = "granted"
    MISSING = "missing"
    UNKNOWN = "unknown"
    REVOKED = "revoked"
    EXPIRED = "expired"
    WRONG_SCOPE = "wrong_scope"


class KeyFile:
    """The keys of one gateway in a JSON file; read again when it changes."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read_at_ns = -1
        self._records: dict[str, KeyRecord] = {}

    def records(self) -> dict[str, KeyRecord]:
        """Return the keys by id; empty where there is no file yet."""
        try:
            changed_ns = self._path.stat().st_mtime_ns
        except FileNotFoundError:
            return {}
        if changed_ns != self._read_at_ns:
            found = msgspec.json.decode(self._path.read_bytes(), type=list[KeyRecord])
            self._records = {record.id: record for record in found}
            self._read_at_ns = changed_ns
        return self._records

    def create(self, *, scopes: tuple[str, ...], at: datetime, lifetime: timedelta | None) -> tuple[KeyRecord, str]:
        """Make a key and return its record and the key itself, which is shown this once."""
        record_id, secret = secrets.token_hex(6), secrets.token_urlsafe(32)
        record = KeyRecord(
            id=record_id,
            hash=_hash(secret),
            scopes=scopes,
            created_at=at,
            expires_at=at + lifetime if lifetime is not None else None,
        )
        self._write({**self.records(), record_id: record})
        return record, f"{_PREFIX}_{record_id}_{secret}"

    def revoke(self, key_id: str, *, at: datetime) -> KeyRecord:
        """Revoke a key; raises `KeyError` for one that is not there."""
        record = msgspec.structs.replace(self.records()[key_id], revoked_at=at)
        self._write({**self.records(), key_id: record})
        return record

    def _write(self, records: dict[str, KeyRecord]) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        part = self._path.with_suffix(".part")
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as out:
            out.write(msgspec.json.format(msgspec.json.encode(list(records.values()))))
        part.replace(self._path)
        self._read_at_ns = -1


def decide_access(header: str | None, records: dict[str, KeyRecord], *, scope: str, at: datetime) -> KeyVerdict:
    """Decide whether the `Authorization` header grants `scope`; the compare takes the same time right or wrong."""
    scheme, _, key = (header or "").partition(" ")
    parts = key.split("_", 2)
    if scheme.lower() != "bearer" or len(parts) != 3 or parts[0] != _PREFIX:
        return KeyVerdict.MISSING
    record = records.get(parts[1])
    matches = hmac.compare_digest(_hash(parts[2]), record.hash if record else _hash(""))
    if record is None or not matches:
        return KeyVerdict.UNKNOWN
    if record.revoked_at is not None:
        return KeyVerdict.REVOKED
    if record.expires_at is not None and at >= record.expires_at:
        return KeyVerdict.EXPIRED
    return KeyVerdict.GRANTED if scope in record.scopes else KeyVerdict.WRONG_SCOPE


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
