from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mainstay.access import Keys
from mainstay.access.keys import FILE, WrongKeyError
from mainstay.errors import ConfigError
from tests.access.conftest import KEY


def test_what_is_sealed_opens_for_its_purpose_alone() -> None:
    keys = Keys([KEY])
    sealed = keys.seal("tökén", "acme/hub")
    assert "tökén" not in sealed
    assert keys.seal("tökén", "acme/hub") != sealed
    assert keys.open(sealed, "acme/hub") == "tökén"
    with pytest.raises(WrongKeyError):
        keys.open(sealed, "acme/other")
    assert (keys.seal("", "x"), keys.open("", "x")) == ("", "")


@pytest.mark.parametrize("cut", [slice(5, None), slice(None, -4), slice(3)])
def test_what_is_not_whole_does_not_open(cut: slice) -> None:
    keys = Keys([KEY])
    with pytest.raises(WrongKeyError):
        keys.open(keys.seal("token", "x")[cut], "x")


def test_a_project_without_a_key_makes_one_that_others_may_not_read(tmp_path: Path) -> None:
    home = tmp_path / ".mainstay"
    with pytest.raises(WrongKeyError):
        Keys(home=home).open("gAAAAA", "x")
    assert not home.exists()

    sealed = Keys(home=home).seal("token", "x")

    assert Keys(home=home).open(sealed, "x") == "token"
    assert stat.S_IMODE((home / FILE).stat().st_mode) == 0o600
    assert [each.name for each in home.iterdir()] == [FILE]


def test_many_that_make_the_key_at_once_have_the_same(tmp_path: Path) -> None:
    with ThreadPoolExecutor(16) as threads:
        sealed = list(threads.map(lambda _: Keys(home=tmp_path).seal("token", "x"), range(64)))
    assert {Keys(home=tmp_path).open(each, "x") for each in sealed} == {"token"}


def test_a_key_file_that_is_none_is_said(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text("no key\n")
    with pytest.raises(ConfigError, match="openssl rand -base64 32"):
        Keys(home=tmp_path).seal("token", "x")
    with pytest.raises(ConfigError, match="32 bytes in base64"):
        Keys(["no key"])


def test_keys_are_taken_as_openssl_writes_them() -> None:
    plain = "++++" + KEY[4:]
    sealed = Keys([plain]).seal("token", "x")
    assert Keys([plain.replace("+", "-")]).open(sealed, "x") == "token"
    assert KEY not in repr(Keys([KEY]))
