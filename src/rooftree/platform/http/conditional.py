"""Versions of what is read: `ETag`, `If-None-Match` and `If-Match`. See ADR 0020 and RFC 9110, section 13.

A version is a hash of the answer itself, so that it changes with whatever the answer shows, and of the instant of the
last change, so that a change and its reversal within a second are seen as well.
"""

import hashlib
import re
from datetime import datetime
from typing import Any, Final

import msgspec
from litestar import Response
from msgspec import Struct

from rooftree.platform.errors import InvalidParameter, PreconditionFailed
from rooftree.platform.http.reading import AnyRequest

_ANY: Final = "*"
#: A tag, strong or weak. What stands between the quotes may hold commas, no blanks and no quotes.
_TAG: Final = re.compile(r'(?P<weak>W/)?"(?P<opaque>[!#-~\x80-\xff]*)"')
_BETWEEN: Final = re.compile(r"[ \t]*(?:,[ \t]*)+")
_DIGEST_BYTES: Final = 16


class Tag(Struct, frozen=True):
    """A version, as clients name it."""

    opaque: str  #: what stands between the quotes
    is_weak: bool = False

    @property
    def text(self) -> str:
        """The tag as it is written."""
        return f'{"W/" if self.is_weak else ""}"{self.opaque}"'


def parse_tags(text: str) -> list[Tag] | None:
    """Return a list of tags as it was sent; None for `*`. Raises: ValueError for anything else, and for no tag."""
    text = text.strip(" \t")
    if text == _ANY:
        return None
    found: list[Tag] = []
    at = match.end() if (match := _BETWEEN.match(text)) else 0
    while at < len(text):
        tag = _TAG.match(text, at)
        if not tag:
            raise ValueError(text)
        found.append(Tag(tag["opaque"], tag["weak"] is not None))
        between = _BETWEEN.match(text, tag.end())
        at = between.end() if between else tag.end()
        if not between and at < len(text):
            raise ValueError(text)
    if not found:
        raise ValueError(text)
    return found


def version(body: bytes, changed_at: datetime) -> Tag:
    """Return the version of an answer; `changed_at`: when what it shows last changed."""
    digest = hashlib.blake2b(changed_at.isoformat().encode(), digest_size=_DIGEST_BYTES)
    digest.update(body)
    return Tag(digest.hexdigest())


class IfMatch(Struct, frozen=True):
    """What a write depends on: that the present version is one of these."""

    tags: list[Tag]

    def check(self, present: Tag) -> None:
        """Compare, strongly: a weak tag equals nothing. Raises: PreconditionFailed (412), naming both versions."""
        if not any(tag == present and not tag.is_weak for tag in self.tags):
            raise ChangedMeanwhile(self.tags, present)


class ChangedMeanwhile(PreconditionFailed):
    """Says which versions were named, and which is the present one; that one is in the header ETag too."""

    def __init__(self, named: list[Tag], present: Tag) -> None:
        super().__init__(f"If-Match: {', '.join(tag.text for tag in named)} is not the present version {present.text}.")
        self.present = present


def if_match(request: AnyRequest) -> IfMatch | None:
    """Return what the request depends on; None without If-Match, and with `*`, which whatever exists matches.

    Raises: InvalidParameter (20012) for what is no list of tags: ignored, it would overwrite somebody's change.
    """
    text = _header(request, b"if-match")
    if text is None:
        return None
    try:
        tags = parse_tags(text)
    except ValueError:
        raise InvalidParameter('If-Match: must be *, or a list of tags as ETag gives them, in quotes: "...".') from None
    return None if tags is None else IfMatch(tags)


def versioned_answer(request: AnyRequest, content: Any, changed_at: datetime) -> Response[bytes]:
    """Return what was asked for with its version; 304 and nothing when If-None-Match names that version.

    An If-None-Match that is no list of tags is ignored: then everything is sent.
    """
    body = msgspec.json.encode(content)
    present = version(body, changed_at)
    headers = {"ETag": present.text}
    if _is_known(request, present):
        return Response(b"", status_code=304, headers=headers)
    return Response(body, status_code=200, media_type="application/json", headers=headers)


def _is_known(request: AnyRequest, present: Tag) -> bool:
    text = _header(request, b"if-none-match")
    if text is None:
        return False
    try:
        tags = parse_tags(text)
    except ValueError:
        return False
    return tags is None or any(tag.opaque == present.opaque for tag in tags)


def _header(request: AnyRequest, wanted: bytes) -> str | None:
    """Return a header's value; several of one name are one list."""
    values = [value.decode("latin-1") for name, value in request.scope["headers"] if name == wanted]
    return ", ".join(values) if values else None
