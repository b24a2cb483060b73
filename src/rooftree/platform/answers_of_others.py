"""Asking other services: their answers are read up to a limit, so that none of them can fill the memory."""

from typing import Any, Final

import httpx

#: Headers that speak of the bytes as they travelled.
_OF_TRAVEL: Final = {"content-encoding", "content-length", "transfer-encoding"}


class AnswerTooLong(httpx.HTTPError):
    """An answer above the limit."""


async def ask_bounded(
    http: httpx.AsyncClient, request: httpx.Request, *, limit_bytes: int, **how: Any
) -> httpx.Response:
    """Send a request and return its whole answer; `how` goes to httpx. Raises: httpx.HTTPError, AnswerTooLong too."""
    answer = await http.send(request, stream=True, **how)
    content = bytearray()
    try:
        async for piece in answer.aiter_bytes():
            content += piece
            if len(content) > limit_bytes:
                raise AnswerTooLong(f"the answer is longer than {limit_bytes} bytes")
    finally:
        await answer.aclose()
    headers = [(name, value) for name, value in answer.headers.multi_items() if name.lower() not in _OF_TRAVEL]
    return httpx.Response(answer.status_code, headers=headers, content=bytes(content), request=answer.request)
