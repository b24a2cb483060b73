"""The vault: what it seals only its key opens."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rooftree.platform.vault import Vault, VaultError, open_vault


@given(st.text(max_size=200), st.binary(min_size=1, max_size=40))
def test_what_is_sealed_is_opened_by_its_key_alone(text: str, key: bytes) -> None:
    sealed = Vault(key).seal(text)
    assert Vault(key).open(sealed) == text
    with pytest.raises(VaultError, match="ROOFTREE_SECRET_KEY"):
        Vault(key + b"x").open(sealed)


def test_the_key_file_is_made_once_and_is_private(tmp_path: Path) -> None:
    with ThreadPoolExecutor(16) as pool:
        vaults = list(pool.map(lambda _: open_vault("", tmp_path / "data"), range(32)))
    sealed = vaults[0].seal("secret")
    assert {vault.open(sealed) for vault in vaults} == {"secret"}
    (file,) = (tmp_path / "data").iterdir()
    assert file.stat().st_mode & 0o777 == 0o600


def test_the_setting_beats_the_file(tmp_path: Path) -> None:
    sealed = open_vault("a long secret", tmp_path).seal("x")
    assert list(tmp_path.iterdir()) == []
    assert open_vault("a long secret", tmp_path / "elsewhere").open(sealed) == "x"


def test_a_file_that_cannot_be_is_explained(tmp_path: Path) -> None:
    (tmp_path / "secret.key").write_bytes(b"")
    with pytest.raises(VaultError, match="empty"):
        open_vault("", tmp_path)
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(VaultError, match="cannot be used"):
        open_vault("", tmp_path / "file")
