"""Every part of what a lead is found by finds it: the index never hides what the text holds."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from rooftree.leads.search import KeyQuery, search_tokens
from rooftree.platform.database import Arguments

NAMES = st.text("abcdeéßñİ '-.", min_size=1, max_size=12)
LOCAL_PARTS = st.text("abc.+-_1é", min_size=1, max_size=14)
DOMAINS = st.sampled_from(["example.com", "x.io", "müller.example"])
ADDRESSES = st.builds("{}@{}".format, LOCAL_PARTS, DOMAINS)
NUMBERS = st.from_regex(r"\+?[0-9 ()-]{3,16}", fullmatch=True)


@given(
    first_name=NAMES,
    last_name=st.none() | NAMES,
    emails=st.lists(ADDRESSES, max_size=2),
    phones=st.lists(NUMBERS, max_size=2),
    data=st.data(),
)
def test_a_part_of_three_characters_or_more_is_found(
    first_name: str, last_name: str | None, emails: list[str], phones: list[str], data: Any
) -> None:
    tokens = set(search_tokens(first_name, last_name, emails, phones))
    parts = [*f"{first_name} {last_name or ''}".split(), *emails]
    whole = data.draw(st.sampled_from(parts or ["none"]))
    start = data.draw(st.integers(0, len(whole)))
    part = whole[start : data.draw(st.integers(start, len(whole)))]
    query = KeyQuery.parse(part)
    if query is None or whole == "none" or any(len(fragment) < 3 for fragment in query.fragments):
        return
    args = Arguments()
    query.lead_ids(args)
    grams: Any = args[0]
    assert set(grams) <= tokens


@given(number=NUMBERS, data=st.data())
def test_digits_in_a_row_are_found(number: str, data: Any) -> None:
    digits = "".join(character for character in number if character.isdigit())
    start = data.draw(st.integers(0, len(digits)))
    part = digits[start : start + data.draw(st.integers(3, 12))]
    query = KeyQuery.parse(part)
    if query is None or len(part) < 3:
        return
    args = Arguments()
    query.lead_ids(args)
    grams: Any = args[0]
    assert set(grams) <= set(search_tokens("Ann", None, [], [number]))


def test_a_common_domain_is_not_looked_up() -> None:
    args = Arguments()
    query = KeyQuery.parse("eva.brandt8892@example.com")
    assert query is not None
    query.lead_ids(args)
    assert args[0] == [".br", "92@", "and", "eva", "t88"]
