"""Risk exposure index: which node of a supply chain costs most when it stops.

Simchi-Levi, Schmidt, Wei, Zhang, Combs, Ge, Gusikhin, Sanders, Zhang 2015, "Identifying risks and mitigating
disruptions in the automotive supply chain", Interfaces 45(5), 375-390. The performance impact `PI` of a node is what
is lost while it recovers (`TTR`) beyond what stock survives (`TTS`); `REI = PI / max PI`, 0..1. The paper finds the
loss by a linear programme over the whole network; here a node is taken alone, `PI = loss per day * max(0, TTR - TTS)`.
"""

from collections.abc import Sequence

import msgspec

from streams.domain.methods.inputs import check_known, missing_of


class Node(msgspec.Struct, frozen=True, kw_only=True):
    """A node: what a day without it costs (in any one currency or unit), and its TTR and TTS in days."""

    node: str
    loss_per_day: float | None
    time_to_recover_days_count: float | None
    time_to_survive_days_count: float | None


class NodeExposure(msgspec.Struct, frozen=True, kw_only=True):
    """Impact of a node in the unit of its loss, and its index 0..1; `None` with `missing` where an input lacks.

    The index compares with the largest *known* impact.
    """

    node: str
    performance_impact: float | None
    risk_exposure_index: float | None
    missing: tuple[str, ...] = ()


def risk_exposure_index(nodes: Sequence[Node]) -> tuple[NodeExposure, ...]:
    """Return impact and index of each node, in the order given; all indices are 0 where nothing is lost anywhere.

    Raises `FieldError` for a negative input.
    """
    impacts = [_impact(each) for each in nodes]
    largest = max((impact for impact, _ in impacts if impact is not None), default=0.0)
    return tuple(
        NodeExposure(
            node=each.node,
            performance_impact=impact,
            missing=missing,
            risk_exposure_index=None if impact is None else impact / largest if largest > 0 else 0.0,
        )
        for each, (impact, missing) in zip(nodes, impacts, strict=True)
    )


def _impact(node: Node) -> tuple[float | None, tuple[str, ...]]:
    inputs = {
        "loss_per_day": node.loss_per_day,
        "time_to_recover_days_count": node.time_to_recover_days_count,
        "time_to_survive_days_count": node.time_to_survive_days_count,
    }
    check_known(inputs)
    loss, recover, survive = inputs.values()
    if loss is None or recover is None or survive is None:
        return None, missing_of(inputs)
    return loss * max(0.0, recover - survive), ()
