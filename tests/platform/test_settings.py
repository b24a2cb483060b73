"""Settings are read once, checked, and never silently ignored."""

from pathlib import Path

import pytest

from rooftree.platform.settings import SettingError, Settings, read_settings


def test_defaults() -> None:
    assert read_settings({"PATH": "/bin"}) == Settings()


def test_values_are_converted() -> None:
    read = read_settings({"ROOFTREE_PORT": "9000", "ROOFTREE_DATABASE_POOLER": "true", "ROOFTREE_LOG_FORMAT": "json"})
    assert (read.port, read.database_pooler, read.log_format) == (9000, True, "json")


def test_a_file_holds_a_secret(tmp_path: Path) -> None:
    (tmp_path / "url").write_text("postgresql://x\n")
    assert read_settings({"ROOFTREE_DATABASE_URL_FILE": str(tmp_path / "url")}).database_url == "postgresql://x"
    with pytest.raises(SettingError, match="cannot read"):
        read_settings({"ROOFTREE_DATABASE_URL_FILE": str(tmp_path / "none")})


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("ROOFTREE_PROT", "1", "Did you mean ROOFTREE_PORT"),
        ("ROOFTREE_DATABASE_ULR", "x", "ROOFTREE_DATABASE_URL"),
        ("ROOFTREE_PORT", "many", "ROOFTREE_PORT='many'"),
        ("ROOFTREE_PORT", "70000", "<= 65535"),
        ("ROOFTREE_LOG_LEVEL", "loud", "ROOFTREE_LOG_LEVEL"),
        ("ROOFTREE_PHONE_REGION", "usa", "ROOFTREE_PHONE_REGION"),
    ],
)
def test_a_wrong_setting_is_named(variable: str, value: str, said: str) -> None:
    with pytest.raises(SettingError, match=said):
        read_settings({variable: value})
