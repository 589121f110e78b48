"""One example event of every type, for golden bytes and round trips."""

from datetime import UTC, date, datetime

from streams.contracts.alert import AlertChanged, AlertState, DeliveryChanged
from streams.contracts.assessments import ClaimedEnd, ExposureAssessed, LegalState, MeasureAssessed, RiskAssessed
from streams.contracts.capacity import CapacityReported, LicenceDecided, StockReported, SupplyObserved, TradeObserved
from streams.contracts.directive import DirectiveGiven, Subscription
from streams.contracts.events import Event, Payload, Tick, subject_of
from streams.contracts.indicators import IndicatorAssessed, IndicatorFigure
from streams.contracts.policy import ClaimMade, MeasureChanged, StandardPublished, Targets
from streams.contracts.price import PriceQuoted
from streams.contracts.provenance import Provenance

T0 = datetime(2025, 11, 10, 16, 0, tzinfo=UTC)
RECORDED = datetime(2025, 11, 10, 18, 30, 15, 250_000, tzinfo=UTC)
SOURCE = Provenance(source="MOFCOM", address="https://example.org/70", row="policy_events.csv#X", confidence="high")

EXAMPLES: tuple[Payload, ...] = (
    MeasureChanged(
        measure="CN-2025-70", action="suspend", instrument="Announcement 70 of 2025", issuer="MOFCOM",
        zone="Asia/Shanghai", kind="suspension", amends=("CN-2025-55", "CN-2025-56"),
        materials=("rare-earths", "gallium"), targets=Targets(scope="countries", countries=("US",)),
        published_at="2025-11-07", effective_at="2025-11-07", ends_at="2026-11-10", ends_inclusive=None,
        summary="Suspended “until” 10 November 2026 – see 通告.", provenance=SOURCE,
    ),
    ClaimMade(
        claim="US-CLAIM-1", speaker="White House", zone="America/New_York", legal_force="statement",
        about=("CN-2025-70",), claimed_end_at="2027-01-10", provenance=SOURCE,
    ),
    StandardPublished(standard="IEC-1", issuer="IEC", title="Recycled magnets", scope=("neodymium-magnets",),
                      published_at="2025-06-01", provenance=SOURCE),
    PriceQuoted(
        material="dysprosium", form="oxide", basis="FOB China", assessor="asian-metal", amount=245.5, currency="USD",
        per_unit="kg", reference_period="2025-11-10", grade="99.5%", vat_included=False, volume_share_ratio=0.4,
        provenance=SOURCE,
    ),
    CapacityReported(
        plant="kuantan", operator="Lynas", country="MY", material="neodymium-praseodymium", stage="separation",
        status="operating", nameplate_tonnes_per_year=10500.0, actual_tonnes=6558.0, actual_period="2025",
        provenance=SOURCE,
    ),
    SupplyObserved(
        material="rare-earth-oxides", stage="mining", country="CN", reference_period="2024", vintage="MCS 2026",
        share_low_ratio=0.69, share_high_ratio=0.7, published_as="~70%", provenance=SOURCE,
    ),
    TradeObserved(material="rare-earth-magnets", exporter="CN", importer="DE", reference_period="2025-10",
                  tonnes=812.5, reported_by="gacc", provenance=SOURCE),
    StockReported(site="plant-1", material="terbium", stock_tonnes=1.5, daily_use_tonnes=0.02, provenance=SOURCE),
    LicenceDecided(licence="L-77", material="yttrium", decision="held", site="plant-1", applied_at=T0,
                   expires_at="2026-05-01", measure="CN-2025-18", provenance=SOURCE),
    MeasureAssessed(
        measure="CN-2025-55", at=T0, state=LegalState.SUSPENDED, previous_state=LegalState.ANNOUNCED,
        kind="licence_requirement", instrument="Announcement 55 of 2025", issuer="MOFCOM", zone="Asia/Shanghai",
        materials=("rare-earth-equipment",), legal_end=date(2026, 11, 10), lapse_at=T0,
        claimed_ends=(ClaimedEnd(day=date(2027, 1, 10), speaker="White House", claim="US-CLAIM-1",
                                 legal_force="statement"),),
        operated=False, causes=("CN-2025-55", "CN-2025-70"),
    ),
    RiskAssessed(material="dysprosium", aspect="price", at=T0, labels={"form": "oxide"},
                 facts={"change_ratio": 0.25, "stale": None, "thin": False}, causes=("q-1",)),
    ExposureAssessed(end_use="traction-motors", at=T0, facts={"exposure": 0.8}, path=("dysprosium",)),
    AlertChanged(
        alert="deadline/CN-2025-55/2026-11-10/30d", fingerprint="abc123", rule="deferral-ends", rule_hash="ff00",
        labels={"measure": "CN-2025-55"}, at=T0, from_state=AlertState.OK, to_state=AlertState.FIRING,
        severity="warning", occasion="2026-11-10", summary="30 days left", step="30d", values={"days_left": 30.0},
        causes=("CN-2025-70",),
    ),
    DeliveryChanged(delivery="d-1", alert="a-1", subscription="s-1", channel="webhook", state="attempted", at=T0,
                    attempt=1, reason="timeout", next_attempt_at=RECORDED),
    DirectiveGiven(kind="subscription", target="s-1", by="key/ab12",
                   subscription=Subscription(materials=("dysprosium",), severity="warning",
                                             url="https://example.org/hook", secret_ref="s-1")),
    Tick(),
    IndicatorAssessed(
        indicator="us-output", about="rare-earth-oxides/separation", at=T0, claim="US output is under 5% of China's",
        verdict="holds", summary="US compounds: 3.3% of China's mine output",
        figures=(IndicatorFigure(name="output_ratio", value=0.033, unit="ratio", reference_period="2025",
                                 vintage="MCS 2026"),),
        missing=("x: y",), causes=("e-1",), sources=("USGS",),
    ),
)  # fmt: skip


def example_event(payload: Payload, *, event_id: str = "e-1") -> Event:
    """Return an event around an example payload."""
    return Event(
        id=event_id, source="https://example.org/feeds/1", subject=subject_of(payload), occurred_at=T0,
        recorded_at=RECORDED, data=payload,
    )  # fmt: skip


EXAMPLE_EVENTS = tuple(example_event(payload) for payload in EXAMPLES)
