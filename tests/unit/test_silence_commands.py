"""`monazite silences` and `alerts ack`: what is refused, and with which words."""

from datetime import UTC, datetime, timedelta

import pytest
from typer.testing import CliRunner

from alerts.notify.directive_requests import build_silence
from deploy.cli.main import app
from deploy.cli.silences_command import silence_id, state_of
from streams.contracts.directive import DirectiveGiven, Silence

T0 = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["dysprosium"], "is no matcher"),
        (["material="], "is no matcher"),
        (["material=a", "material=b"], "to equal both"),
        (["material=a", "--for", "soon"], "is no duration"),
        (["material=a", "--for", "0h"], "no time at all"),
        (["material=a", "--from", "2026-01-01"], "no instant with an offset"),
    ],
)
def test_a_silence_that_could_mean_something_else_is_refused(words: list[str], says: str) -> None:
    """A silence that is too wide hides the alert that matters."""
    answer = CliRunner().invoke(app, ["silences", "add", *words])
    assert answer.exit_code == 2
    assert says in " ".join(answer.stderr.split())


def test_a_silence_is_pending_active_over_or_expired() -> None:
    """Its start is included, its end is not, as in the decision who is told."""
    silence = Silence(matchers={"rule": "r"}, starts_at=T0, ends_at=T0 + HOUR, by="ada")
    given = build_silence(silence, target="s")
    states = [state_of(given, now=T0 + HOUR * hours) for hours in (-1, 0, 1)]
    assert states == ["pending", "active", "over"]
    assert state_of(DirectiveGiven(kind="silence", target="s", by="ada", withdrawn=True), now=T0) == "expired"


def test_asking_twice_for_the_same_silence_is_asking_once() -> None:
    """The order of labels is not part of what is asked."""
    one = Silence(matchers={"a": "1", "b": "2"}, starts_at=T0, ends_at=T0 + HOUR, by="ada")
    two = Silence(matchers={"b": "2", "a": "1"}, starts_at=T0, ends_at=T0 + HOUR, by="bob")
    three = Silence(matchers={"a": "1", "b": "2"}, starts_at=T0, ends_at=T0 + 2 * HOUR, by="ada")
    assert silence_id(one) == silence_id(two) != silence_id(three)


def test_an_acknowledgement_needs_a_console_that_answers() -> None:
    """Taking an alert that is not there would be a lie told to the next person."""
    answer = CliRunner().invoke(app, ["alerts", "ack", "abc", "--console-url", "http://127.0.0.1:1"])
    assert answer.exit_code == 1
    assert "does not answer" in " ".join(answer.stderr.split())
