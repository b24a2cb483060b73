"""Answers: always 200, always JSON."""

from typing import Any, Final

import msgspec
from litestar import Response

_ENCODER: Final = msgspec.json.Encoder()


#: On an answer that shows a secret. Nobody keeps it, and neither do we for an Idempotency-Key.
SECRET: Final = {"Cache-Control": "no-store"}


def answer(content: Any = None, *, is_secret: bool = False) -> Response[bytes]:
    """Return a success. Operations documented with an empty body answer `{}`. contract: behaviour.md 1.1

    `is_secret`: it shows something that is stored nowhere in clear.
    """
    body = b"{}" if content is None else _ENCODER.encode(content)
    return Response(body, status_code=200, media_type="application/json", headers=SECRET if is_secret else None)
