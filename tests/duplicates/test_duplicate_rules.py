"""Who is taken for the same person, and why."""

from typing import Any

import pytest

from rooftree.duplicates.names import folded, sound, whole
from rooftree.duplicates.rules import bare_email, compared, keys_of, likeness, person_of
from rooftree.leads.model import Comparable


def lead(lead_id: int = 1, first: str = "Jon", last: str | None = "Smith", **fields: Any) -> Comparable:
    known: dict[str, Any] = {
        "emails": [],
        "phones": [],
        "street_address": None,
        "city": None,
        "zip_code": None,
        "properties": b"[]",
    }
    return Comparable(id=lead_id, first_name=first, last_name=last, **known | fields)


@pytest.mark.parametrize(
    ("address", "bare"),
    [
        ("j.smith+news@gmail.com", "jsmith@gmail.com"),
        ("jsmith@googlemail.com", "jsmith@gmail.com"),
        ("j.smith+x@corp.example", "j.smith@corp.example"),
        ("+x@corp.example", "+x@corp.example"),
        ("nonsense", "nonsense"),
    ],
)
def test_mailboxes(address: str, bare: str) -> None:
    assert bare_email(address) == bare


def test_names_are_folded_made_whole_and_heard() -> None:
    assert folded("  José-María  MÜLLER ") == "jose maria muller"
    assert folded("Straße Øst") == "strasse ost"
    assert (whole("bob"), whole("liz anne"), whole("zed")) == ("robert", "elizabeth anne", "zed")
    assert sound("smith") == sound("smyth") == sound("schmidt") == "smt"


@pytest.mark.parametrize(
    ("one", "other", "is_alike"),
    [
        (("Jon", "Smith"), ("John", "Smyth"), True),
        (("Bob", "Miller"), ("Robert", "Miller"), True),
        (("José", "Müller"), ("Jose", "Muller"), True),
        (("Smith", "Jon"), ("Jon", "Smith"), True),
        (("J", "Smith"), ("Jon", "Smith"), True),
        (("Anna", "Meier"), ("Peter", "Meier"), False),
        (("Ann", "Lee"), ("Ann", "Lopez"), False),
        (("Jon", None), ("Jon", "Smith"), None),
    ],
)
def test_names(one: tuple[str, str], other: tuple[str, str], is_alike: bool | None) -> None:
    found = likeness(person_of(lead(1, *one)), person_of(lead(2, *other)))
    assert (None if found is None else found >= 0.88) == is_alike


def _score(one: Comparable, other: Comparable, *crowded: str) -> int:
    found = compared(person_of(one), person_of(other), frozenset(crowded))
    return found.score if found else 0


def test_what_counts() -> None:
    """A shared address or number is enough; a name needs a second sign; more of it counts more."""
    mail, phone = {"emails": ["j@x.example"]}, {"phones": ["+13105550100"]}
    assert _score(lead(1), lead(2)) == 0, "a name alone is nobody"
    assert _score(lead(1, city="Austin"), lead(2, "Jon", "Smyth", city="Austin")) == 0, "nor with a town"
    by_zip = _score(lead(1, zip_code="78701"), lead(2, "John", "Smyth", zip_code="78701-1234"))
    by_street = _score(lead(1, street_address="1 Main St."), lead(2, street_address="1 MAIN ST"))
    by_phone, by_mail = _score(lead(1, **phone), lead(2, **phone)), _score(lead(1, **mail), lead(2, **mail))
    assert 50 <= by_zip < by_street < by_phone < by_mail < _score(lead(1, **mail, **phone), lead(2, **mail, **phone))
    other_name = _score(lead(1, **mail), lead(2, "Petra", "Quist", **mail))
    assert 0 < other_name < by_phone, "a couple with one mailbox is listed, but further down"
    assert _score(lead(1, "Jon", None, **phone), lead(2, "Jon", "Smith", **phone)) >= 70


def test_what_an_office_shares_says_little() -> None:
    phone = {"phones": ["+13105550100"]}
    assert _score(lead(1, "Ann", "Lee", **phone), lead(2, "Zoe", "Quist", **phone), "+13105550100") == 0
    assert _score(lead(1, **phone), lead(2, **phone), "+13105550100") > 0, "the same name there is the same person"


def test_reasons_in_words_name_both_ways_of_writing() -> None:
    one = lead(1, "Bob", emails=["b.smith@gmail.com"], phones=["+13105550100"])
    other = lead(2, "Robert", emails=["bsmith+x@gmail.com"], phones=["+13105550101"])
    found = compared(person_of(other), person_of(one), frozenset())
    assert found is not None
    assert (found.lead_id, found.other_id) == (1, 2)
    assert [reason.text for reason in found.reasons] == [
        "Names alike: Bob Smith, Robert Smith",
        "Same mailbox, written differently: b.smith@gmail.com, bsmith+x@gmail.com",
        "Similar phone numbers: +13105550100, +13105550101",
    ]


def test_leads_that_are_alike_share_a_key() -> None:
    one = person_of(lead(1, "Jon", "Smith", zip_code="78701", emails=["jon.smith@x.example"]))
    assert keys_of(one) & keys_of(person_of(lead(2, "John", "Smyth", zip_code="78701")))
    assert keys_of(one) & keys_of(person_of(lead(2, "Johnny", "Smith", emails=["jonsmith@y.example"])))
    assert not keys_of(one) & keys_of(person_of(lead(2, "Petra", "Quist", zip_code="78701")))
    assert len(keys_of(person_of(lead(1, "", None)))) == 0


def test_names_that_were_seen_are_not_kept_for_ever() -> None:
    bound = folded.cache_info().maxsize
    assert bound is not None
    for number in range(bound + 10):
        folded(f"Name {number}")
    assert folded.cache_info().currsize == bound
