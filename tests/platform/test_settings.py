"""Settings are read once, checked, and never silently ignored."""

from pathlib import Path

import pytest

from rooftree.platform.embedded_postgres import default_data_dir
from rooftree.platform.settings import SettingError, Settings, allowed_values, read_settings


def test_defaults() -> None:
    assert read_settings({"PATH": "/bin"}) == Settings()


def test_values_are_converted() -> None:
    read = read_settings({"ROOFTREE_PORT": "9000", "ROOFTREE_DATABASE_POOLER": "true", "ROOFTREE_LOG_FORMAT": "json"})
    assert (read.port, read.database_pooler, read.log_format) == (9000, True, "json")


def test_what_is_also_read() -> None:
    assert read_settings({"ROOFTREE_RATE_LIMIT": "lofty"}).rate_limits == "lofty"
    assert read_settings({"ROOFTREE_WEBHOOK_ALLOW_INSECURE": "1"}).webhook_allow_insecure


def test_the_data_lies_where_the_embedded_server_may_go() -> None:
    """Not below root's home, which is closed to the account that PostgreSQL runs as."""
    assert Settings().data_path == default_data_dir()
    assert Settings(data_dir="~/x").data_path == Path.home() / "x"
    assert Settings(data_dir="x").data_path == Path.cwd() / "x"


def test_a_file_holds_a_secret(tmp_path: Path) -> None:
    (tmp_path / "url").write_text("postgresql://x\n")
    assert read_settings({"ROOFTREE_DATABASE_URL_FILE": str(tmp_path / "url")}).database_url == "postgresql://x"
    with pytest.raises(SettingError, match="cannot read"):
        read_settings({"ROOFTREE_DATABASE_URL_FILE": str(tmp_path / "none")})
    (tmp_path / "bytes").write_bytes(b"\xff\xfe")
    with pytest.raises(SettingError, match="not a text file"):
        read_settings({"ROOFTREE_DATABASE_URL_FILE": str(tmp_path / "bytes")})


def test_a_value_and_its_file_contradict_each_other(tmp_path: Path) -> None:
    (tmp_path / "url").write_text("postgresql://x")
    both = {"ROOFTREE_DATABASE_URL": "postgresql://y", "ROOFTREE_DATABASE_URL_FILE": str(tmp_path / "url")}
    with pytest.raises(SettingError, match="both set"):
        read_settings(both)


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("ROOFTREE_PROT", "1", "Did you mean ROOFTREE_PORT"),
        ("ROOFTREE_DATABASE_ULR", "x", "ROOFTREE_DATABASE_URL"),
        ("ROOFTREE_PROT_FILE", "x", "Did you mean ROOFTREE_PORT"),
        ("ROOFTREE_PORT", "many", "ROOFTREE_PORT='many' cannot be. A number from 0 to 65535"),
        ("ROOFTREE_PORT", "70000", "from 0 to 65535"),
        ("ROOFTREE_BODY_LIMIT_BYTES", "1", "at least 1024"),
        ("ROOFTREE_DATABASE_POOLER", "perhaps", "true or false"),
        ("ROOFTREE_LOG_LEVEL", "loud", "One of debug, info, warning, error"),
        ("ROOFTREE_PHONE_REGION", "usa", "ROOFTREE_PHONE_REGION='usa' cannot be. Two capital letters"),
    ],
)
def test_a_wrong_setting_is_named_with_what_is_allowed(variable: str, value: str, said: str) -> None:
    with pytest.raises(SettingError, match=said):
        read_settings({variable: value})


def test_only_texts_take_anything() -> None:
    anything = {name for name in Settings.__struct_fields__ if not allowed_values(name)}
    assert not anything & {"port", "phone_region", "log_level", "quiet_hours", "email_provider", "job_lease_seconds"}
    assert {"database_url", "data_dir", "host", "smtp_url", "public_url"} <= anything
