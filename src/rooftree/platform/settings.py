"""Every setting, read once from the environment. Nothing else reads os.environ.

`ROOFTREE_X_FILE` names a file that holds the value of `ROOFTREE_X`, for secrets. An unknown ROOFTREE_ variable
is an error, so that a typing error never silently means the default.
"""

import difflib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal, get_args, get_type_hints

import msgspec
from msgspec import Meta, Struct

from rooftree.platform.embedded_postgres import default_data_dir

PREFIX: Final = "ROOFTREE_"
_NOT_OURS: Final = {"ROOFTREE_TEST_DSN"}
#: Read as well; the settings' own names are what the docs say.
_OTHER_SPELLINGS: Final = {"ROOFTREE_RATE_LIMIT": "rate_limits"}


class SettingError(Exception):
    """A setting that cannot be used; the message names the variable and says what to do."""


class Settings(Struct, frozen=True, kw_only=True):
    """How this installation runs."""

    database_url: Annotated[str, Meta(description="PostgreSQL 15 or newer. Empty: the embedded server.")] = ""
    database_connections: Annotated[
        int, Meta(ge=2, le=1000, description="Connections that one API process opens at most.")
    ] = 10
    database_pooler: Annotated[
        bool, Meta(description="true behind a pooler in transaction mode: nothing outlives a transaction.")
    ] = False
    database_direct_url: Annotated[
        str,
        Meta(
            description="The same database past the pooler, for what a pooler cannot carry: dumps, psql, migrations, "
            "and waking workers at once. Empty: ROOFTREE_DATABASE_URL."
        ),
    ] = ""
    data_dir: Annotated[
        str,
        Meta(description="Where the embedded server's data lies. Empty: your data folder; for root /var/lib/rooftree."),
    ] = ""
    backup_dir: Annotated[
        str, Meta(description="Where `rooftree backup` puts backups. Empty: the folder backups in the data folder.")
    ] = ""
    host: Annotated[str, Meta(description="Address to listen on.")] = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65535, description="Port to listen on; 0 takes a free one.")] = 8420
    workers: Annotated[int, Meta(ge=1, le=64, description="API processes.")] = 1
    body_limit_bytes: Annotated[int, Meta(ge=1024, description="Largest request body that is read.")] = 1_048_576
    auth_failures_per_minute: Annotated[
        int, Meta(ge=1, description="Refused credentials of one address before it is answered 429.")
    ] = 60
    oauth_access_seconds: Annotated[
        int, Meta(ge=60, le=86_400, description="How long an OAuth access token lasts before it is refreshed.")
    ] = 7200
    rate_limits: Annotated[
        Literal["off", "lofty"],
        Meta(description="lofty: 10 requests a minute of a key, 100 or 500 of an application, as the original has it."),
    ] = "off"
    phone_region: Annotated[
        str, Meta(pattern="^[A-Z]{2}$", description="Country of phone numbers that are given without one (ISO 3166).")
    ] = "US"
    public_url: Annotated[
        str,
        Meta(
            description="How the world reaches this server, e.g. https://crm.example.com: for links in messages and "
            "for what providers call back. Empty: http://HOST:PORT."
        ),
    ] = ""
    secret_key: Annotated[
        str,
        Meta(description="What stored passwords are encrypted with. Empty: the file secret.key in the data folder."),
    ] = ""
    email_provider: Annotated[
        Literal["outbox", "smtp"], Meta(description="outbox sends nothing: `rooftree outbox` shows the messages.")
    ] = "outbox"
    smtp_url: Annotated[
        str,
        Meta(
            description="The account for everybody without one of their own: smtp://user:password@host:587 (STARTTLS "
            "where offered), smtps://user:password@host:465 (TLS)."
        ),
    ] = ""
    smtp_pool_size: Annotated[
        int, Meta(ge=1, le=100, description="Connections kept open to one SMTP account at most.")
    ] = 4
    smtp_timeout_seconds: Annotated[int, Meta(ge=1, le=600, description="Patience with an SMTP server.")] = 30
    email_from: Annotated[
        str, Meta(description="Sender of messages in nobody's name. Empty: the team owner's address.")
    ] = ""
    email_in_domain: Annotated[
        str,
        Meta(
            description="Domain whose mail reaches `rooftree worker --smtp-in`: bounces and replies then come back. "
            "Empty: they go to the agent's mailbox alone."
        ),
    ] = ""
    sms_provider: Annotated[
        Literal["outbox", "twilio", "http"], Meta(description="outbox sends nothing: `rooftree outbox` shows it.")
    ] = "outbox"
    sms_timeout_seconds: Annotated[int, Meta(ge=1, le=600, description="Patience with an SMS provider.")] = 15
    twilio_account_sid: Annotated[str, Meta(description="Account SID, for sms_provider twilio.")] = ""
    twilio_auth_token: Annotated[
        str, Meta(description="Auth token; also verifies what Twilio sends to this server.")
    ] = ""
    twilio_url: Annotated[str, Meta(description="Address of Twilio's API.")] = "https://api.twilio.com"
    sms_http_url: Annotated[str, Meta(description="Address of the gateway, for sms_provider http.")] = ""
    sms_http_headers: Annotated[
        str, Meta(description='Headers as a JSON object, e.g. {"Authorization": "Bearer ..."}.')
    ] = ""
    sms_http_body: Annotated[
        str,
        Meta(
            description="The request's body with {from}, {to}, {text}, {id} in it, each escaped for JSON, or for a "
            "form when the Content-Type header says so."
        ),
    ] = '{"from": "{from}", "to": "{to}", "text": "{text}", "id": "{id}"}'
    sms_http_id: Annotated[
        str, Meta(description="Where the gateway's answer holds its id: a path such as data.message.id.")
    ] = "id"
    inbound_secret: Annotated[
        str,
        Meta(description="Secret (whsec_...) that signs what arrives at the generic inbound webhook. Empty: refused."),
    ] = ""
    quiet_hours: Annotated[
        str,
        Meta(
            pattern=r"^(([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d)?$",
            description="When automatic messages wait, in the lead's time zone. Empty: never.",
        ),
    ] = "21:00-08:00"
    blob_url: Annotated[
        str,
        Meta(description="Where recordings are kept: s3://bucket/prefix, or empty for the data folder."),
    ] = ""
    recording_limit_bytes: Annotated[int, Meta(ge=1024, description="Largest recording that is accepted.")] = (
        100_000_000
    )
    ai_url: Annotated[
        str,
        Meta(
            description="An OpenAI-compatible endpoint, e.g. https://api.openai.com/v1, for summaries and transcripts. "
            "Empty: calls are summarised on this machine, and nothing is transcribed."
        ),
    ] = ""
    ai_key: Annotated[str, Meta(description="Key of that endpoint.")] = ""
    ai_model: Annotated[str, Meta(description="Model that summarises.")] = "gpt-4o-mini"
    ai_transcription_model: Annotated[str, Meta(description="Model that transcribes. Empty: nothing is.")] = "whisper-1"
    ai_timeout_seconds: Annotated[int, Meta(ge=1, le=3600, description="Patience with that endpoint.")] = 120
    webhook_quota: Annotated[int, Meta(ge=1, description="Webhook subscriptions that a team has at most.")] = 100
    webhook_gather_seconds: Annotated[
        int, Meta(ge=1, le=60, description="How long entries are gathered for one webhook POST.")
    ] = 1
    webhook_timeout_seconds: Annotated[int, Meta(ge=1, le=120, description="Patience with a webhook receiver.")] = 15
    webhook_log_days: Annotated[
        int, Meta(ge=1, le=3650, description="How long deliveries, attempts and the event feed are kept.")
    ] = 30
    webhook_allowed_networks: Annotated[
        str,
        Meta(
            description="Networks (10.1.0.0/16, comma-separated) that webhooks may reach, and recordings be fetched "
            "from, beside the public internet; plain http is for them alone."
        ),
    ] = ""
    webhook_allow_insecure: Annotated[
        bool,
        Meta(
            description="true lets webhooks and fetched recordings reach this machine itself, by plain http too: "
            "for trying out."
        ),
    ] = False
    job_lease_seconds: Annotated[
        int, Meta(ge=1, le=600, description="How long a killed worker's job waits before another worker takes it.")
    ] = 30
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"], Meta(description="Least severity that is logged.")
    ] = "info"
    log_format: Annotated[Literal["console", "json"], Meta(description="For people, or a JSON object a line.")] = (
        "console"
    )

    @property
    def address(self) -> str:
        """How the world reaches this server, without a slash at the end."""
        return self.public_url.rstrip("/") or f"http://{self.host}:{self.port}"

    @property
    def backup_path(self) -> Path:
        """Where backups lie, absolute."""
        return Path(self.backup_dir).expanduser().absolute() if self.backup_dir else self.data_path / "backups"

    @property
    def data_path(self) -> Path:
        """The data directory, absolute."""
        return Path(self.data_dir).expanduser().absolute() if self.data_dir else default_data_dir()


def read_settings(environment: Mapping[str, str] | None = None) -> Settings:
    """Return the settings of an environment (the process's own by default). Raises: SettingError."""
    environment = os.environ if environment is None else environment
    known = {PREFIX + name.upper(): name for name in Settings.__struct_fields__} | _OTHER_SPELLINGS
    values: dict[str, Any] = {}
    for variable, value in sorted(environment.items()):
        if not variable.startswith(PREFIX) or variable in _NOT_OURS:
            continue
        base = variable.removesuffix("_FILE")
        if base not in known:
            raise SettingError(_unknown(variable, known))
        if known[base] in values:
            raise SettingError(f"{base} and {variable} are both set: remove one of them.")
        values[known[base]] = value if variable == base else _content(variable, value)
    return _converted(values)


def allowed_values(name: str) -> str:
    """Return a sentence that says which values a setting takes; empty when any text does."""
    kind, meta = get_args(get_type_hints(Settings, include_extras=True)[name])
    if kind is bool:
        return "true or false."
    if choices := get_args(kind):
        return f"One of {', '.join(choices)}."
    if meta.ge is not None and meta.le is not None:
        return f"A number from {meta.ge} to {meta.le}."
    if meta.ge is not None:
        return f"A number, at least {meta.ge}."
    if name == "quiet_hours":
        return "Two times of day, e.g. 21:00-08:00, or nothing."
    return "Two capital letters." if meta.pattern else ""


def _content(variable: str, path: str) -> str:
    try:
        return Path(path).read_text().strip()
    except OSError as error:
        raise SettingError(f"{variable}: cannot read {path}: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise SettingError(f"{variable}: {path} is not a text file.") from None


def _unknown(variable: str, known: Mapping[str, str]) -> str:
    near = difflib.get_close_matches(variable, known, n=1, cutoff=0)
    return f"{variable} is not a setting. Did you mean {near[0]}? All of them: docs/settings.md."


def _converted(values: Mapping[str, Any]) -> Settings:
    for name, value in values.items():
        try:
            msgspec.convert({name: value}, Settings, strict=False)
        except msgspec.ValidationError:
            raise SettingError(f"{PREFIX}{name.upper()}={value!r} cannot be. {allowed_values(name)}") from None
    return msgspec.convert(values, Settings, strict=False)
