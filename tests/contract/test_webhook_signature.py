"""Our webhooks are Standard Webhooks: the library's own verifier accepts them, and nothing that was changed."""

from datetime import timedelta
from pathlib import Path

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from alerts.channels.secrets import SecretsError, SecretsFile
from alerts.channels.webhook import sign_notice
from streams.runtime.clock import utc_now

BODY = b'{"type":"alert.firing","data":{"summary":"\xe2\x82\xac"}}'


@pytest.fixture
def secret(tmp_path: Path) -> str:
    return SecretsFile(tmp_path / "secrets.json").keep("subscription-1")


def test_the_verifier_of_the_library_accepts_our_signature(secret: str) -> None:
    """Receivers use that library or one of its siblings."""
    headers = sign_notice(secret=secret, delivery="a-1.s-1", body=BODY, at=utc_now())
    assert Webhook(secret).verify(BODY, headers)["type"] == "alert.firing"
    assert headers["webhook-id"] == "a-1.s-1"


@pytest.mark.parametrize("change", ["body", "id", "old", "secret"])
def test_a_changed_notice_is_not_accepted(secret: str, change: str, tmp_path: Path) -> None:
    """That is what the signature is for."""
    at = utc_now() - (timedelta(minutes=6) if change == "old" else timedelta(0))
    headers = sign_notice(secret=secret, delivery="a-1.s-1", body=BODY, at=at)
    if change == "id":
        headers["webhook-id"] = "a-2.s-1"
    other = SecretsFile(tmp_path / "other.json").keep("x")
    with pytest.raises(WebhookVerificationError):
        Webhook(other if change == "secret" else secret).verify(BODY + b" " * (change == "body"), headers)


def test_the_secrets_file_is_for_its_owner_only(tmp_path: Path) -> None:
    """A secret that others can read signs nothing."""
    path = tmp_path / "keys" / "secrets.json"
    kept = SecretsFile(path).keep("s")
    assert kept.startswith("whsec_")
    assert SecretsFile(path).keep("s") == kept
    assert SecretsFile(path).find("t") is None
    assert path.stat().st_mode & 0o777 == 0o600
    path.chmod(0o644)
    with pytest.raises(SecretsError, match="chmod 600"):
        SecretsFile(path).find("s")
