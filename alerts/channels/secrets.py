"""Signing secrets in a local file that only its owner may read; they never travel on a topic."""

import base64
import os
import secrets
import tempfile
from pathlib import Path

import msgspec

_BYTES = 32
"""Standard Webhooks asks for 24 to 64 bytes."""


class SecretsError(RuntimeError):
    """The secrets file cannot be used; the message says what to do."""


class SecretsFile:
    """Secrets by name, as JSON in a file of mode 0600."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def _read(self) -> dict[str, str]:
        if not self._path.exists():
            return {}
        mode = self._path.stat().st_mode & 0o777
        if mode & 0o077:
            raise SecretsError(f"{self._path} may be read by others (mode {mode:o}): chmod 600 it")
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=dict[str, str])
        except msgspec.MsgspecError as error:
            raise SecretsError(f"{self._path} is no JSON object of texts: {error}") from error

    def find(self, name: str) -> str | None:
        """Return a secret (`whsec_...`), `None` where there is none of the name. Raise `SecretsError`."""
        return self._read().get(name)

    def keep(self, name: str, secret: str | None = None) -> str:
        """Keep a secret under a name and return it; made when `None` is given and none is kept yet."""
        kept = self._read()
        if secret is None and name in kept:
            return kept[name]
        kept[name] = secret or f"whsec_{base64.b64encode(secrets.token_bytes(_BYTES)).decode()}"
        self._path.parent.mkdir(parents=True, exist_ok=True)
        # written beside and moved into place (mode 0600 from mkstemp), so that a reader never sees half of it
        handle, name_beside = tempfile.mkstemp(dir=self._path.parent, prefix=".secrets-")
        with os.fdopen(handle, "wb") as out:
            out.write(msgspec.json.encode(kept))
        Path(name_beside).replace(self._path)
        return kept[name]
