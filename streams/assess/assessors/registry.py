"""The assessors of the assess core, in the order in which they are asked about one event."""

from streams.assess.assessors.assessor import Assessor
from streams.assess.assessors.capacity_assessor import Capacity
from streams.assess.assessors.cover_assessor import Cover
from streams.assess.assessors.dependency_assessor import DependencySubject
from streams.assess.assessors.price_assessor import Prices
from streams.assess.assessors.score_assessor import Scores
from streams.assess.assessors.standards_assessor import Standards
from streams.assess.assessors.trade_assessor import Trade

ASSESSORS: tuple[Assessor, ...] = (
    Prices(),
    Capacity(),
    Trade(),
    DependencySubject(),
    Cover(),
    Standards(),
    Scores(),
)
"""Policy, directives and ticks are the core's own. A score stands last: it reads what the others have written."""
