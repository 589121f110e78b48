"""Properties of exposure on any graph, cyclic ones included."""

from itertools import pairwise
from math import isclose, prod

from hypothesis import given
from hypothesis import strategies as st

from streams.domain.score.exposure import ComponentGraph, Edge

NODES = st.sampled_from([f"n{i}" for i in range(7)])


@st.composite
def graphs(draw: st.DrawFn) -> ComponentGraph:
    """Draw a graph over seven nodes, mostly cyclic; every node is an end use and a material."""
    pairs = draw(st.lists(st.tuples(NODES, NODES).filter(lambda p: p[0] != p[1]), unique=True, max_size=25))
    weights = [draw(st.floats(0.01, 1.0)) for _ in pairs]
    edges = [
        Edge(source=s, target=t, weight_ratio=w, because="drawn") for (s, t), w in zip(pairs, weights, strict=True)
    ]
    names = {f"n{i}": f"n{i}" for i in range(7)}
    return ComponentGraph(edges, end_uses=names, materials=names)


@given(graphs(), NODES, st.floats(0.0, 1.0))
def test_values_stay_in_range_and_are_what_their_path_says(graph: ComponentGraph, start: str, score: float) -> None:
    """Propagation ends, no exposure exceeds the score, and the product along the listed path gives it."""
    for each in graph.exposures(start, score_ratio=score):
        assert 0.0 <= each.exposure_ratio <= score
        assert (each.path[0], each.path[-1]) == (start, each.node)
        assert len(set(each.path)) == len(each.path)
        weights = [found.weight_ratio for a, b in pairwise(each.path) if (found := graph.edge(a, b))]
        assert isclose(each.exposure_ratio, score * prod(weights), abs_tol=1e-12)


@given(graphs(), NODES, st.floats(0.0, 1.0), st.floats(0.0, 1.0))
def test_a_higher_score_never_lowers_an_exposure(graph: ComponentGraph, start: str, a: float, b: float) -> None:
    """Exposure is monotone in the score."""
    low, high = sorted((a, b))
    below, above = graph.exposures(start, score_ratio=low), graph.exposures(start, score_ratio=high)
    assert all(x.exposure_ratio <= y.exposure_ratio for x, y in zip(below, above, strict=True))
