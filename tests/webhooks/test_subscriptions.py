"""Subscribing, listing, ending: every rule of the contract."""

import asyncio
import ipaddress
from typing import Any

import pytest
from tests.support.client import Client
from tests.support.people import People
from tests.webhooks.conftest import Hooks

from rooftree.webhooks.guard import Guard, NotAllowedError, is_public

URL = "https://192.0.2.1.example.com/hook?key=1"


async def test_a_subscription_in_the_contracts_shape(client: Client, people: People) -> None:
    made = await client.ok("POST", "/v1.0/webhook", {"listId": 2, "callbackUrl": URL})
    assert made == {
        "subscribeId": made["subscribeId"],
        "teamId": people.adam.team_id,
        "listId": 2,
        "vendorId": None,
        "callbackUrl": URL,
        "limit": 100,
        "permissionMode": 0,
    }
    other = await client.ok("POST", "/v1.0/webhooks", {"listId": "3", "url": URL, "limit": 5000, "permissionMode": 1})
    assert (other["listId"], other["limit"], other["permissionMode"]) == (3, 5000, 1)
    assert await client.as_(people.ana).ok("GET", "/v1.0/webhooks") == [made, other]
    assert await client.as_(people.stella).ok("GET", "/v1.0/webhooks") == []


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"listId": None}, 900020),
        ({"listId": 0}, 900020),
        ({"listId": 13}, 900020),
        ({"listId": "x"}, 900020),
        ({"listId": 2.5}, 900020),
        ({"limit": 0}, 20012),
        ({"limit": 5001}, 20012),
        ({"permissionMode": 2}, 20012),
        ({"callbackUrl": None}, 20049),
        ({"callbackUrl": ""}, 20049),
        ({"callbackUrl": "http://example.com/hook"}, 20049),
        ({"callbackUrl": "ftp://example.com/hook"}, 20049),
        ({"callbackUrl": "https:///hook"}, 20049),
        ({"callbackUrl": "https://user@example.com/"}, 20049),
        ({"callbackUrl": "https://user:pw@example.com/"}, 20049),
        ({"callbackUrl": "https://example.com/#part"}, 20049),
        ({"callbackUrl": "https://example.com:99999/"}, 20049),
        ({"callbackUrl": "https://example.com:0/"}, 20049),
        ({"callbackUrl": "https://exa mple.com/"}, 20049),
        ({"callbackUrl": "https://example.com\\@127.0.0.1/"}, 20049),
        ({"callbackUrl": "https://" + "a" * 300 + ".com/"}, 20049),
        ({"callbackUrl": "https://example.com/" + "a" * 2048}, 20049),
        ({"callbackUrl": "https://10.0.0.1/hook"}, 20049),
        ({"callbackUrl": "https://169.254.169.254/latest/meta-data"}, 20049),
        ({"callbackUrl": "https://[::ffff:10.0.0.1]/"}, 20049),
        ({"callbackUrl": "https://0x0a000001/"}, 20049),
        ({"callbackUrl": "https://167772161/"}, 20049),
    ],
)
async def test_what_cannot_be_subscribed_to(client: Client, fields: dict[str, Any], code: int) -> None:
    assert await client.refused("POST", "/v1.0/webhook", {"listId": 2, "callbackUrl": URL, **fields}) == (400, code)
    assert await client.ok("GET", "/v1.0/webhooks") == []


async def test_the_same_again_renews_what_is_there(client: Client, people: People, hooks: Hooks) -> None:
    body = {"listId": 2, "callbackUrl": URL}
    made = await asyncio.gather(*(client.ok("POST", "/v1.0/webhook", body) for _ in range(8)))
    assert len({one["subscribeId"] for one in made}) == 1
    again = await client.ok("POST", "/v1.0/webhook", {**body, "limit": 7, "permissionMode": 1})
    assert (again["subscribeId"], again["limit"], again["permissionMode"]) == (made[0]["subscribeId"], 7, 1)
    assert (await client.as_(people.ana).ok("POST", "/v1.0/webhook", body))["subscribeId"] != made[0]["subscribeId"]
    assert (await client.ok("POST", "/v1.0/webhook", {**body, "listId": 3}))["subscribeId"] != made[0]["subscribeId"]


async def test_a_team_has_a_quota(client: Client, people: People) -> None:
    wishes = [{"listId": 2, "callbackUrl": f"{URL}{number}"} for number in range(25)]
    answers = await asyncio.gather(*(client.send("POST", "/v1.0/webhook", wish) for wish in wishes))
    assert sum(one.status_code == 200 for one in answers) == 20
    assert {one.json()["code"] for one in answers if one.status_code == 400} == {900022}
    first = (await client.ok("GET", "/v1.0/webhooks"))[0]["subscribeId"]
    await client.ok("DELETE", f"/v1.0/webhook/{first}")
    await client.ok("POST", "/v1.0/webhook", {"listId": 4, "callbackUrl": URL})
    await client.as_(people.sid).ok("POST", "/v1.0/webhook", {"listId": 4, "callbackUrl": URL})


async def test_ending_a_subscription(client: Client, people: People) -> None:
    made = (await client.ok("POST", "/v1.0/webhook", {"listId": 2, "callbackUrl": URL}))["subscribeId"]
    assert await client.as_(people.sid).refused("DELETE", f"/v1.0/webhook/{made}") == (400, 900024)
    assert await client.as_(people.ana).ok("DELETE", f"/v1.0/webhooks/{made}") == {}
    for number in (made, 0, -1, "x", 2**63, 1):
        assert await client.refused("DELETE", f"/v1.0/webhook/{number}") == (400, 900023)
    again = (await client.ok("POST", "/v1.0/webhook", {"listId": 2, "callbackUrl": URL}))["subscribeId"]
    assert again != made


async def test_only_the_subscriber_and_administrators_look_inside(client: Client, people: People, hooks: Hooks) -> None:
    made = await hooks.subscribe(2, by=people.adam)
    delivery = (await client.ok("POST", f"/rooftree/v1/webhooks/{made}/test"))["deliveryId"]
    paths = [
        ("GET", f"/rooftree/v1/webhooks/{made}/secret"),
        ("POST", f"/rooftree/v1/webhooks/{made}/secret"),
        ("POST", f"/rooftree/v1/webhooks/{made}/test"),
        ("GET", f"/rooftree/v1/webhooks/{made}/deliveries"),
        ("POST", f"/rooftree/v1/webhooks/{made}/replay"),
        ("GET", f"/rooftree/v1/webhooks/deliveries/{delivery}"),
    ]
    for person in (people.ana, people.stella):
        for method, path in paths:
            assert await client.as_(person).refused(method, path) == (404, 20007)
        assert (await client.as_(person).ok("GET", "/rooftree/v1/webhooks"))["webhooks"] == []
    for person in (people.adam, people.olive):
        for method, path in paths:
            await client.as_(person).ok(method, path)
        (shown,) = (await client.as_(person).ok("GET", "/rooftree/v1/webhooks"))["webhooks"]
        assert (shown["subscribeId"], shown["status"], shown["memberId"]) == (made, "active", people.adam.id)


# --- addresses -------------------------------------------------------------------------------------------------------


_PRIVATE = """
0.0.0.0 10.0.0.1 100.64.0.1 127.0.0.1 127.8.8.8 169.254.169.254 172.16.0.1 172.31.255.255 192.0.0.1
192.0.2.1 192.168.0.1 198.18.0.1 198.51.100.1 203.0.113.1 224.0.0.1 239.255.255.255 240.0.0.1
255.255.255.255 :: ::1 ::ffff:8.8.8.8 ::ffff:127.0.0.1 64:ff9b::7f00:1 100::1 2001::1 2001:db8::1
2002:7f00:1:: fc00::1 fd12::1 fe80::1 fec0::1 ff02::1 ff0e::1
"""


@pytest.mark.parametrize("address", _PRIVATE.split())
def test_addresses_that_nothing_is_posted_to(address: str) -> None:
    assert not is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", ["8.8.8.8", "1.1.1.1", "172.32.0.1", "100.128.0.1", "2606:4700::1111"])
def test_addresses_of_the_public_internet(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))


async def test_networks_may_be_opened() -> None:
    guard = Guard("10.1.0.0/16, fd00:1::/32")
    for url in ("http://10.1.2.3/", "https://10.1.2.3:8443/", "https://[fd00:1::5]/"):
        await guard.check(url)
    for url in ("https://10.2.0.1/", "http://8.8.8.8/", "http://10.2.0.1/"):
        with pytest.raises(NotAllowedError):
            await guard.check(url)
    with pytest.raises(NotAllowedError):
        await Guard().check("https://localhost/")
    with pytest.raises(ValueError, match="nonsense"):
        Guard("nonsense")
