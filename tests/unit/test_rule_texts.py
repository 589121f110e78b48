"""Texts of alerts over values that nobody thought of: they are told as they are, and counted."""

from typing import Any

import pytest

from alerts.rules.templates import FormatFaults, Text


class Unwritable:
    """A value that cannot be written."""

    def __str__(self) -> str:
        raise RuntimeError("no text for this")

    __format__ = __float__ = __str__  # type: ignore[assignment]


@pytest.mark.parametrize("form", ["", ":number", ":percent", ":share", ":days"])
@pytest.mark.parametrize("value", ["FOB China", ["CN", "MM"], {"a": 1}, b"\xff", object, float("nan"), 10**400, None])
def test_no_value_raises_whatever_its_format(form: str, value: Any) -> None:
    """A wrong format swallowed the alert, or blocked a partition for ever."""
    told = Text("it is {value" + form + "} now", known=["value"]).render({"value": value})
    assert told.startswith("it is ")
    assert told.endswith(" now")


def test_a_value_that_its_format_does_not_fit_stands_as_it_is_and_is_counted() -> None:
    """The reader learns it all the same, and the rule's author hears of the fault."""
    faults = FormatFaults()
    text = Text("{basis:number}, {amount:number}, {basis}", known=["basis", "amount"], faults=faults)
    assert text.render({"basis": "FOB China", "amount": 3.0}) == "FOB China, 3, FOB China"
    assert (faults.take(), faults.take()) == (1, 0)


def test_a_value_that_cannot_be_written_reads_unknown() -> None:
    """The last thing that may go wrong."""
    faults = FormatFaults()
    assert Text("{a:number}", known=["a"], faults=faults).render({"a": Unwritable()}) == "unknown"
    assert faults.count == 1
