"""The alert about a stalled input: time goes on without it. Emitted when it stalls and when it is back."""

from collections.abc import Iterable, Iterator

from alerts.lifecycle.advance import FIRING_STATES
from alerts.lifecycle.evaluation import Alert, Evaluation, Level, Verdict
from alerts.rules.built_in import built_in_rule
from alerts.rules.fingerprint import fingerprint_of
from alerts.rules.kinds.threshold import ThresholdRule
from alerts.rules.rule_specification import AnnotationSpec
from alerts.rules.ruleset import INPUT_STALLED

HOME_PARTITION = 0
"""Every partition sees the same statements; this one speaks of them."""
_LEVEL = Level(step="stalled", severity="warning", rank=1)


def input_stalled_rule() -> ThresholdRule:
    """Return the rule that alerts about stalled inputs belong to; it is in no set and reads no assessments."""
    texts = AnnotationSpec(
        summary="Nothing is read of the input {input}: time goes on without it.",
        description="Deadlines and timers are kept, but what comes by this input is late until it is read again.",
        runbook="deploy/runbooks/input-stalled.md",
    )
    return built_in_rule(INPUT_STALLED, on="input", annotations=texts, names=("input",))


INPUT_STALLED_RULE = input_stalled_rule()


class StalledInputs:
    """Which inputs are known to be stalled; read off the alerts about them."""

    def __init__(self, alerts: Iterable[Alert]) -> None:
        known = (a for a in alerts if a.rule == INPUT_STALLED and a.state in FIRING_STATES)
        self._known = {alert.labels["input"] for alert in known}

    def changes(self, stalled: Iterable[str]) -> Iterator[tuple[Alert, Evaluation]]:
        """Give, for each input that stalled or is back, its alert as it is without history, and what now holds."""
        now = set(stalled)
        for name in sorted(now ^ self._known):
            labels = {"input": name}
            blank = Alert(fingerprint=fingerprint_of(INPUT_STALLED, labels), rule=INPUT_STALLED, labels=labels)
            yield blank, _evaluation(name, stalls=name in now)
        self._known = now


def _evaluation(name: str, *, stalls: bool) -> Evaluation:
    if not stalls:
        return Evaluation(verdict=Verdict.CLEAR)
    return Evaluation(
        verdict=Verdict.MET, level=_LEVEL, occasion="stalled", texts=INPUT_STALLED_RULE.texts.render({"input": name})
    )
