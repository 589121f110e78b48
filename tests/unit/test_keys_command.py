"""`monazite keys create`: a key that could do nothing is not made."""

from pathlib import Path

from typer.testing import CliRunner

from deploy.cli.main import app
from producers.gateway.keys import KeyFile


def test_a_scope_that_does_not_exist_is_refused_and_no_key_is_made(tmp_path: Path) -> None:
    """A misspelt scope would be found out only by the first request that is refused."""
    kept = tmp_path / "keys.json"
    answer = CliRunner().invoke(app, ["keys", "create", "--scope", "event:write", "--key-file", str(kept)])
    assert answer.exit_code == 2
    assert "there is no scope event:write" in answer.stderr
    assert "--scope events:write" in answer.stderr
    assert not kept.exists()


def test_a_key_of_a_known_scope_is_made_and_kept(tmp_path: Path) -> None:
    """The scope that the refusal names is one that works."""
    kept = tmp_path / "keys.json"
    answer = CliRunner().invoke(app, ["keys", "create", "--scope", "events:write", "--key-file", str(kept)])
    assert answer.exit_code == 0
    assert [record.scopes for record in KeyFile(kept).records().values()] == [("events:write",)]
