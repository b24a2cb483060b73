"""What stands in an archive and what does not: every table of a team, by name. Pure."""

from typing import Final

from msgspec import Struct


class Kind(Struct, frozen=True):
    """A table that is archived."""

    table: str
    file: str  #: its name for people, without the ending
    secrets: tuple[str, ...] = ()  #: bytea columns that are emptied unless secrets are asked for
    is_credential: bool = False  #: good for nothing but getting in: stands only in an archive with secrets


#: Every archived table. A table that is new stands here or below: tests/archive compares with the catalogue.
KINDS: Final = (
    Kind("team", "team"),
    Kind("office", "offices"),
    Kind("member", "members"),
    Kind("member_tag", "member_tags"),
    Kind("custom_role", "custom_roles"),
    Kind("permission_profile", "permission_profiles"),
    Kind("vendor", "vendors"),
    Kind("lead_pond", "ponds"),
    Kind("stage", "stages"),
    Kind("source", "sources"),
    Kind("tag", "tags"),
    Kind("custom_field", "custom_fields"),
    Kind("lead", "leads"),
    Kind("lead_role", "lead_roles"),
    Kind("timeline_entry", "timeline"),
    Kind("timeline_summary", "timeline_summaries"),
    Kind("note", "notes"),
    Kind("call", "calls"),
    Kind("message", "messages"),
    Kind("arrival", "arrivals"),
    Kind("suppression", "opt_outs"),
    Kind("transaction_pipeline", "transaction_pipelines"),
    Kind("lead_transaction", "transactions"),
    Kind("routing_rule", "routing_rules"),
    Kind("routing_member", "routing_members"),
    Kind("routing_turn", "routing_turns"),
    Kind("routing_load", "routing_loads"),
    Kind("routing_offer", "routing_offers"),
    Kind("duplicate_pair", "duplicates"),
    Kind("lead_merge", "merges"),
    Kind("lead_merge_move", "merge_moves"),
    Kind("announcement", "events"),
    Kind("webhook", "webhooks", secrets=("secret", "old_secret")),
    Kind("webhook_delivery", "webhook_deliveries"),
    Kind("webhook_attempt", "webhook_attempts"),
    Kind("job", "jobs"),
    Kind("lead_import", "imports"),
    Kind("lead_import_batch", "import_batches"),
    Kind("lead_import_change", "import_changes"),
    Kind("lofty_pull", "moves"),
    Kind("lofty_step", "move_steps"),
    Kind("lofty_thing", "move_ids"),
    Kind("lofty_talk", "move_conversations"),
    Kind("lofty_refusal", "move_refusals"),
    Kind("oauth_app", "applications", secrets=("secret_hash",)),
    Kind("api_key", "api_keys", is_credential=True),
    Kind("oauth_grant", "application_grants", is_credential=True),
    Kind("oauth_access", "application_access_tokens", is_credential=True),
    Kind("oauth_refresh", "application_refresh_tokens", is_credential=True),
    Kind("member_password", "passwords", is_credential=True),
    Kind("mail_account", "mail_accounts", is_credential=True),
)
#: Tables of a team that stand in no archive, and why.
LEFT_OUT: Final = {
    "lead_label": "made again from the leads",
    "lead_contact": "made again from the leads, by the importing server's phone region",
    "lead_search": "made again from the leads, as the importing version searches",
    "lead_tally": "made again from the leads",
    "lead_to_compare": "all leads are compared again",
    "duplicate_key": "made again when the leads are compared",
    "kept_answer": "answers to requests of the last day, kept for the same request to the same server",
    "rate_window": "requests of the running minute",
    "web_session": "browsers that are signed in to one server's pages",
    "oauth_code": "good for ten minutes, and for one exchange at the server that gave it",
}
#: Columns that name something kept in the blob store, and its content type: table, key, type.
BLOBS: Final = (("call", "recording_key", "recording_type"),)
#: Credentials whose texts are signed: good only where the secret that signed them is known.
SIGNED: Final = ("api_key", "oauth_grant", "oauth_access", "oauth_refresh")

KIND_OF: Final = {kind.table: kind for kind in KINDS}
FORMATS: Final = ("ndjson", "csv", "parquet")


def is_of_team(team_id: int, blob_key: str) -> bool:
    """Whether something in the blob store belongs to a team: `17/recordings/5` to team 17."""
    return blob_key.startswith(f"{team_id}/")
