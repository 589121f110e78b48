"""Where a price basis is: in China, outside it, or at a place that the basis does not name."""

import re
from enum import StrEnum
from functools import lru_cache


class QuotePlace(StrEnum):
    """Side of China's border on which a price is quoted."""

    CHINA = "china"
    OUTSIDE = "outside"
    UNNAMED = "unnamed"


_CHINA = re.compile(
    r"\b(china|chinese|baotou|ganzhou|shanghai|tianjin|guangzhou|qingdao|ningbo|beijing|sichuan|jiangxi|hunan"
    r"|inner mongolia)\b",
    re.IGNORECASE,
)
_NOT_CHINA = re.compile(r"\b(outside|excluding|excl\.?|non)[- ]+(of )?(china|chinese)\b", re.IGNORECASE)
_NO_PLACE = re.compile(
    r"^\W*(?:(?:fob|cif|cfr|cip|cpt|fca|fas|dap|ddp|dat|exw|ex[- ]works|delivered|spot|domestic|export|import|"
    r"in warehouse|global|world(?:wide)?|international|unstated|unknown|made up|annual|average|mean)\b\W*)*$",
    re.IGNORECASE,
)


@lru_cache(maxsize=1024)
def place_of(basis: str) -> QuotePlace:
    """Return where a basis is. A bare delivery term ("FOB"), "global" and the like name no place."""
    if _NOT_CHINA.search(basis):
        return QuotePlace.OUTSIDE
    if _CHINA.search(basis):
        return QuotePlace.CHINA
    return QuotePlace.UNNAMED if _NO_PLACE.match(basis) else QuotePlace.OUTSIDE
