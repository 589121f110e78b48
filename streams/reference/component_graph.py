"""Load the component graph: the edges of the YAML, and the use shares of the EU study as edges to applications.

The study says which share of a material goes into an application. It is read as: of a loss of the material this share
falls on that application. "Other" uses are no end use; shares of 0% carry nothing; one application that the study
lists under two sectors is one node.
"""

import re
from functools import lru_cache

import msgspec
import yaml

from streams.contracts.materials import MATERIALS
from streams.domain.score.exposure import ComponentGraph, Edge
from streams.reference.loaders import load_table, read_text

GRAPH_FILE = "component_graph.yaml"
STUDY = "EC study on critical raw materials for the EU 2023, use shares (CC BY 4.0)"
_NO_USE = frozenset({"other", "others"})


class GraphFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The YAML: end uses by id with their name, which node an application of the study means, and edges."""

    end_uses: dict[str, str]
    applications: dict[str, str] = {}
    edges: tuple[Edge, ...]


def parse_graph(text: str, *, uses: list[dict[str, str]]) -> ComponentGraph:
    """Read a graph; `uses` are rows of the study's table. Raises `ValueError` naming what is wrong."""
    try:
        file = msgspec.convert(yaml.safe_load(text), GraphFile)
    except (msgspec.ValidationError, yaml.YAMLError) as error:
        raise ValueError(f"component graph: {error}") from error
    given = {(edge.source, edge.target) for edge in file.edges}
    end_uses = dict(file.end_uses)
    shares: dict[tuple[str, str], float] = {}
    for row in uses:
        application = row["Application"].strip()
        named = file.applications.get(f"{row['Material']}/{application}") or file.applications.get(application)
        node = named or slug(application)
        share = float(row["Share"].rstrip("%")) / 100
        edge = (row["Material"].lower(), node)
        if node in _NO_USE or share == 0 or edge in given:
            continue
        shares[edge] = min(1.0, shares.get(edge, 0.0) + share)
        if named is None:
            end_uses.setdefault(node, application)
    studied = [Edge(source=s, target=t, weight_ratio=share, because=STUDY) for (s, t), share in shares.items()]
    return ComponentGraph([*file.edges, *studied], end_uses=end_uses, materials=MATERIALS)


def slug(application: str) -> str:
    """Return the id of an application: lower case, words joined by a hyphen, "and" for "&"."""
    return re.sub(r"[^a-z0-9]+", "-", application.lower().replace("&", "and")).strip("-")


@lru_cache(maxsize=1)
def load_component_graph() -> ComponentGraph:
    """Return the shipped graph."""
    return parse_graph(read_text(GRAPH_FILE), uses=load_table("eu2023_use_shares"))
