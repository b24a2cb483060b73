"""Reading all that two servers say of their leads, and comparing it but for ids."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

#: What a reader of one server asks: a path, and its JSON.
Read = Callable[[str], Awaitable[Any]]

#: Numbers that a server gives out by itself.
_IDS = {"id", "leadSource", "to", "from"}
#: What an answer says of when it was written down, not of when it happened.
_WRITTEN = {
    "/v1.0/systemLogs": {"createTime", "updateTime"},
    "/v1.0/calls": {"updateTime"},
    "/v1.0/communication/call": {"updateTime"},
    "/v1.0/communication/call/v2": {"updateTime"},
}
PATHS = (
    "/v1.0/leads/{}",
    "/v1.0/notes?leadId={}&includeSystemNote=true",
    "/v1.0/logType?leadId={}&logType=logCall&limit=1000",
    "/v1.0/logType?leadId={}&logType=logText&limit=1000",
    "/v1.0/logType?leadId={}&logType=logEmail&limit=1000",
    "/v1.0/leads/{}/activities",
    "/v2.0/leads/{}/activities?pageSize=1000",
    "/v1.0/communication/text?leadId={}&limit=1000",
    "/v1.0/communication/email?leadId={}&limit=1000",
    "/v1.0/communication/call?leadId={}&limit=1000",
    "/v1.0/communication/call/v2?leadId={}&limit=1000",
    "/v1.0/calls?leadId={}&limit=1000",
    "/v1.0/leads/{}/transactions",
    "/v1.0/systemLogs?leadId={}",
)


def without_ids(value: Any, ignored: set[str]) -> Any:
    """Return an answer without the numbers by which things are called, and without keys that are ignored."""
    if isinstance(value, dict):
        return {
            key: without_ids(one, ignored)
            for key, one in value.items()
            if not (key in _IDS and isinstance(one, int | str))
            and not key.endswith(("Id", "Ids"))
            and key not in ignored
        }
    if isinstance(value, list):
        return [without_ids(one, ignored) for one in value]
    return value


async def lead_ids(read: Read) -> list[int]:
    """Return the ids of all leads of a server."""
    found: list[int] = []
    scroll = ""
    while True:
        answer = await read(f"/v1.0/leads?limit=100{scroll}")
        found += [lead["leadId"] for lead in answer["leads"]]
        following = answer["_metadata"].get("scrollId")
        if not following:
            return found
        scroll = f"&scrollId={following}"


async def differences(there: Read, here: Read, ids: Mapping[int, int]) -> list[str]:
    """Return where two servers say different things of the same leads. `ids`: of the leads, there and here."""
    found: list[str] = []
    for source_id, own_id in ids.items():
        for path in PATHS:
            ignored = _WRITTEN.get(path.partition("?")[0], set())
            one = without_ids(await there(path.format(source_id)), ignored)
            other = without_ids(await here(path.format(own_id)), ignored)
            if one != other:
                found.append(f"{path.format(source_id)}\n  there: {one}\n  here:  {other}")
    return found
