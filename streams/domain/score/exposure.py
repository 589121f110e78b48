"""Exposure: the score of a material spread along material -> component -> end use.

An edge says how much of a loss of its source reaches its target, 0..1. The exposure of a node through a material is
the score times the product of the edges along the path that carries most: `score * max over paths of prod(weights)`.
No weight is above 1, so the best path never visits a node twice: the search ends on cyclic graphs, values stay in 0..1,
and the path found explains the value exactly. Through several materials a node is exposed by the largest of them, so
that a threshold on the whole is a threshold on each.
"""

import heapq
from collections.abc import Iterable, Mapping

import msgspec


class Edge(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How much of a loss of `source` reaches `target`; `because` names a source, or says that it is our reading."""

    source: str
    target: str
    weight_ratio: float
    because: str

    def __post_init__(self) -> None:
        if not 0.0 < self.weight_ratio <= 1.0:
            raise ValueError(f"edge {self.source} -> {self.target}: a weight is above 0 and at most 1")
        if self.source == self.target:
            raise ValueError(f"edge {self.source} -> {self.target}: a node does not depend on itself")


class Exposure(msgspec.Struct, frozen=True, kw_only=True):
    """Exposure of a node through one material, 0..1, and the path that carries it, material first."""

    node: str
    exposure_ratio: float
    path: tuple[str, ...]


class ComponentGraph:
    """Edges by source, which nodes are end uses and which are materials (a material may also be a component).

    Raises `ValueError` for two edges between the same nodes.
    """

    def __init__(self, edges: Iterable[Edge], *, end_uses: Mapping[str, str], materials: Iterable[str]) -> None:
        self.end_uses = dict(end_uses)
        self._materials = tuple(materials)
        self._edges: dict[str, dict[str, Edge]] = {}
        for edge in edges:
            targets = self._edges.setdefault(edge.source, {})
            if edge.target in targets:
                raise ValueError(f"edge {edge.source} -> {edge.target} is there twice")
            targets[edge.target] = edge
        self._best: dict[str, dict[str, tuple[float, tuple[str, ...]]]] = {}
        self._reached: dict[str, tuple[Exposure, ...]] = {}
        self._reaching: dict[str, tuple[str, ...]] = {}

    def edge(self, source: str, target: str) -> Edge | None:
        """Return the edge between two nodes, `None` where there is none."""
        return self._edges.get(source, {}).get(target)

    def materials_of(self, end_use: str) -> tuple[str, ...]:
        """Return the materials from which an end use can be reached, sorted."""
        found = self._reaching.get(end_use)
        if found is None:
            found = tuple(sorted(name for name in self._materials if end_use in self._paths(name)))
            self._reaching[end_use] = found
        return found

    def reach(self, material: str) -> tuple[Exposure, ...]:
        """Return the exposure of every end use that a material reaches to a score of 1, sorted by end use."""
        found = self._reached.get(material)
        if found is None:
            found = self._reached[material] = tuple(
                Exposure(node=node, exposure_ratio=weight, path=path)
                for node, (weight, path) in sorted(self._paths(material).items())
                if node in self.end_uses
            )
        return found

    def exposures(self, material: str, *, score_ratio: float) -> tuple[Exposure, ...]:
        """Return the exposure of every end use that a material reaches, sorted by end use."""
        return tuple(
            Exposure(node=each.node, exposure_ratio=score_ratio * each.exposure_ratio, path=each.path)
            for each in self.reach(material)
        )

    def _paths(self, start: str) -> dict[str, tuple[float, tuple[str, ...]]]:
        """Return the best weight and path to every node; of equal ones the shorter path, then the first by name."""
        if start in self._best:
            return self._best[start]
        found: dict[str, tuple[float, tuple[str, ...]]] = {}
        waiting: list[tuple[float, int, tuple[str, ...]]] = [(-1.0, 1, (start,))]
        while waiting:
            weight, _, path = heapq.heappop(waiting)
            node = path[-1]
            if node in found:
                continue
            found[node] = (-weight, path)
            for target, edge in self._edges.get(node, {}).items():
                if target not in found:
                    heapq.heappush(waiting, (weight * edge.weight_ratio, len(path) + 1, (*path, target)))
        del found[start]
        self._best[start] = found
        return found
