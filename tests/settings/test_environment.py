from __future__ import annotations

import os
from pathlib import Path

import pytest

from mainstay.errors import ConfigError, Problem
from mainstay.settings import Environment, ProgramSettings


def test_the_process_goes_before_the_file(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("A=file\nB=\"two words\" # comment\nexport C='$A ${A}'\nEMPTY=\nBARE\n")
    environment = Environment.load(tmp_path, {"A": "process"})
    found = [environment.get(name) for name in ("A", "B", "C", "EMPTY", "BARE", "ABSENT")]
    assert found == ["process", "two words", "$A ${A}", None, None, None]


def test_an_empty_variable_of_the_process_is_not_set(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("A=file\n")
    assert Environment.load(tmp_path, {"A": ""}).get("A") == "file"


def test_this_process_is_read_and_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".env").write_text("MAINSTAY_TEST_B=file\n")
    monkeypatch.setenv("MAINSTAY_TEST_A", "process")
    environment = Environment.load(tmp_path)
    assert (environment.get("MAINSTAY_TEST_A"), environment.get("MAINSTAY_TEST_B")) == ("process", "file")
    assert "MAINSTAY_TEST_B" not in os.environ


@pytest.mark.parametrize(
    ("content", "value"), [("s3cret\n", "s3cret"), ("s3cret\r\n", "s3cret"), ("s3cret\n\n", "s3cret\n"), ("x", "x")]
)
def test_a_secret_may_stand_in_a_file(tmp_path: Path, content: str, value: str) -> None:
    (tmp_path / "token").write_bytes(content.encode())
    assert Environment.load(tmp_path, {"TOKEN_FILE": str(tmp_path / "token")}).get("TOKEN") == value
    (tmp_path / ".env").write_text("TOKEN_FILE=token\n")
    assert Environment.load(tmp_path, {}).get("TOKEN") == value


def test_the_process_file_goes_before_the_value_in_dotenv(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("new")
    (tmp_path / ".env").write_text("TOKEN=old\n")
    assert Environment.load(tmp_path, {"TOKEN_FILE": str(tmp_path / "token")}).get("TOKEN") == "new"


@pytest.mark.parametrize(
    ("content", "reason"), [(None, "No such file or directory"), (b"\xff\xfe", "it is not UTF-8 text")]
)
def test_a_secret_file_that_cannot_be_read_is_named(tmp_path: Path, content: bytes | None, reason: str) -> None:
    if content is not None:
        (tmp_path / "gone").write_bytes(content)
    (tmp_path / ".env").write_text("\nTOKEN_FILE=gone\n")
    with pytest.raises(ConfigError) as caught:
        Environment.load(tmp_path, {}).get("TOKEN")
    hint = "point TOKEN_FILE at a readable text file that holds the value alone, or set TOKEN itself"
    message = f'the file "gone" cannot be read: {reason}'
    assert caught.value.problems == (Problem(".env:2", "TOKEN_FILE", message, hint),)


def test_each_line_of_dotenv_that_cannot_be_read_is_named_and_not_quoted(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("A=1\nnot a line s3cret\nB='open s3cret\nC=2\n")
    with pytest.raises(ConfigError) as caught:
        Environment.load(tmp_path, {})
    hint = 'write NAME=value, or NAME="a value"'
    assert caught.value.problems == tuple(
        Problem(where, "", "the line cannot be read", hint) for where in (".env:2", ".env:3")
    )


def test_a_dotenv_that_is_no_text_is_named(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"A=\xff\n")
    with pytest.raises(ConfigError, match="the file cannot be read: it is not UTF-8 text"):
        Environment.load(tmp_path, {})


def test_a_folder_named_dotenv_is_no_settings(tmp_path: Path) -> None:
    (tmp_path / ".env").mkdir()
    assert Environment.load(tmp_path, {"A": "1"}).get("A") == "1"


def test_its_text_form_shows_no_values(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("TOKEN=s3cret\n")
    assert "s3cret" not in repr(Environment.load(tmp_path, {"OTHER": "s3cret"}))


class TestProgramSettings:
    def test_the_defaults(self, tmp_path: Path) -> None:
        expected = ProgramSettings(tmp_path / ".mainstay", "", "127.0.0.1", 8080, "", "text")
        assert ProgramSettings.read(Environment.load(tmp_path, {})) == expected

    def test_all_of_them(self, tmp_path: Path) -> None:
        values = {
            "DATABASE_URL": "postgresql://me:s3cret@db.acme.example:5432/mainstay",
            "MAINSTAY_HOME": "/var/lib/mainstay",
            "MAINSTAY_HOST": "0.0.0.0",  # noqa: S104 a setting, nothing listens
            "MAINSTAY_PORT": "0",
            "MAINSTAY_PUBLIC_URL": "https://mainstay.acme.example/",
            "MAINSTAY_LOG_FORMAT": "json",
        }
        settings = ProgramSettings.read(Environment.load(tmp_path, values))
        assert settings == ProgramSettings(
            Path("/var/lib/mainstay"),
            values["DATABASE_URL"],
            values["MAINSTAY_HOST"],
            0,
            "https://mainstay.acme.example",
            "json",
        )
        assert "s3cret" not in repr(settings)

    def test_all_that_is_wrong_comes_at_once_with_its_place(self, tmp_path: Path) -> None:
        (tmp_path / ".env").write_text("MAINSTAY_PORT=65536\nMAINSTAY_LOG_FORMAT=xml\n")
        values = {
            "DATABASE_URL": "mysql://me:s3cret@db/x",
            "MAINSTAY_PUBLIC_URL": "mainstay.acme.example",
            "MAINSTAY_HOST_FILE": str(tmp_path / "gone"),
        }
        with pytest.raises(ConfigError) as caught:
            ProgramSettings.read(Environment.load(tmp_path, values))
        shown = [(each.where, each.message) for each in caught.value.problems]
        assert sorted(shown) == [
            (".env:1", "MAINSTAY_PORT is not a number from 0 to 65535"),
            (".env:2", 'MAINSTAY_LOG_FORMAT is neither "text" nor "json"'),
            ("environment", "DATABASE_URL is not the address of a PostgreSQL server"),
            ("environment", "MAINSTAY_PUBLIC_URL is not a web address"),
            ("environment", f'the file "{tmp_path / "gone"}" cannot be read: No such file or directory'),
        ]
        assert "s3cret" not in str(caught.value)

    @pytest.mark.parametrize("port", ["-1", "http", "8080.5", "1e3", "99999", "٣"])
    def test_a_port_is_a_number(self, tmp_path: Path, port: str) -> None:
        with pytest.raises(ConfigError, match="MAINSTAY_PORT is not a number from 0 to 65535"):
            ProgramSettings.read(Environment.load(tmp_path, {"MAINSTAY_PORT": port}))
