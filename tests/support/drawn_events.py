"""Drawn events of every family that assess takes, for property tests: few materials and days, so that they meet."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from alerts.backtest.run_backtest import in_order
from streams.contracts.capacity import CapacityReported, SupplyObserved, TradeObserved
from streams.contracts.events import Event, Payload, subject_of
from streams.contracts.policy import ClaimMade, MeasureAction, MeasureChanged
from streams.contracts.provenance import Provenance
from tests.support.prices import quote

START = datetime(2026, 1, 5, tzinfo=UTC)
SAID = Provenance(source="Customs")
MATERIALS = st.sampled_from(["dysprosium", "gallium", "terbium", "yttrium"])  # they spread over the partitions
TONNES = st.sampled_from([50.0, 100.0, 400.0])
DAYS = st.integers(-3, 40).map(lambda days: (START + timedelta(days=days)).date().isoformat())
MEASURES = st.sampled_from(["CN-1", "CN-2", "US-1"])
Draw = Callable[[st.DrawFn, int], Payload]


def drawn_quote(draw: st.DrawFn, day: int) -> Payload:
    return quote(
        370 + day, draw(st.sampled_from([60.0, 90.0, 150.0, 250.0])), material=draw(MATERIALS), provenance=SAID,
        basis=draw(st.sampled_from(["FOB China", "CIF Rotterdam"])),
    )  # fmt: skip


def drawn_trade(draw: st.DrawFn, day: int) -> Payload:
    return TradeObserved(
        material=draw(MATERIALS), exporter="CN", reference_period=f"2025-{draw(st.integers(8, 12)):02}",
        tonnes=draw(TONNES), reported_by=draw(st.sampled_from(["a", "b"])), provenance=SAID,
    )  # fmt: skip


def drawn_capacity(draw: st.DrawFn, day: int) -> Payload:
    return CapacityReported(
        plant=draw(st.sampled_from(["p1", "p2"])), operator="o", country="AU", material=draw(MATERIALS),
        stage="separation", status=draw(st.sampled_from(["operating", "outage", "late"])),
        nameplate_tonnes_per_year=500.0, outage_tonnes_per_year=draw(st.sampled_from([None, 50.0, 400.0])),
        provenance=Provenance(source="Register"),
    )  # fmt: skip


def drawn_supply(draw: st.DrawFn, day: int) -> Payload:
    return SupplyObserved(
        material=draw(MATERIALS), stage="separation", country=draw(st.sampled_from(["CN", "AU", "US"])),
        reference_period="2025", vintage=draw(st.sampled_from(["V 2025", "V 2026"])), tonnes=draw(TONNES),
        provenance=SAID,
    )  # fmt: skip


def drawn_act(draw: st.DrawFn, day: int) -> Payload:
    measure = draw(MEASURES)
    actions: list[MeasureAction] = ["impose", "suspend", "suspend", "extend", "repeal"]
    action = draw(st.sampled_from(actions))
    ends: dict[str, Any] = {"ends_at": draw(DAYS), "ends_inclusive": draw(st.sampled_from([True, False, None]))}
    return MeasureChanged(
        measure=measure, action=action, instrument=f"Instrument {measure}", issuer="Office",
        kind="licence_requirement", materials=(draw(MATERIALS),), provenance=SAID,
        zone="America/New_York" if measure == "US-1" else "Asia/Shanghai",
        **(ends if action in ("suspend", "extend") else {}),
    )  # fmt: skip


def drawn_claim(draw: st.DrawFn, day: int) -> Payload:
    return ClaimMade(
        claim=draw(st.sampled_from(["C-1", "C-2"])), speaker="Somebody", zone="UTC", legal_force="statement",
        about=(draw(MEASURES),), claimed_end_at=draw(DAYS), withdrawn=draw(st.booleans()), provenance=SAID,
    )  # fmt: skip


SIGNALS: tuple[Draw, ...] = (
    drawn_quote, drawn_quote, drawn_trade, drawn_trade, drawn_capacity, drawn_supply, drawn_act, drawn_act, drawn_claim,
)  # fmt: skip


def draw_events(draw: st.DrawFn, families: Sequence[Draw], *, most: int) -> list[Event]:
    """Draw events of these families in the order of admission, several of them at one instant now and then."""
    events, hour = list[Event](), 0
    for number in range(draw(st.integers(1, most))):
        hour += draw(st.sampled_from([0, 1, 24, 24, 48, 100]))
        data = draw(st.sampled_from(families))(draw, hour // 24)
        at = START + timedelta(hours=hour)
        events.append(Event(id=f"e{number}", source="test", subject=subject_of(data), occurred_at=at, recorded_at=at,
                            data=data))  # fmt: skip
    return sorted(events, key=in_order)
