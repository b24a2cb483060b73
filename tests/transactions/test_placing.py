"""Where a new transaction is placed, and what a commission block may hold."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rooftree.transactions import rules

PIPELINES = {"Purchase": ["Pre-contract", "Closed"], "Other": ["Open", "Closed", "Cancelled"]}


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        ((None, None), ("Purchase", "Pre-contract")),
        (("Other", None), ("Other", "Open")),
        (("other", "Closed"), ("Purchase", "Closed")),
        (("Rental", "Cancelled"), ("Purchase", "Pre-contract")),
        (("Other", " cANCELLED "), ("Other", "Cancelled")),
        (("", ""), ("Purchase", "Pre-contract")),
    ],
)
def test_type_by_case_and_status_in_any_case(sent: tuple[str | None, str | None], expected: tuple[str, str]) -> None:
    assert rules.placed(PIPELINES, *sent) == expected


@given(st.none() | st.text(), st.none() | st.text())
def test_every_transaction_stands_on_a_stage_of_its_type(kind: str | None, status: str | None) -> None:
    placed_kind, placed_status = rules.placed(PIPELINES, kind, status)
    assert placed_status in PIPELINES[placed_kind]


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        ([], None),
        ([("AGENT", "PERCENT", 60), ("TEAM", "PERCENT", 40)], None),
        ([("AGENT", "PERCENT", 60), ("TEAM", "PERCENT", 41)], "percentages add up to more than 100."),
        ([("AGENT", "PERCENT", 101)], "percentages add up to more than 100."),
        ([("AGENT", "AMOUNT", 5000), ("TEAM", "PERCENT", 100), ("LEAD", None, None)], None),
        ([("AGENT", "AMOUNT", 1), (None, "AMOUNT", 1)], "[1].payType: is required."),
        ([("AGENT", "AMOUNT", -1)], "[0].value: must not be negative."),
        ([("AGENT", "PERCENT", -1)], "[0].value: must not be negative."),
    ],
)
def test_commission_blocks(lines: list[tuple[str | None, str | None, int | None]], problem: str | None) -> None:
    assert rules.commission_problem(lines) == problem
