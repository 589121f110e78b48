"""Garbage collection of a worker: rare, and never over what the imports left behind.

State lives in dictionaries of frozen structs, which the collector would walk again and again without finding a cycle.
Measured at 1,000 events/s through the road, two runs each: p99 from event to alert 72 and 93 ms with Python's
defaults, 66 and 61 ms without collection.
"""

import gc

YOUNG_ALLOCATIONS = 50_000
"""Allocations between two looks at the youngest objects (Python: 700); cycles are rare here, mostly in tracebacks."""


def configure_gc() -> None:
    """Set what is alive now aside for good and look at the rest rarely; called once, when all modules are imported."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_ALLOCATIONS, 20, 50)
