"""Which redirect URI is whose, and what proves who asked for a code."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.oauth import CALLBACK, CHALLENGE, LOOPBACK, VERIFIER

from rooftree.auth import rules

REGISTERED = [CALLBACK, LOOPBACK, "com.example.app:/back", "http://[::1]:9/back"]
TRICKS = [
    "https://app.example.com/callback",
    "https://app.example.com/callback?tenant=1&x=2",
    "https://app.example.com/callback?tenant=10",
    "https://app.example.com/callback?tenant=1#fragment",
    "https://app.example.com/callback/../evil?tenant=1",
    "https://app.example.com/callback?tenant=1 ",
    "https://app.example.com:8443/callback?tenant=1",
    "https://app.example.com:443/callback?tenant=1",
    "https://app.example.com.evil.com/callback?tenant=1",
    "https://evil.com/callback?tenant=1",
    "https://app.example.com@evil.com/callback?tenant=1",
    "https://evil@app.example.com/callback?tenant=1",
    "https://APP.example.com/callback?tenant=1",
    "http://app.example.com/callback?tenant=1",
    "//app.example.com/callback?tenant=1",
    "javascript:alert(1)",
    "http://127.0.0.1:8000/other",
    "http://127.0.0.1:8000/callback?x=1",
    "http://127.0.0.1:8000/callback#x",
    "http://127.0.0.1:8000@evil.com/callback",
    "http://127.0.0.1:80:80/callback",
    "http://user@127.0.0.1:8000/callback",
    "http://127.0.0.1.evil.com:8000/callback",
    "http://127.0.0.2:8000/callback",
    "http://localhost:8000/callback",
    "https://127.0.0.1:8000/callback",
    "http://127.0.0.1:8000/callback\r\nX: y",
    "http://127.0.0.1:123456/callback",
]


@pytest.mark.parametrize("uri", TRICKS)
def test_what_only_looks_like_a_registered_uri(uri: str) -> None:
    assert rules.matching_redirect(REGISTERED, uri) is None


@pytest.mark.parametrize(
    "uri", [*REGISTERED, "http://127.0.0.1/callback", "http://127.0.0.1:51234/callback", "http://[::1]/back"]
)
def test_a_registered_uri_and_any_port_of_loopback(uri: str) -> None:
    assert rules.matching_redirect(REGISTERED, uri) == uri


def test_without_a_wish_the_first_one() -> None:
    assert rules.matching_redirect(REGISTERED, None) == CALLBACK
    assert rules.matching_redirect([], None) is None


@given(st.text() | st.from_regex(r"https?://(app\.example\.com|127\.0\.0\.1)[:@/?#][!-~]*", fullmatch=True))
def test_nobody_is_sent_to_another_host(uri: str) -> None:
    found = rules.matching_redirect(REGISTERED, uri)
    assert (
        found is None or found in REGISTERED or rules.source_of(found).startswith(("http://127.0.0.1", "http://[::1]"))
    )


@pytest.mark.parametrize("uri", [*REGISTERED, "https://x.example/a-b_c~d?e=%20&f[]=1", "http://localhost/"])
def test_what_may_be_registered(uri: str) -> None:
    assert rules.redirect_complaint(uri) is None


@pytest.mark.parametrize(
    "uri",
    [
        "", "x", "/callback", "//example.com/", "https://", "https:///x", "http://example.com/", "https://a@b.example/",
        "https://x.example/#f", "https://x.example/ y", "https://x.example/;a", "https://x.example/,a", "javascript:x",
        "data:x", "file:///x", "app:/x", "http://127.0.0.1:8000@evil.com/", "https://x.example\\@evil.com/", "https://[x/",
        "https://é.example/", "https://x.example/" + "x" * 2000, "https://x.example/\n",
    ],
)  # fmt: skip
def test_what_may_not_be_registered(uri: str) -> None:
    assert rules.redirect_complaint(uri)


def test_a_verifier_fits_its_challenge_alone() -> None:
    assert rules.is_verified(CHALLENGE, VERIFIER)
    assert rules.is_verified(None, None)
    wrong = (None, "", "x", VERIFIER + "x", VERIFIER[:-1], VERIFIER + "\n", CHALLENGE, "é" * 43)
    assert not any(rules.is_verified(CHALLENGE, verifier) for verifier in wrong)
    assert not rules.is_verified(None, VERIFIER)
    assert not rules.is_verified(VERIFIER, VERIFIER), "plain"
