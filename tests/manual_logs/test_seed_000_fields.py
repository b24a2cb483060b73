"""Seed 000, manual logs: the rows about fields of the body, named by the row."""

from typing import Any

import pytest
from msgspec import UNSET
from tests.manual_logs.test_seed_000 import LOG, add, body_for
from tests.support.client import Client
from tests.support.make import Make
from tests.support.people import People

EMAIL_FIELDS = ("emailSubject", "toEmail", "fromEmail")
HOUSE = "\U0001f3e0"


async def _refused(client: Client, make: Make, people: People, code: int, **changes: Any) -> None:
    body = body_for(await make.lead(), **changes)
    before = await make.everything(people.adam.team_id)
    assert await client.refused("POST", "/v1.0/logType", body) == (400, code)
    assert await make.everything(people.adam.team_id) == before


@pytest.mark.parametrize("kind", ["logCall", "logEmail", "logText"])
async def test_s0_16_three_channels(client: Client, make: Make, kind: str) -> None:
    lead_id = await make.lead()
    log = await add(client, lead_id, logType=kind)
    assert await client.ok("GET", f"/v1.0/logType?leadId={lead_id}&logType={kind}") == {"logType": [log]}


@pytest.mark.parametrize("kind", [UNSET, "LogCall", "call", "", None, 1])
async def test_s0_16_other_channels_are_refused(client: Client, make: Make, people: People, kind: Any) -> None:
    await _refused(client, make, people, 20012, logType=kind)


@pytest.mark.parametrize("content", [UNSET, None, "", "   ", "\n\t", 5, ["x"]])
async def test_s0_17_content_is_required(client: Client, make: Make, people: People, content: Any) -> None:
    await _refused(client, make, people, 20012, content=content)


@pytest.mark.parametrize("letter", ["x", "é", HOUSE])
async def test_s0_18_content_is_silently_cut(client: Client, make: Make, letter: str) -> None:
    lead_id = await make.lead()
    for length in (4999, 5000, 5001):
        log = await add(client, lead_id, content=letter * length)
        assert log["content"] == letter * min(length, 5000)


async def test_s0_18_content_is_cut_whatever_surrounds_it(client: Client, make: Make) -> None:
    text = f"  {'x' * 4997}{HOUSE}end"
    assert (await add(client, await make.lead(), content=text))["content"] == f"  {'x' * 4997}{HOUSE}"


@pytest.mark.parametrize("phone", [UNSET, "", None, "  "])
async def test_s0_19_a_call_needs_a_number(client: Client, make: Make, people: People, phone: Any) -> None:
    await _refused(client, make, people, 20012, leadPhoneNumber=phone)


@pytest.mark.parametrize("kind", ["logText", "logEmail"])
async def test_s0_19_others_need_no_number(client: Client, make: Make, kind: str) -> None:
    lead_id = await make.lead()
    assert (await add(client, lead_id, logType=kind, leadPhoneNumber=UNSET))["leadPhoneNumber"] is None
    assert (await add(client, lead_id, logType=kind, leadPhoneNumber="5" * 30))["leadPhoneNumber"] is None


async def test_s0_20_a_number_has_at_most_20_characters(client: Client, make: Make, people: People) -> None:
    phone = "+1 (586) 586-5860 x1"
    assert (await add(client, await make.lead(), leadPhoneNumber=phone))["leadPhoneNumber"] == phone
    assert (await add(client, await make.lead(), leadPhoneNumber=5865865860))["leadPhoneNumber"] == "5865865860"
    await _refused(client, make, people, 20043, leadPhoneNumber=phone + "2")


@pytest.mark.parametrize("kind", ["logCall", "logText"])
async def test_s0_21_d12_email_fields_are_ignored_elsewhere(client: Client, make: Make, kind: str) -> None:
    lead_id = await make.lead()
    log = await add(client, lead_id, logType=kind)
    assert [log[name] for name in EMAIL_FIELDS] == [None] * 3
    await add(client, lead_id, logType=kind, emailSubject=5, toEmail=["x"], fromEmail={})


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("emailSubject", id="S0-22"),
        pytest.param("toEmail", id="S0-23"),
        pytest.param("fromEmail", id="S0-24"),
    ],
)
async def test_s0_21_email_fields_of_an_email_are_kept(client: Client, make: Make, name: str) -> None:
    assert (await add(client, await make.lead(), logType="logEmail"))[name] == LOG[name]


async def test_s0_21_email_fields_are_any_text(client: Client, make: Make, people: People) -> None:
    texts = dict(zip(EMAIL_FIELDS, ("", "not an address", "Ann <ann@example.com>, bob@example.com"), strict=True))
    log = await add(client, await make.lead(), logType="logEmail", **texts)
    assert {name: log[name] for name in EMAIL_FIELDS} == texts
    await _refused(client, make, people, 20012, logType="logEmail", toEmail=["x"])


@pytest.mark.parametrize("value", [UNSET, None])
async def test_s0_25_email_fields_are_optional(client: Client, make: Make, value: Any) -> None:
    log = await add(client, await make.lead(), logType="logEmail", **dict.fromkeys(EMAIL_FIELDS, value))
    assert [log[name] for name in EMAIL_FIELDS] == [None] * 3


async def test_s0_26_six_outcomes(client: Client, make: Make) -> None:
    lead_id = await make.lead()
    for outcome in ("Talked", "VoiceMessage", "NoAnswer", "BadNumber", "DNCNumber", "DNCContact"):
        assert (await add(client, lead_id, callingOutcome=outcome))["callingOutcome"] == outcome


@pytest.mark.parametrize("kind", ["logText", "logEmail"])
async def test_s0_27_an_outcome_is_of_calls_only(client: Client, make: Make, kind: str) -> None:
    lead_id = await make.lead()
    for outcome in ("Talked", "x" * 21):
        assert (await add(client, lead_id, logType=kind, callingOutcome=outcome))["callingOutcome"] is None


@pytest.mark.parametrize("value", [UNSET, None])
async def test_s0_28_an_outcome_is_optional(client: Client, make: Make, value: Any) -> None:
    assert (await add(client, await make.lead(), callingOutcome=value))["callingOutcome"] is None


async def test_s0_29_d43_an_outcome_is_short_and_known(client: Client, make: Make, people: People) -> None:
    lead_id = await make.lead()
    for unknown in ("Sleeping", "talked", "x" * 20):
        assert (await add(client, lead_id, callingOutcome=unknown))["callingOutcome"] == "Talked"
    await _refused(client, make, people, 20043, callingOutcome="x" * 21)


@pytest.mark.parametrize("direction", ["outbound", "inbound"])
async def test_s0_30_two_directions(client: Client, make: Make, direction: str) -> None:
    log = await add(client, await make.lead(), outboundOrInbound=direction)
    assert log["outboundOrInbound"] == direction


@pytest.mark.parametrize("direction", ["Outbound", "out", "", 1])
async def test_s0_30_other_directions_are_refused(client: Client, make: Make, people: People, direction: Any) -> None:
    await _refused(client, make, people, 20012, outboundOrInbound=direction)


@pytest.mark.parametrize("value", [UNSET, None])
async def test_s0_31_outbound_is_the_default(client: Client, make: Make, value: Any) -> None:
    assert (await add(client, await make.lead(), outboundOrInbound=value))["outboundOrInbound"] == "outbound"


async def test_s0_32_the_direction_is_the_agents_view(client: Client, make: Make) -> None:
    lead_id = await make.lead()
    await add(client, lead_id, outboundOrInbound="inbound")
    [activity] = (await client.ok("GET", f"/v2.0/leads/{lead_id}/activities"))["activities"]
    assert activity["direction"] == "inbound"


@pytest.mark.parametrize(("value", "kept"), [(True, True), (False, False), (UNSET, False), (None, False)])
async def test_s0_33_pinning(client: Client, make: Make, value: Any, kept: bool) -> None:
    assert (await add(client, await make.lead(), isPin=value))["isPin"] is kept


async def test_s0_33_a_pin_is_true_or_false(client: Client, make: Make, people: People) -> None:
    await _refused(client, make, people, 20012, isPin="x")


async def test_s0_35_unknown_fields_are_ignored(client: Client, make: Make) -> None:
    assert "foo" not in await add(client, await make.lead(), foo=1)


async def test_text_may_not_hold_the_character_zero(client: Client, make: Make, people: People) -> None:
    await _refused(client, make, people, 20012, content="a\0b")
