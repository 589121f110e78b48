"""Load the weights and scales of the score from the one YAML that holds them."""

from functools import lru_cache

import msgspec
import yaml

from streams.domain.score.score_parameters import ScoreParameters
from streams.reference.loaders import read_text

PARAMETERS_FILE = "score_parameters.yaml"


def parse_score_parameters(text: str) -> ScoreParameters:
    """Read parameters; raises `ValueError` naming the field that is missing, unknown, out of range or out of order."""
    try:
        return msgspec.convert(yaml.safe_load(text), ScoreParameters)
    except (msgspec.ValidationError, yaml.YAMLError) as error:
        raise ValueError(f"score parameters: {error}") from error


@lru_cache(maxsize=1)
def load_score_parameters() -> ScoreParameters:
    """Return the shipped parameters."""
    return parse_score_parameters(read_text(PARAMETERS_FILE))
