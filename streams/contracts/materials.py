"""The one table of materials and their groups: what a `material` on any event may be.

A *material* is what prices, capacity and scores are kept for. A *group* is a name that expands to materials; policy
instruments name groups ("all rare earths"), and an alert subscription may name one too. Some materials are traded or
counted only as a mixture (`neodymium-praseodymium`, `rare-earth-oxides`); they are materials of their own, because
splitting them would invent figures.
"""

from collections.abc import Iterable, Mapping
from types import MappingProxyType

LIGHT_RARE_EARTHS = ("lanthanum", "cerium", "praseodymium", "neodymium", "promethium", "samarium")
HEAVY_RARE_EARTHS = (
    "europium",
    "gadolinium",
    "terbium",
    "dysprosium",
    "holmium",
    "erbium",
    "thulium",
    "ytterbium",
    "lutetium",
    "yttrium",
)
RARE_EARTHS = (*LIGHT_RARE_EARTHS, *HEAVY_RARE_EARTHS, "scandium")

_SYMBOLS = {
    "scandium": "Sc",
    "yttrium": "Y",
    "lanthanum": "La",
    "cerium": "Ce",
    "praseodymium": "Pr",
    "neodymium": "Nd",
    "promethium": "Pm",
    "samarium": "Sm",
    "europium": "Eu",
    "gadolinium": "Gd",
    "terbium": "Tb",
    "dysprosium": "Dy",
    "holmium": "Ho",
    "erbium": "Er",
    "thulium": "Tm",
    "ytterbium": "Yb",
    "lutetium": "Lu",
    "gallium": "Ga",
    "germanium": "Ge",
    "antimony": "Sb",
    "tungsten": "W",
    "tellurium": "Te",
    "bismuth": "Bi",
    "molybdenum": "Mo",
    "indium": "In",
    "tantalum": "Ta",
    "neodymium-praseodymium": "NdPr",
    "dysprosium-terbium": "Dy+Tb",
    "rare-earth-oxides": "REO",
    "samarium-cobalt-magnets": "SmCo",
    "neodymium-magnets": "NdFeB",
}
_OTHERS = (
    "gallium",
    "germanium",
    "antimony",
    "tungsten",
    "tellurium",
    "bismuth",
    "molybdenum",
    "indium",
    "tantalum",
    "natural-graphite",
    "artificial-graphite",
    "superhard-materials",
    "neodymium-praseodymium",
    "dysprosium-terbium",
    "rare-earth-oxides",
    "mischmetal",
    "neodymium-magnets",
    "samarium-cobalt-magnets",
    "heavy-rare-earth-magnets",
    "lithium-ion-batteries",
    "lithium-iron-phosphate-cathode",
    "rare-earth-equipment",
    "rare-earth-auxiliary-materials",
    "rare-earth-technology",
    "rare-earth-items-abroad",
)

MATERIALS: Mapping[str, str | None] = MappingProxyType({m: _SYMBOLS.get(m) for m in (*RARE_EARTHS, *_OTHERS)})
"""Material id to its usual symbol; `None` where there is none."""

GROUPS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "rare-earths": RARE_EARTHS,
        "light-rare-earths": LIGHT_RARE_EARTHS,
        "heavy-rare-earths": HEAVY_RARE_EARTHS,
        "graphite": ("natural-graphite", "artificial-graphite"),
        "rare-earth-magnets": ("neodymium-magnets", "samarium-cobalt-magnets", "heavy-rare-earth-magnets"),
        "all-dual-use": tuple(MATERIALS),
    }
)
"""Group id to the materials it stands for."""


def is_known(name: str) -> bool:
    """Tell whether `name` is a material or a group."""
    return name in MATERIALS or name in GROUPS


def expand(names: Iterable[str]) -> tuple[str, ...]:
    """Replace groups by their materials, each material once, in the order of the table.

    Raises `KeyError` with the name that is neither a material nor a group.
    """
    chosen: set[str] = set()
    for name in names:
        chosen.update(GROUPS.get(name, (name,)))
        if name not in GROUPS and name not in MATERIALS:
            raise KeyError(name)
    return tuple(m for m in MATERIALS if m in chosen)
