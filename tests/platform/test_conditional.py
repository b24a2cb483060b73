"""Lists of versions, as If-Match and If-None-Match have them. RFC 9110, sections 8.8.3 and 13.1"""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rooftree.platform.errors import PreconditionFailed
from rooftree.platform.http.conditional import IfMatch, Tag, parse_tags, version

OPAQUE = st.text(st.characters(min_codepoint=0x21, max_codepoint=0xFF, exclude_characters='"\x7f'), max_size=20)
TAGS = st.builds(Tag, OPAQUE, st.booleans())
COMMA = st.lists(st.sampled_from([" ", "\t", ","]), max_size=4).map(lambda parts: "".join([",", *parts]))
BLANK = st.sampled_from(["", " ", "\t ", ", ", " ,,"])


@given(st.lists(st.tuples(TAGS, COMMA), min_size=1, max_size=6), BLANK)
def test_what_is_written_is_read(tags: list[tuple[Tag, str]], before: str) -> None:
    """Commas and empty elements, blanks around them, commas inside of a tag."""
    text = before + "".join(tag.text + comma for tag, comma in tags)
    assert parse_tags(text) == [tag for tag, _ in tags]
    assert parse_tags(text.rstrip(", \t")) == [tag for tag, _ in tags]


@given(st.text(st.sampled_from('"W/,* \tab\\'), max_size=12))
def test_anything_else_is_refused_and_never_half_read(text: str) -> None:
    try:
        tags = parse_tags(text)
    except ValueError:
        return
    if tags is None:
        assert text.strip(" \t") == "*"
        return
    rest = text
    for tag in tags:
        skipped, found, rest = rest.partition(tag.text)
        assert found
        assert not skipped.strip(", \t")
    assert tags
    assert not rest.strip(", \t")


@pytest.mark.parametrize(
    "text",
    ["", " ", ",", "abc", '"a', 'a"', '"a" "b"', '"a""b"', 'w/"a"', 'W/ "a"', "*, *", '*, "a"', '"a", *', '"a b"'],
)
def test_what_is_no_list(text: str) -> None:
    with pytest.raises(ValueError):
        parse_tags(text)


@given(st.lists(TAGS, min_size=1, max_size=5), OPAQUE)
def test_only_a_strong_tag_matches(tags: list[Tag], opaque: str) -> None:
    present = Tag(opaque)
    if any(tag.opaque == opaque and not tag.is_weak for tag in tags):
        IfMatch(tags).check(present)
        return
    with pytest.raises(PreconditionFailed) as refused:
        IfMatch(tags).check(present)
    assert all(tag.text in refused.value.message for tag in [*tags, present])


@given(st.binary(), st.binary(), st.integers(0, 3), st.integers(0, 3))
def test_versions_differ_when_what_is_shown_or_its_instant_does(a: bytes, b: bytes, x: int, y: int) -> None:
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    one, other = (version(body, moment + timedelta(microseconds=later)) for body, later in ((a, x), (b, y)))
    assert (one == other) is ((a, x) == (b, y))
    assert parse_tags(one.text) == [one]
