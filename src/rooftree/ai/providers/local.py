"""A summariser that runs here: it picks the sentences that say most. No network, no downloads."""

import asyncio
import re
from collections.abc import Sequence
from typing import Any, Final

from rooftree.ai import rules
from rooftree.ai.model import Summary

#: A transcript of so few sentences is its own summary.
_SHORT: Final = 3
_PICKED: Final = 4
#: In characters, hours of talk; a worker is not to be kept by more.
_LONGEST: Final = 200_000
_LANGUAGE: Final = "english"
#: What a call between an agent and a lead is about, and what is said in every call.
_BONUS: Final = re.findall(
    r"\w+",
    """appointment approved bathroom bedroom budget buy call closing condo deadline email friday garage garden home
    house inspection listing loan looking meet monday mortgage move need neighborhood offer prefer price rent saturday
    school sell send showing sunday thursday tomorrow tour tuesday visit want wednesday""",
)
_STIGMA: Final = re.findall(r"\w+", "bye goodbye great hello hey hi ok okay sorry sure thank thanks welcome yeah")


class _Tokenizer:
    """Sentences and words as the summariser wants them."""

    def to_sentences(self, text: str) -> Sequence[str]:
        return rules.sentences_of(text)

    def to_words(self, sentence: str) -> Sequence[str]:
        return rules.words_of(sentence)


class LocalSummariser:
    """A Summariser."""

    async def summarise(self, transcript: str, *, about: str) -> Summary:  # noqa: ARG002 - for those that write
        """Return the sentences that say most, in their order; of very few, all. Never raises AiError."""
        return await asyncio.to_thread(_summary, rules.shortened(transcript, _LONGEST))


def _summary(transcript: str) -> Summary:
    sentences = rules.sentences_of(transcript)
    picked = sentences if len(sentences) <= _SHORT else _picked(list(dict.fromkeys(sentences)))
    return Summary(" ".join(picked), rules.keywords_of(transcript))


def _picked(sentences: list[str]) -> list[str]:
    # 23 MB of memory, in a process that may never summarise anything: so not at the top.
    from sumy.models.dom import ObjectDocumentModel, Paragraph, Sentence  # noqa: PLC0415
    from sumy.nlp.stemmers import Stemmer  # noqa: PLC0415
    from sumy.summarizers.edmundson import EdmundsonSummarizer  # noqa: PLC0415
    from sumy.utils import get_stop_words  # noqa: PLC0415

    tokenizer = _Tokenizer()
    # Not the library's parser: it takes a line in capitals for a heading, and some transcripts have nothing else.
    document = ObjectDocumentModel([Paragraph([Sentence(sentence, tokenizer) for sentence in sentences])])
    summariser: Any = EdmundsonSummarizer(Stemmer(_LANGUAGE))
    stop_words = get_stop_words(_LANGUAGE)
    summariser.bonus_words, summariser.stigma_words, summariser.null_words = _BONUS, _STIGMA, stop_words
    return [str(sentence) for sentence in summariser(document, _PICKED)]
