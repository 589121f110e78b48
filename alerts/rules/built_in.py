"""Rules of the product itself: they are in no rule set and read no assessments."""

from alerts.lifecycle.evaluation import Timing
from alerts.rules.fingerprint import build_texts, content_hash
from alerts.rules.kinds.threshold import ThresholdRule
from alerts.rules.rule_specification import AnnotationSpec, ThresholdSpec


def built_in_rule(identity: str, *, on: str, annotations: AnnotationSpec, names: tuple[str, ...]) -> ThresholdRule:
    """Return the rule that alerts with this rule id belong to; `names` are the labels its texts may show."""
    spec = ThresholdSpec.model_validate(
        {
            "id": identity,
            "kind": "threshold",
            "on": "source",
            "when": "true",
            "severity": "warning",
            "annotations": annotations,
        }
    )
    return ThresholdRule(
        id=identity,
        hash=content_hash(spec),
        on=on,
        labels={},
        timing=Timing(),
        limit=spec.limit,
        spec=spec,
        texts=build_texts(annotations, on=None, more=names),
        resolve_when=None,
        occasion=(),
        shown=(),
        limits=None,
        when=None,
        level=None,
    )
