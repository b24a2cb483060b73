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
    beside: tuple[str, ...] = ()  #: keys of ours that it carries too; they do not make it another thing


class Kind(Struct, frozen=True):
    """What happened, in every published vocabulary."""

    name: str
    text: str  #: for people
    system_log_type: int | None = None
    system_log_name: str | None = None
    told: tuple[Told, ...] = ()
    site_code: int | None = None  #: tracking code of site activity
    channel: str | None = None  #: call, text, email
    origin: str | None = None  #: of talk: auto, manual (an agent's own), logged (it took place elsewhere)
    counters: tuple[str, ...] = ()  #: columns of the summary that it adds one to
    moments: tuple[str, ...] = ()  #: columns of the summary that it moves forward
    points: int = 0  #: what it adds to the lead's score, which ends at 100


_LEAD_UPDATED: Final = Told(2, "updated", "Lead")
_SITE: Final = (Told(3, "created", "LeadActivity"),)
_VISIT: Final = ("last_activity_at", "last_visit_at", "last_touch_at")

LEAD_CREATED: Final = "lead_created"
LEAD_UPDATED: Final = "lead_updated"
LEAD_TRASHED: Final = "lead_trashed"
LEAD_RESTORED: Final = "lead_restored"
LEAD_MERGED: Final = "lead_merged"
LEAD_MERGED_AWAY: Final = "lead_merged_away"
LEAD_UNMERGED: Final = "lead_unmerged"
LEAD_CAME_BACK: Final = "lead_came_back"
LEAD_ASSIGNED: Final = "lead_assigned"
LEAD_ROUTED: Final = "lead_routed"
STAGE_CHANGED: Final = "stage_changed"
SUBSCRIPTION_CHANGED: Final = "subscription_changed"
TAGS_CHANGED: Final = "tags_changed"
PROPERTY_CHANGED: Final = "property_changed"
INQUIRY_CHANGED: Final = "inquiry_changed"
NOTE_ADDED: Final = "note_added"
NOTE_EDITED: Final = "note_edited"
NOTE_DELETED: Final = "note_deleted"
LOG_DELETED: Final = "log_deleted"
CALL_LOGGED: Final = "call_logged"
TEXT_LOGGED: Final = "text_logged"
EMAIL_LOGGED: Final = "email_logged"
CALL_MADE: Final = "call_made"
TEXT_SENT: Final = "text_sent"
EMAIL_SENT: Final = "email_sent"
TEXT_SENT_BY_ITSELF: Final = "text_sent_by_itself"
EMAIL_SENT_BY_ITSELF: Final = "email_sent_by_itself"
CALL_RECEIVED: Final = "call_received"
TEXT_RECEIVED: Final = "text_received"
EMAIL_RECEIVED: Final = "email_received"
MESSAGE_DELIVERED: Final = "message_delivered"
MESSAGE_FAILED: Final = "message_failed"
EMAIL_BOUNCED: Final = "email_bounced"
CALL_RECORDED: Final = "call_recorded"
CALL_SUMMARISED: Final = "call_summarised"
TRANSACTION_ADDED: Final = "transaction_added"
SITE_BROWSE: Final = "site_browse"
SITE_SEARCH: Final = "site_search"
SITE_FAVORITE: Final = "site_favorite"
SITE_REQUEST: Final = "site_request"
SITE_SUBMISSION: Final = "site_submission"

#: Who hears of talk by an agent's hand; what the system did or received is told to nobody. contract: webhooks.md 2
_TALK_TOLD: Final = {
    "call": (Told(6, "created", "Call", ("timelineId", "callId")),),
    "email": (Told(7, "created", "Email", ("timelineId", "emailId")),),
    "text": (Told(8, "created", "Text", ("timelineId", "textId")),),
}


def _talk(name: str, text: str, channel: str, origin: str) -> Kind:
    """Return a kind of call, text or e-mail. The side that spoke moves more (`moments_of`)."""
    return Kind(
        name,
        text,
        told=() if origin == "auto" else _TALK_TOLD[channel],
        channel=channel,
        origin=origin,
        counters=("communication_count",),
        moments=(f"last_{channel}_at", "last_touch_at"),
    )


def moments_of(kind: Kind, direction: str | None) -> tuple[str, ...]:
    """Return the columns of the summary that an entry moves: the lead's word is activity, an agent's is contact."""
    if direction == "inbound":
        return (*kind.moments, "last_activity_at")
    if direction == "outbound" and kind.origin != "auto":
        return (*kind.moments, "last_contact_at")
    return kind.moments


KINDS: Final[dict[str, Kind]] = {
    kind.name: kind
    for kind in (
        Kind(LEAD_CREATED, "The lead came in", 900, "LeadCreated", (Told(2, "created", "Lead"),)),
        Kind(LEAD_UPDATED, "Fields of the lead were changed", 901, "LeadUpdated", (_LEAD_UPDATED,)),
        Kind(LEAD_TRASHED, "The lead was moved to the trash", 902, "LeadTrashed", (Told(2, "deleted", "Lead"),)),
        Kind(LEAD_RESTORED, "The lead came back from the trash", 901, "LeadUpdated", (_LEAD_UPDATED,)),
        Kind(
            LEAD_MERGED,
            "Another lead was merged into this one",
            901,
            "LeadUpdated",
            (Told(2, "updated", "Lead", beside=("mergedLeadId",)),),
        ),
        Kind(
            LEAD_MERGED_AWAY,
            "The lead was merged into another",
            902,
            "LeadTrashed",
            (Told(2, "deleted", "Lead", beside=("mergedIntoLeadId",)),),
        ),
        Kind(
            LEAD_UNMERGED,
            "A lead that had been merged into this one was taken out again",
            901,
            "LeadUpdated",
            (Told(2, "updated", "Lead", beside=("unmergedLeadId",)),),
        ),
        Kind(
            LEAD_CAME_BACK,
            "The lead was taken out of the one that it had been merged into",
            901,
            "LeadUpdated",
            (Told(2, "updated", "Lead", beside=("unmergedFromLeadId",)),),
        ),
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
            NOTE_EDITED,
            "A note was changed",
            17,
            "NoteEdit",
            (Told(9, "updated", "Note", ("noteId", "timelineId")),),
        ),
        Kind(
            NOTE_DELETED,
            "A note was deleted",
            18,
            "NoteDelete",
            (Told(9, "deleted", "Note", ("noteId", "timelineId")),),
        ),
        Kind(LOG_DELETED, "A manual log was deleted", 910, "LogDelete"),
        _talk(CALL_LOGGED, "A call elsewhere was logged", "call", "logged"),
        _talk(TEXT_LOGGED, "A text elsewhere was logged", "text", "logged"),
        _talk(EMAIL_LOGGED, "An e-mail elsewhere was logged", "email", "logged"),
        _talk(CALL_MADE, "An agent called", "call", "manual"),
        _talk(TEXT_SENT, "An agent sent a text", "text", "manual"),
        _talk(EMAIL_SENT, "An agent sent an e-mail", "email", "manual"),
        _talk(TEXT_SENT_BY_ITSELF, "The system sent a text", "text", "auto"),
        _talk(EMAIL_SENT_BY_ITSELF, "The system sent an e-mail", "email", "auto"),
        _talk(CALL_RECEIVED, "The lead called", "call", "auto"),
        _talk(TEXT_RECEIVED, "The lead sent a text", "text", "auto"),
        _talk(EMAIL_RECEIVED, "The lead sent an e-mail", "email", "auto"),
        Kind(MESSAGE_DELIVERED, "A message reached the lead"),
        Kind(MESSAGE_FAILED, "A message could not be sent"),
        Kind(EMAIL_BOUNCED, "An e-mail came back"),
        Kind(CALL_RECORDED, "The recording of a call arrived"),
        Kind(CALL_SUMMARISED, "A call was transcribed or summarised"),
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
            points=1,
        ),
        Kind(
            SITE_SEARCH,
            "The lead searched",
            told=_SITE,
            site_code=2,
            counters=("activity_count", "search_count"),
            moments=_VISIT,
            points=1,
        ),
        Kind(
            SITE_FAVORITE,
            "The lead saved a property",
            told=_SITE,
            site_code=3,
            counters=("activity_count", "favorite_count"),
            moments=_VISIT,
            points=3,
        ),
        Kind(
            SITE_REQUEST,
            "The lead asked for a showing",
            told=_SITE,
            site_code=23,
            counters=("activity_count",),
            moments=_VISIT,
            points=10,
        ),
        Kind(
            SITE_SUBMISSION,
            "The lead submitted a form",
            told=_SITE,
            site_code=39,
            counters=("activity_count",),
            moments=_VISIT,
            points=5,
        ),
    )
}

#: What is told of people. They have no lead, and so no entry in the logbook. contract: webhooks.md 5.2, list 1
AGENT_CREATED: Final = Told(1, "created", "Agent", ("agentId",))
AGENT_UPDATED: Final = Told(1, "updated", "Agent", ("agentId",))

#: The words of POST .../activity for site activity, as they are shown again. contract: seed 002
SITE_KINDS: Final = {
    "Search": SITE_SEARCH,
    "Browse": SITE_BROWSE,
    "Favorite": SITE_FAVORITE,
    "Request": SITE_REQUEST,
    "Submission": SITE_SUBMISSION,
}
#: A logged conversation, by channel.
LOGGED: Final = {"call": CALL_LOGGED, "text": TEXT_LOGGED, "email": EMAIL_LOGGED}
