"""What nobody would send: shared by the tests and by `python -m fuzz`."""

from typing import Any

from hypothesis import strategies as st

from tests.support.contract import document

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=50),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)


def _fields(name: str) -> list[str]:
    return sorted(document()["components"]["schemas"][name]["properties"])


FIELDS = _fields("LeadRequest") + _fields("EditLeadRequest") + _fields("LeadInquiry") + _fields("LeadProperty")
BODIES = JSON | st.dictionaries(st.sampled_from(FIELDS), JSON, max_size=6).map(lambda body: {"firstName": "T", **body})
#: Values at the edge of what columns and types hold.
EDGES = st.sampled_from(
    [-1, 0, 2**31, 2**53, 2**63 - 1, 2**63, -(2**63) - 1, 1e308, "\ud7ff", "٣", "1e3", " ", "\u2028", "a\x00b", [], {}]
)
EDGY = st.dictionaries(st.sampled_from(FIELDS), EDGES | st.lists(EDGES, max_size=2), min_size=1, max_size=3).map(
    lambda body: {"firstName": "T", **body, "inquiry": body, "property": {"city": "Austin", **body}}
)


def with_numbers(schema: Any) -> Any:
    """The contract prints what an integer may be as text: 1 is meant by "1"."""
    if isinstance(schema, list):
        return [with_numbers(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    whole = {key: with_numbers(value) for key, value in schema.items()}
    if whole.get("type") == "integer" and isinstance(whole.get("enum"), list):
        whole["enum"] = [int(one) for one in whole["enum"]]
    return whole
