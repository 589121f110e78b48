"""Published methods, one module each: pure functions with the symbols of the paper or law, units and citation.

Each takes plain numbers and returns a frozen result. A missing input (`None`) gives a result whose value is `None` and
whose `missing` names what is missing; a figure that cannot be (a negative mass, a share over 1) raises `FieldError`
with the field and the reason.
"""

from streams.domain.methods.concentration import Concentration, concentration
from streams.domain.methods.eu_criticality import EuSupplyRisk, bottleneck, supply_risk
from streams.domain.methods.ewma_volatility import EwmaVolatility, ewma_volatility
from streams.domain.methods.geopolrisk import GeoPolRisk, geopolrisk
from streams.domain.methods.import_reliance import ImportReliance, import_reliance
from streams.domain.methods.risk_exposure_index import NodeExposure, risk_exposure_index
from streams.domain.methods.time_to_survive import TimeToSurvive, time_to_survive
from streams.domain.methods.usgs_disruption import UsgsSupplyRisk, usgs_supply_risk

__all__ = [
    "Concentration",
    "EuSupplyRisk",
    "EwmaVolatility",
    "GeoPolRisk",
    "ImportReliance",
    "NodeExposure",
    "TimeToSurvive",
    "UsgsSupplyRisk",
    "bottleneck",
    "concentration",
    "ewma_volatility",
    "geopolrisk",
    "import_reliance",
    "risk_exposure_index",
    "supply_risk",
    "time_to_survive",
    "usgs_supply_risk",
]
