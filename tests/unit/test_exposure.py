"""Exposure over the component graph: the path that explains it, and graphs that are refused."""

from math import isclose

import pytest

from streams.domain.score.exposure import ComponentGraph, Edge
from streams.reference.component_graph import load_component_graph, parse_graph, slug

GRAPH = load_component_graph()


def edge(source: str, target: str, weight: float = 0.5) -> Edge:
    return Edge(source=source, target=target, weight_ratio=weight, because="test")


def graph(*edges: Edge) -> ComponentGraph:
    return ComponentGraph(edges, end_uses={"end": "End", "other": "Other"}, materials=("metal", "oxide"))


def test_dysprosium_reaches_motors_missiles_and_turbines_through_its_magnets() -> None:
    """Each value comes with the path that explains it."""
    found = {each.node: each for each in GRAPH.exposures("dysprosium", score_ratio=0.8)}
    magnets = ("dysprosium", "heavy-rare-earth-magnets")
    assert found["electric-vehicle-motors"].path == (*magnets, "traction-motors", "electric-vehicle-motors")
    assert found["missile-guidance"].path == (*magnets, "fin-actuators", "missile-guidance")
    assert found["wind-turbines"].path == (*magnets, "wind-generators", "wind-turbines")
    assert isclose(found["electric-vehicle-motors"].exposure_ratio, 0.8 * 0.8)


def test_use_shares_of_the_study_are_edges_unless_the_file_says_better() -> None:
    """43% of antimony goes into flame retardants; gallium in integrated circuits at 70%; "other" is no end use."""
    found = {each.node: each.exposure_ratio for each in GRAPH.exposures("antimony", score_ratio=1.0)}
    assert isclose(found["flame-retardants"], 0.43)
    share = GRAPH.edge("samarium", "samarium-cobalt-magnets")
    assert share is not None
    assert share.because.startswith("our reading")
    assert "other" not in GRAPH.end_uses
    assert "others" not in GRAPH.end_uses
    praseodymium = {each.node: each.exposure_ratio for each in GRAPH.exposures("praseodymium", score_ratio=1.0)}
    assert isclose(praseodymium["polishing-powders"], 0.04), "listed under two sectors at 2% each"


def test_an_end_use_names_the_materials_it_depends_on() -> None:
    """Five ways into a missile."""
    assert set(GRAPH.materials_of("missile-guidance")) >= {"dysprosium", "samarium", "terbium"}
    assert GRAPH.materials_of("night-vision") == ("germanium",)


def test_the_path_that_carries_most_counts_and_of_equals_the_shorter() -> None:
    """A direct edge of 0.25 equals two of 0.5; the shorter story is told."""
    found = graph(edge("metal", "part"), edge("part", "end"), edge("metal", "end", 0.25)).exposures(
        "metal", score_ratio=1.0
    )
    assert [(each.node, each.exposure_ratio, each.path) for each in found] == [("end", 0.25, ("metal", "end"))]


def test_a_cyclic_graph_ends() -> None:
    """Recycled magnets are a source of what they were made of."""
    cyclic = graph(edge("metal", "part", 0.9), edge("part", "metal", 1.0), edge("part", "end", 1.0))
    assert [each.exposure_ratio for each in cyclic.exposures("metal", score_ratio=0.5)] == [0.45]
    assert cyclic.materials_of("end") == ("metal",)


def test_a_material_that_reaches_nothing_exposes_nothing() -> None:
    """No edge is no answer about end uses, and no error."""
    assert graph(edge("metal", "end")).exposures("oxide", score_ratio=1.0) == ()
    assert graph(edge("metal", "end")).edge("oxide", "end") is None


@pytest.mark.parametrize("weight", [0.0, 1.1])
def test_a_weight_out_of_range_is_refused(weight: float) -> None:
    """A weight above 1 would make a cycle grow for ever."""
    with pytest.raises(ValueError, match="weight"):
        edge("metal", "end", weight)


def test_a_loop_at_one_node_and_an_edge_told_twice_are_refused() -> None:
    """Both are slips of the pen in the file."""
    with pytest.raises(ValueError, match="itself"):
        edge("metal", "metal")
    with pytest.raises(ValueError, match="twice"):
        graph(edge("metal", "end"), edge("metal", "end"))


def test_a_graph_file_that_is_none_is_refused_with_the_field() -> None:
    """The loader names what is wrong."""
    with pytest.raises(ValueError, match="edges"):
        parse_graph("end_uses: {}", uses=[])
    with pytest.raises(ValueError, match="component graph"):
        parse_graph("end_uses: [", uses=[])


def test_ids_of_applications_are_words_joined_by_hyphens() -> None:
    """They are entity ids on the log."""
    assert slug("Metal (excl. Batteries)") == "metal-excl-batteries"
    assert slug("Glass & ceramics") == "glass-and-ceramics"
