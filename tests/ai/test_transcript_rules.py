"""What is found in transcripts, in time that grows no faster than they do."""

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rooftree.ai.rules import keywords_of, sentences_of, shortened

#: What, said again and again, makes a careless pattern take minutes.
ENDLESS = [
    "1,.",
    "$1,",
    "1 ",
    "a@",
    "a.",
    "(",
    "a-",
    "12 A ",
    "one ",
    "1-",
    "+1 ",
    "may 1 ",
    "1:",
    "1/",
    " ",
    "\n",
    ". ",
    "x",
]


def _found(text: str, kind: str) -> list[str]:
    return [keyword.content for keyword in keywords_of(text) if keyword.type == kind]


@pytest.mark.parametrize(
    ("text", "kind", "contents"),
    [
        ("(415) 555-0132, 415.555.0133.", "leadPhone", ["(415) 555-0132", "415.555.0133"]),
        ("It is 1-415-555-0134.", "leadPhone", ["1-415-555-0134"]),
        ("call 4155550132 or +44 20 7946 0958", "leadPhone", ["4155550132", "+44 20 7946 0958"]),
        ("order 12345678901234, $4155550132", "leadPhone", []),
        ("Mail jo.o'neil@example.com. Or a.b@x.co.uk", "leadEmail", ["jo.o'neil@example.com", "a.b@x.co.uk"]),
        ("at home @ five, a@b", "leadEmail", []),
        ("$650,000, or $1.2 million, or $700k", "propertyPrice", ["$650,000", "$1.2 million", "$700k"]),
        ("six hundred and fifty thousand dollars", "propertyPrice", ["six hundred and fifty thousand dollars"]),
        ("one point two million", "propertyPrice", ["one point two million"]),
        ("two thousand square feet, 3 thousand miles", "propertyPrice", []),
        ("3br/2ba", "bedroom", ["3br"]),
        ("3br/2ba", "bathroom", ["2ba"]),
        ("a 3-bedroom, or 3 to 4 bedrooms", "bedroom", ["3-bedroom", "3 to 4 bedrooms"]),
        ("two and a half baths, 1 1/2 baths", "bathroom", ["two and a half baths", "1 1/2 baths"]),
        ("1600 Pennsylvania Avenue NW, Tom", "propertyLocation", ["1600 Pennsylvania Avenue NW"]),
        ("at 42 W Elm St., Unit 5", "propertyLocation", ["42 W Elm St., Unit 5"]),
        ("7 East 42nd Street", "propertyLocation", ["7 East 42nd Street"]),
        ("I have 2 kids on the way and 3 bedrooms on the drive", "propertyLocation", []),
        ("Saturday at 3 pm, then next Tuesday morning", "apptTime", ["Saturday at 3 pm", "next Tuesday morning"]),
        ("tomorrow around 10:30 a.m. or 3pm on Friday", "apptTime", ["tomorrow around 10:30 a.m.", "3pm on Friday"]),
        ("March 5th, 2027 at noon", "apptTime", ["March 5th, 2027 at noon"]),
        ("12/05/2027; 2027-03-05", "apptTime", ["12/05/2027", "2027-03-05"]),
        ("4 o'clock, 16:30", "apptTime", ["4 o'clock", "16:30"]),
        ("open 24/7, you may 100% march", "apptTime", []),
    ],
)
def test_keywords(text: str, kind: str, contents: list[str]) -> None:
    assert _found(text, kind) == contents


def test_each_is_named_once_and_five_of_a_kind_at_most() -> None:
    assert _found("2 beds, 2 beds, 3 beds, 4 beds, 5 beds, 6 beds, 7 beds", "bedroom") == [
        f"{count} beds" for count in range(2, 7)
    ]


@given(st.text(max_size=300) | st.lists(st.sampled_from(ENDLESS), max_size=60).map("".join))
def test_what_is_found_was_said(text: str) -> None:
    said = " ".join(text.split())
    assert all(keyword.content and keyword.content in said for keyword in keywords_of(text))


def test_no_transcript_takes_for_ever() -> None:
    """A process of its own: a pattern cannot be interrupted. Careful ones take seconds, careless ones take hours."""
    code = (
        "import sys; from rooftree.ai.rules import keywords_of, sentences_of\n"
        f"for piece in {ENDLESS!r}:\n"
        "    text = piece * (200_000 // len(piece)); keywords_of(text); sentences_of(text)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("One. Two! Three?", ["One.", "Two!", "Three?"]),
        ("Mr. Smith called. It is $1.5 million.", ["Mr. Smith called.", "It is $1.5 million."]),
        ("Come at 10 a.m. on Monday.", ["Come at 10 a.m. on Monday."]),
        ("Come at 10 a.m. We wait.", ["Come at 10 a.m.", "We wait."]),
        ("Agent: hello\nLead: hi\n\n", ["Agent: hello", "Lead: hi"]),
        ("你好。再见！", ["你好。", "再见！"]),
    ],
)
def test_sentences(text: str, sentences: list[str]) -> None:
    assert sentences_of(text) == sentences


@given(st.text(max_size=3000))
def test_sentences_hold_all_that_was_said_and_are_not_long(text: str) -> None:
    sentences = sentences_of(text)
    assert "".join("".join(sentences).split()) == "".join(text.split())
    assert all(0 < len(sentence) <= 400 for sentence in sentences)


@given(st.text(max_size=100), st.integers(2, 60))
def test_beginning_and_end_stay_of_what_is_too_long(text: str, longest: int) -> None:
    short = shortened(text, longest)
    assert short == text if len(text) <= longest else len(short) <= longest + len("\n[...]\n")
    assert short[: longest // 2] == text[: longest // 2]
    assert short[-(longest // 2) :] == text[-(longest // 2) :]
