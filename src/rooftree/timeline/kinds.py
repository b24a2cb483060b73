"""THE table of what can happen to a lead.

contract: vocab.md "System log" and "Webhooks"; webhooks.md 5.2
"""

from typing import Final

from msgspec import Struct


class Told(Struct, frozen=True):
    """A webhook list that hears of a kind, and what an entry of its payload must carry beside leadId."""

    list_id: int
    verb: str  #: created, updated, finished, deleted
    thing: str  #: singular noun: the array is verb + Thing
    keys: tuple[str, ...] = ()


class Kind(Struct, frozen=True):
    """What happened, in every published vocabulary."""

    name: str
    text: str  #: for people
    system_log_type: int | None = None
    system_log_name: str | None = None
    told: tuple[Told, ...] = ()
    site_code: int | None = None  #: tracking code of site activity
    channel: str | None = None  #: call, text, email
    counters: tuple[str, ...] = ()  #: columns of the summary that it adds one to
    moments: tuple[str, ...] = ()  #: columns of the summary that it moves forward


_LEAD_UPDATED: Final = Told(2, "updated", "Lead")
_SITE: Final = (Told(3, "created", "LeadActivity"),)
_VISIT: Final = ("last_activity_at", "last_visit_at", "last_touch_at")

LEAD_CREATED: Final = "lead_created"
LEAD_UPDATED: Final = "lead_updated"
LEAD_TRASHED: Final = "lead_trashed"
LEAD_RESTORED: Final = "lead_restored"
LEAD_ASSIGNED: Final = "lead_assigned"
LEAD_ROUTED: Final = "lead_routed"
STAGE_CHANGED: Final = "stage_changed"
SUBSCRIPTION_CHANGED: Final = "subscription_changed"
TAGS_CHANGED: Final = "tags_changed"
PROPERTY_CHANGED: Final = "property_changed"
INQUIRY_CHANGED: Final = "inquiry_changed"
NOTE_ADDED: Final = "note_added"
TRANSACTION_ADDED: Final = "transaction_added"
SITE_BROWSE: Final = "site_browse"
SITE_SEARCH: Final = "site_search"
SITE_FAVORITE: Final = "site_favorite"
SITE_REQUEST: Final = "site_request"
SITE_SUBMISSION: Final = "site_submission"

KINDS: Final[dict[str, Kind]] = {
    kind.name: kind
    for kind in (
        Kind(LEAD_CREATED, "The lead came in", 900, "LeadCreated", (Told(2, "created", "Lead"),)),
        Kind(LEAD_UPDATED, "Fields of the lead were changed", 901, "LeadUpdated", (_LEAD_UPDATED,)),
        Kind(LEAD_TRASHED, "The lead was moved to the trash", 902, "LeadTrashed", (Told(2, "deleted", "Lead"),)),
        Kind(LEAD_RESTORED, "The lead came back from the trash", 901, "LeadUpdated", (_LEAD_UPDATED,)),
        Kind(LEAD_ASSIGNED, "A role on the lead was given to somebody", 903, "LeadAssigned", (_LEAD_UPDATED,)),
        Kind(LEAD_ROUTED, "The routing chose the lead's agent", 904, "LeadRouted"),
        Kind(
            STAGE_CHANGED,
            "The lead moved to another stage",
            38,
            "TeamStageChange",
            (_LEAD_UPDATED, Told(12, "updated", "Pipeline", ("stageId", "stage"))),
        ),
        Kind(SUBSCRIPTION_CHANGED, "E-mail consent changed", 905, "SubscriptionChange", (_LEAD_UPDATED,)),
        Kind(TAGS_CHANGED, "Tags were added or removed", 906, "TagChange", (_LEAD_UPDATED,)),
        Kind(PROPERTY_CHANGED, "A property was added or changed", 907, "PropertyChange", (_LEAD_UPDATED,)),
        Kind(INQUIRY_CHANGED, "What the lead looks for changed", 908, "InquiryChange", (_LEAD_UPDATED,)),
        Kind(NOTE_ADDED, "A note was written", told=(Told(9, "created", "Note", ("noteId", "timelineId")),)),
        Kind(
            TRANSACTION_ADDED,
            "A transaction was added",
            909,
            "TransactionChange",
            (Told(5, "created", "Transaction", ("transactionId",)),),
        ),
        Kind(
            SITE_BROWSE,
            "The lead viewed a property",
            told=_SITE,
            site_code=1,
            counters=("activity_count", "view_count"),
            moments=_VISIT,
        ),
        Kind(
            SITE_SEARCH,
            "The lead searched",
            told=_SITE,
            site_code=2,
            counters=("activity_count", "search_count"),
            moments=_VISIT,
        ),
        Kind(
            SITE_FAVORITE,
            "The lead saved a property",
            told=_SITE,
            site_code=3,
            counters=("activity_count", "favorite_count"),
            moments=_VISIT,
        ),
        Kind(
            SITE_REQUEST,
            "The lead asked for a showing",
            told=_SITE,
            site_code=23,
            counters=("activity_count",),
            moments=_VISIT,
        ),
        Kind(
            SITE_SUBMISSION,
            "The lead submitted a form",
            told=_SITE,
            site_code=39,
            counters=("activity_count",),
            moments=_VISIT,
        ),
    )
}
