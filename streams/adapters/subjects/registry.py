"""The subjects of the assess core, in the order in which they are asked about one event."""

from streams.adapters.subjects.capacity import Capacity
from streams.adapters.subjects.cover import Cover
from streams.adapters.subjects.dependency import DependencySubject
from streams.adapters.subjects.prices import Prices
from streams.adapters.subjects.score import Scores
from streams.adapters.subjects.standards import Standards
from streams.adapters.subjects.subject import Subject
from streams.adapters.subjects.trade import Trade

SUBJECTS: tuple[Subject, ...] = (
    Prices(),
    Capacity(),
    Trade(),
    DependencySubject(),
    Cover(),
    Standards(),
    Scores(),
)
"""Policy, directives and ticks are the core's own. A score stands last: it reads what the others have written."""
