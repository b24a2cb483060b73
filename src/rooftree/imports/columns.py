"""What a column may be, and what it is by its header."""

import re
from collections.abc import Iterable
from typing import Final

from rooftree.imports.plan import CUSTOM, IGNORE
from rooftree.leads.wire import LeadProperty

#: What each target's cells hold (cells.py): text, list, labels, number, decimal, yes_no, flag, day, moment, types,
#: person, json. The names are those of POST /v1.0/leads; `name` is first and last, `createTime` when the lead came.
TARGETS: Final[dict[str, str]] = {
    "firstName": "text",
    "lastName": "text",
    "name": "text",
    "emails": "list",
    "phones": "list",
    "stage": "text",
    "source": "text",
    "assignedUserId": "person",
    "tags": "labels",
    "segments": "labels",
    "leadTypes": "types",
    "streetAddress": "text",
    "city": "text",
    "state": "text",
    "zipCode": "text",
    "referredBy": "text",
    "birthday": "day",
    "language": "text",
    "buyingTimeFrame": "text",
    "sellingTimeFrame": "text",
    **dict.fromkeys(
        ("preQual", "houseToSell", "fthb", "withBuyerAgent", "mortgage", "buyHouse", "withListingAgent"), "yes_no"
    ),
    **dict.fromkeys(("cannotText", "cannotCall", "cannotEmail", "unsubscription"), "flag"),
    "ownershipScope": "text",
    "ownershipId": "text",
    "note": "note",
    "createTime": "moment",
    "inquiry.priceMin": "number",
    "inquiry.priceMax": "number",
    "inquiry.propertyType": "labels",
    "inquiry.bedroomsMin": "number",
    "inquiry.bedroomsMax": "number",
    "inquiry.bathroomsMin": "text",
    "inquiry.bathroomsMax": "text",
    **{f"inquiry.{name}": "place" for name in ("city", "stateCode", "zipCode", "county", "streetAddress")},
    "family.firstName": "text",
    "family.lastName": "text",
    "family.relationship": "text",
    "family.emails": "list",
    "family.phones": "list",
    "family.birthday": "day",
    **dict.fromkeys(("inquiry", "property", "leadFamilyMemberList", "customAttributeList"), "json"),
}

_OF_PROPERTY: Final = {
    "decimal": ("bathrooms", "lot_size"),
    "number": (
        "price",
        "bedrooms",
        "square_feet",
        "parking_space",
        "floors",
        "auto_listing_id",
        "price_max",
        "price_min",
    ),
    "flag": ("mail_address",),
}


_KIND_OF_PROPERTY: Final = {name: kind for kind, names in _OF_PROPERTY.items() for name in names}
TARGETS.update(
    {
        f"property.{sent_as}": _KIND_OF_PROPERTY.get(name, "text")
        for name, sent_as in zip(LeadProperty.__struct_fields__, LeadProperty.__struct_encode_fields__, strict=True)
        if name != "id"
    }
)

#: Headers of other programs' exports, in lower case without anything but letters and digits; a number after them, or
#: one of _ENDINGS, is left off first.
_SYNONYMS: Final[dict[str, str]] = {
    header: target
    for target, headers in {
        "firstName": "first firstname givenname forename fname contactfirstname",
        "lastName": "last lastname surname familyname lname contactlastname",
        "name": "name fullname contactname contact leadname clientname displayname",
        "emails": "email emails emailaddress mail primaryemail secondaryemail homeemail workemail personalemail "
        "otheremail alternateemail emailprimary emailhome emailwork",
        "phones": "phone phones phonenumber mobile mobilephone cell cellphone cellular homephone workphone "
        "businessphone primaryphone secondaryphone otherphone alternatephone telephone tel mobilenumber cellnumber "
        "phonemobile phonehome phonework primarycontactnumber daytimephone eveningphone",
        "stage": "stage leadstage status leadstatus pipelinestage pipeline lifecyclestage contactstage",
        "source": "source leadsource origin originalsource contactsource leadorigin",
        "assignedUserId": "assignedto assigneduser assigneduserid assignee agent leadowner owner contactowner "
        "assignedagent listingagent salesrep accountowner ownername assignedagentemail agentemail owneremail",
        "tags": "tags tag labels label hashtags keywords",
        "segments": "segments segment groups group lists list groupmembership categories",
        "leadTypes": "leadtypes leadtype type contacttype clienttype buyerseller",
        "streetAddress": "address streetaddress street addressline mailingaddress homeaddress homestreet mailingstreet "
        "addressstreet mailingaddressstreet primaryaddress",
        "city": "city town homecity mailingcity addresscity",
        "state": "state province region mailingstate addressstate stateprovince addressregion",
        "zipCode": "zip zipcode postalcode postcode homezip mailingzip addresszip homepostalcode mailingpostalcode "
        "addresspostalcode",
        "referredBy": "referredby referral referrer referralname",
        "birthday": "birthday birthdate dateofbirth dob",
        "language": "language preferredlanguage",
        "buyingTimeFrame": "buyingtimeframe timeframe timeline buyingtimeline",
        "sellingTimeFrame": "sellingtimeframe sellingtimeline",
        "preQual": "prequal prequalified preapproved",
        "houseToSell": "housetosell",
        "fthb": "fthb firsttimebuyer firsttimehomebuyer",
        "withBuyerAgent": "withbuyeragent",
        "cannotText": "cannottext donottext textoptout smsoptout optoutsms dnt",
        "cannotCall": "cannotcall donotcall calloptout dnc",
        "cannotEmail": "cannotemail donotemail",
        "unsubscription": "unsubscription unsubscribed emailoptout optout optedout hasoptedoutofemail",
        "note": "note notes comment comments description background content message remarks",
        "createTime": "createtime created createdat createddate createdon createdate creationdate dateadded "
        "dateentered registrationdate registered addeddate addedon leaddate datecreated",
        "inquiry.priceMin": "pricemin minprice minimumprice pricelow budgetmin minbudget",
        "inquiry.priceMax": "pricemax maxprice maximumprice pricehigh budget budgetmax maxbudget pricerange",
        "inquiry.bedroomsMin": "bedroomsmin minbedrooms minbeds bedsmin beds bedrooms",
        "inquiry.bedroomsMax": "bedroomsmax maxbedrooms maxbeds bedsmax",
        "inquiry.bathroomsMin": "bathroomsmin minbathrooms minbaths bathsmin baths bathrooms",
        "inquiry.bathroomsMax": "bathroomsmax maxbathrooms maxbaths bathsmax",
        "inquiry.propertyType": "inquirypropertytype propertytype hometype",
        "inquiry.city": "inquirycity preferredcity citiesofinterest searchcity areaofinterest",
        "property.streetAddress": "propertyaddress propertystreet propertystreetaddress",
        "property.city": "propertycity",
        "property.state": "propertystate",
        "property.zipCode": "propertyzip propertyzipcode propertypostalcode",
        "property.price": "propertyprice listprice homevalue",
        "property.squareFeet": "squarefeet sqft propertysquarefeet",
        "family.firstName": "spouse spousename spousefirstname partnername partnerfirstname",
        "family.lastName": "spouselastname partnerlastname",
        "family.emails": "spouseemail partneremail",
        "family.phones": "spousephone partnerphone",
        "family.birthday": "spousebirthday partnerbirthday",
    }.items()
    for header in headers.split()
}
_BY_OWN_NAME: Final = {re.sub(r"[^a-z0-9]", "", name.lower()): name for name in TARGETS}
_ENDINGS: Final = re.compile(r"(?:\d+|value)$")
#: The columns that our own files of rows in error add.
ERROR_COLUMNS: Final = ("row", "reason")


def target_of(header: str) -> str | None:
    """Return what a column is by its header, None when nothing we know."""
    plain = re.sub(r"[^a-z0-9]", "", header.lower())
    while plain:
        if found := _BY_OWN_NAME.get(plain) or _SYNONYMS.get(plain):
            return found
        shorter = _ENDINGS.sub("", plain)
        if shorter == plain:
            return None
        plain = shorter
    return None


def guess(headers: Iterable[str]) -> dict[str, str | None]:
    """Return what each column is. Of two that are the same single thing, the second is unknown."""
    names = list(headers)
    found: dict[str, str | None] = {}
    for header in names:
        target = target_of(header)
        is_taken = target in found.values() and TARGETS.get(target or "") not in _REPEATABLE
        found[header] = None if is_taken else target
    if tuple(names[-2:]) == ERROR_COLUMNS:
        found |= dict.fromkeys(ERROR_COLUMNS, IGNORE)
    return found


_REPEATABLE: Final = {"list", "labels", "note", "types"}


def complaint(target: str) -> str | None:
    """Return what is wrong with a target of a mapping file, None when nothing is."""
    if target in TARGETS or target == IGNORE or (target.startswith(CUSTOM) and target.removeprefix(CUSTOM).strip()):
        return None
    return f"{target} is nothing that a column can be"
