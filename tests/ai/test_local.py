"""The summariser that runs here, and what it finds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rooftree.ai.providers.local import LocalSummariser
from rooftree.ai.rules import keywords_of, sentences_of, words_of

TALK = (
    "Hello, this is Adam. Hi. How are you? I am fine, thanks. We want to sell our house on Elm Street this spring. "
    "It has four bedrooms and 2.5 baths. We would like $725,000 for it. Okay. Could you come on Tuesday at 4:30 pm? "
    "Yes, I will visit on Tuesday. Great. Bye."
)


async def test_it_picks_the_sentences_that_say_most_in_their_order() -> None:
    summary = await LocalSummariser().summarise(TALK, about="")
    sentences = sentences_of(TALK)
    picked = sentences_of(summary.text)
    assert [sentence for sentence in sentences if sentence in picked] == picked
    assert len(picked) == 4
    assert not {"Hi.", "Bye.", "Okay.", "Great."} & set(picked)
    assert "sell our house" in summary.text


async def test_a_short_call_is_its_own_summary() -> None:
    assert (
        await LocalSummariser().summarise("Please call back. Thanks.", about="")
    ).text == "Please call back. Thanks."


async def test_capitals_and_a_call_without_full_stops_are_summarised() -> None:
    loud = await LocalSummariser().summarise(TALK.upper(), about="")
    assert "SELL OUR HOUSE" in loud.text
    assert len(sentences_of(loud.text)) == 4
    breathless = await LocalSummariser().summarise("we want to sell our house and " * 2000, about="")
    assert 0 < len(breathless.text) < 2000


async def test_what_is_said_twice_is_told_once() -> None:
    summary = await LocalSummariser().summarise("We want a house. " * 50 + TALK, about="")
    assert summary.text.count("We want a house.") <= 1


@given(st.text(max_size=500))
async def test_any_words_are_summarised(text: str) -> None:
    summary = await LocalSummariser().summarise(text, about="")
    assert set(words_of(summary.text)) <= set(words_of(text))


@pytest.mark.parametrize(
    ("said", "kind", "content"),
    [
        ("call me at (212) 555-0100", "leadPhone", "(212) 555-0100"),
        ("it is jane.d+x@mail.example.com.", "leadEmail", "jane.d+x@mail.example.com"),
        ("up to $650,000 maybe", "propertyPrice", "$650,000"),
        ("around 650 thousand", "propertyPrice", "650 thousand"),
        ("three to four bedrooms", "bedroom", "three to four bedrooms"),
        ("2.5 baths", "bathroom", "2.5 baths"),
        ("a town house or a condo", "propertyType", "town house"),
        ("at 123 Main Street", "propertyLocation", "123 Main Street"),
        ("on Friday at 2 pm", "apptTime", "Friday at 2 pm"),
    ],
)
def test_keywords(said: str, kind: str, content: str) -> None:
    assert content in [keyword.content for keyword in keywords_of(said) if keyword.type == kind]


def test_nothing_is_found_where_nothing_is() -> None:
    assert keywords_of("Well, we shall see about it.") == []
