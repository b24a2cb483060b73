"""Decisions about transactions. Pure."""

from collections.abc import Mapping, Sequence


def placed(
    pipelines: Mapping[str, Sequence[str]], wanted_type: str | None, wanted_status: str | None
) -> tuple[str, str]:
    """Return the type and status of a new transaction.

    An unknown type (case counts) is the first pipeline's, an unknown status (it does not) the type's first stage.
    contract: behaviour.md 14
    """
    kind = wanted_type if wanted_type and wanted_type in pipelines else next(iter(pipelines))
    stages = pipelines[kind]
    by_name = {stage.lower(): stage for stage in stages}
    return kind, by_name.get((wanted_status or "").strip().lower(), stages[0])


def commission_problem(lines: Sequence[tuple[str | None, str | None, int | None]]) -> str | None:
    """Return what is wrong with a commission block, None when nothing is. Lines: pay type, calculation, value."""
    percent = 0
    for place, (pay_type, calculation, value) in enumerate(lines):
        if pay_type is None:
            return f"[{place}].payType: is required."
        if value is not None and value < 0:
            return f"[{place}].value: must not be negative."
        if calculation == "PERCENT":
            percent += value or 0
    return "percentages add up to more than 100." if percent > 100 else None
