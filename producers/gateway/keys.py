"""API keys: made of 256 random bits, stored only as a hash, with scopes and an expiry.

A key reads `mzk_<id>_<secret>`. SHA-256 is enough for a secret of 256 random bits: there is nothing to guess that a
slow hash would protect, and every request pays for it.
"""

import hashlib
import hmac
import os
import secrets
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Protocol

import msgspec

PREFIX = "mzk"
FILE_MODE = 0o600


class Scope(StrEnum):
    """What a key allows."""

    EVENTS = "events"
    DIRECTIVES = "directives"
    READ = "read"


class KeyRefusal(StrEnum):
    """Why a key is not accepted."""

    MISSING = "missing"
    MALFORMED = "malformed"
    UNKNOWN = "unknown"
    EXPIRED = "expired"
    REVOKED = "revoked"


class StoredKey(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A key as it is stored: `secret_sha256` in hexadecimal; `expires_at` `None` never ends."""

    id: str
    secret_sha256: str
    scopes: tuple[Scope, ...]
    created_at: datetime
    expires_at: datetime | None = None
    revoked_at: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class CreatedKey:
    """A new key; `key` is shown once and cannot be had again."""

    id: str
    key: str


class KeyChecker(Protocol):
    """Says who an `Authorization` header belongs to."""

    def check(self, header: str | None, *, at: datetime) -> StoredKey | KeyRefusal:
        """Return the key, or why it is not accepted."""


def create_key(path: Path, *, scopes: Iterable[Scope], at: datetime, expires_at: datetime | None = None) -> CreatedKey:
    """Add a key to the file, which is made with mode 0600 where it does not exist."""
    key_id, secret = secrets.token_hex(6), secrets.token_urlsafe(32)
    stored = StoredKey(
        id=key_id, secret_sha256=_digest(secret), scopes=tuple(scopes), created_at=at, expires_at=expires_at
    )
    if not stored.scopes:
        raise ValueError("a key needs at least one scope: " + ", ".join(Scope))
    _write(path, [*list_keys(path), stored])
    return CreatedKey(id=key_id, key=f"{PREFIX}_{key_id}_{secret}")


def list_keys(path: Path) -> list[StoredKey]:
    """Return the stored keys, oldest first; no file is no keys. Raises `ValueError` for a file that is none of ours."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=list[StoredKey])
    except FileNotFoundError:
        return []
    except msgspec.MsgspecError as error:
        raise ValueError(f"{path} is no key file: {error}") from error


def revoke_key(path: Path, key_id: str, *, at: datetime) -> bool:
    """Revoke a key at once; returns `False` where there is none with this id or it was revoked before."""
    keys = list_keys(path)
    changed = [
        msgspec.structs.replace(key, revoked_at=at) if key.id == key_id and key.revoked_at is None else key
        for key in keys
    ]
    if changed == keys:
        return False
    _write(path, changed)
    return True


class KeyFile:
    """Checks keys against a file, which it reads again when it has changed: new and revoked keys count at once."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._version: tuple[int, int] | None = None
        self._keys: dict[str, StoredKey] = {}

    def check(self, header: str | None, *, at: datetime) -> StoredKey | KeyRefusal:
        """Return the key of an `Authorization` header, or why it is not accepted."""
        if not header:
            return KeyRefusal.MISSING
        scheme, _, key = header.partition(" ")
        parts = key.strip().split("_", 2)
        if scheme.lower() != "bearer" or len(parts) != 3 or parts[0] != PREFIX:
            return KeyRefusal.MALFORMED
        stored = self._load().get(parts[1])
        # An unknown id costs the same comparison as a wrong secret.
        expected = stored.secret_sha256 if stored else _digest("")
        if not hmac.compare_digest(_digest(parts[2]), expected) or stored is None:
            return KeyRefusal.UNKNOWN
        if stored.revoked_at is not None:
            return KeyRefusal.REVOKED
        if stored.expires_at is not None and stored.expires_at <= at:
            return KeyRefusal.EXPIRED
        return stored

    def _load(self) -> dict[str, StoredKey]:
        try:
            status = self._path.stat()
        except FileNotFoundError:
            return {}
        version = (status.st_mtime_ns, status.st_ino)
        if version != self._version:
            self._keys = {key.id: key for key in list_keys(self._path)}
            self._version = version
        return self._keys


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()


def _write(path: Path, keys: Sequence[StoredKey]) -> None:
    """Replace the file as a whole, so that a reader never sees half of it; mkstemp makes it with mode 0600."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=path.name)
    with os.fdopen(handle, "wb") as file:
        file.write(msgspec.json.format(msgspec.json.encode(keys), indent=1))
        file.flush()
        os.fsync(file.fileno())
    Path(name).chmod(FILE_MODE)
    Path(name).replace(path)
