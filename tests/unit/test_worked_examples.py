"""Every line of docs/domain.md 6, and the result the road must show on 2026-11-23."""

from datetime import date
from typing import Any

import pytest

from streams.contracts.dates import days_left, noon_of
from streams.domain.policy.licences import LicenceReason, Requirement, licence_requirement
from streams.domain.policy.measure_status import measure_status, measures_status
from streams.reference import load_history

HISTORY = load_history("policy")
SEVEN = ("CN-2025-55", "CN-2025-56", "CN-2025-57", "CN-2025-58", "CN-2025-61a", "CN-2025-61b", "CN-2025-62")


def status(measure: str, day: date, known: date | None = None) -> dict[str, Any]:
    found = measure_status(HISTORY, measure, as_of=day, known_at=known)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("day", "requirement"), [(date(2025, 4, 3), Requirement.NONE), (date(2025, 4, 4), Requirement.LICENCE)]
)
def test_dysprosium_needs_a_licence_from_4_april_2025(day: date, requirement: Requirement) -> None:
    """Announcement 18 of 2025."""
    assert licence_requirement(HISTORY, material="dysprosium", country="US", on=day).requirement is requirement


def test_dysprosium_is_never_free_during_the_truce() -> None:
    """Announcement 18 was not suspended; whoever shows it as free is wrong."""
    answer = licence_requirement(HISTORY, material="dysprosium", country="DE", on=date(2026, 6, 1))
    assert (answer.requirement, answer.measures) == (Requirement.LICENCE, ("CN-2025-18",))


def test_holmium_is_announced_on_15_october_2025() -> None:
    """Published, not yet effective."""
    found = status("CN-2025-57", date(2025, 10, 15))
    assert (found["state"], found["operated"], found["effective_on"]) == ("announced", False, "2025-11-08")


def test_holmium_is_suspended_and_never_operated_on_8_november_2025() -> None:
    """Its day of effect came a day after the suspension."""
    found = status("CN-2025-57", date(2025, 11, 8))
    assert (found["state"], found["operated"], found["ended_by"]) == ("suspended", False, "CN-2025-70")


def test_gallium_to_the_united_states_needs_an_ordinary_licence_on_10_november_2025() -> None:
    """The refusal of paragraph 2 of 46 of 2024 is suspended, 23 of 2023 is not; paragraph 1 stays for the military."""
    answer = licence_requirement(HISTORY, material="gallium", country="US", on=date(2025, 11, 10))
    assert (answer.requirement, answer.reason) == (Requirement.LICENCE, LicenceReason.ORDINARY_LICENCE)
    assert (answer.measures, answer.suspended) == (("CN-2023-23",), ("CN-2024-46-2",))
    assert "CN-2024-46-1" in answer.conditional


def test_gallium_to_the_united_states_was_refused_before() -> None:
    """From 3 December 2024 to the suspension; elsewhere an ordinary licence was enough."""
    before = date(2025, 11, 1)
    refused = licence_requirement(HISTORY, material="gallium", country="US", on=before)
    assert (refused.requirement, refused.measures) == (Requirement.REFUSED, ("CN-2024-46-2",))
    assert licence_requirement(HISTORY, material="gallium", country="JP", on=before).requirement is Requirement.LICENCE
    graphite = licence_requirement(HISTORY, material="natural-graphite", country="US", on=before)
    assert graphite.requirement is Requirement.LICENCE


def test_holmium_after_the_lapse_is_unknown() -> None:
    """Nothing seen after the legal end: neither free nor bound."""
    answer = licence_requirement(HISTORY, material="holmium", country="US", on=date(2026, 11, 23))
    assert (answer.requirement, answer.measures) == (Requirement.UNKNOWN, ("CN-2025-57",))


def test_a_name_that_is_no_material_is_refused() -> None:
    """An answer about nothing would read as "free"."""
    with pytest.raises(KeyError):
        licence_requirement(HISTORY, material="unobtainium", country="US", on=date(2026, 1, 1))


def test_days_left_on_8_october_2026() -> None:
    """33 (No. 70), 50 (No. 72), 94 (the claim)."""
    day = date(2026, 10, 8)
    assert status("CN-2025-57", day)["days_left"] == 33
    assert status("CN-2024-46-2", day)["days_left"] == 50
    claimed = date.fromisoformat(status("CN-2025-57", day)["claimed_ends"][0])
    assert days_left(claimed, at=noon_of(day, zone="Asia/Shanghai"), zone="Asia/Shanghai") == 94


def test_57_of_2025_is_lapsed_unconfirmed_on_11_november_2026() -> None:
    """With the claim beside it; on the tenth it is still suspended."""
    assert status("CN-2025-57", date(2026, 11, 10))["state"] == "suspended"
    found = status("CN-2025-57", date(2026, 11, 11))
    assert (found["state"], found["claimed_ends"]) == ("lapsed_unconfirmed", ["2027-01-10"])


def test_the_affiliates_rule_has_9_november_as_its_last_suspended_day() -> None:
    """It would apply again from the 10th in New York; nothing was seen."""
    assert status("US-BIS-50", date(2026, 11, 9))["days_left"] == 0
    assert status("US-BIS-50", date(2026, 11, 10))["state"] == "lapsed_unconfirmed"


def test_the_result_of_23_november_2026() -> None:
    """What the demo must show."""
    by_id = {each["measure"]: each for each in measures_status(HISTORY, as_of=date(2026, 11, 23))}
    for measure in SEVEN:
        assert by_id[measure]["state"] == "lapsed_unconfirmed"
        assert by_id[measure]["legal_end"] == "2026-11-10"
        assert by_id[measure]["claimed_ends"] == ["2027-01-10"]
        assert by_id[measure]["operated"] is (measure in ("CN-2025-61b", "CN-2025-62"))
    assert (by_id["CN-2024-46-2"]["state"], by_id["CN-2024-46-2"]["days_left"]) == ("suspended", 4)
    assert by_id["CN-2024-46-1"]["state"] == "in_force"
    assert by_id["CN-2025-18"]["state"] == "in_force"
    assert by_id["US-DFARS-7052"]["state"] == "announced"
    assert not {"CN-2025-70", "CN-2025-72", "US-BIS-50-SUSP", "CN-MOFCOM-STMT"} & set(by_id)


def test_what_was_known_on_a_day_is_answerable() -> None:
    """On 1 September 2026 nobody had claimed a later end; on 6 November 2025 nothing was suspended."""
    assert status("CN-2025-57", date(2026, 11, 11), known=date(2026, 9, 1))["claimed_ends"] == []
    assert status("CN-2025-57", date(2025, 11, 8), known=date(2025, 11, 6))["state"] == "in_force"
    assert measure_status(HISTORY, "CN-2025-57", as_of=date(2026, 1, 1), known_at=date(2025, 10, 1)) is None


def test_the_status_last_seen_agrees_with_the_register() -> None:
    """The table of 2026-10-08 was collected apart from the events; both must say the same."""
    from streams.reference import load_table

    by_id = {each["measure"]: each for each in measures_status(HISTORY, as_of=date(2026, 10, 8))}
    for row in load_table("measure_status_at_2026-10-08"):
        found = by_id[row["event_id"]]
        assert found["state"] == row["status_last_seen_2026-10-08"]
        assert (found["legal_end"] or "") == row["legal_suspension_until"][:10]
        assert found["effective_on"] == row["effective"]
        assert "".join(found["claimed_ends"]) == row["political_extension_until"][:10]
