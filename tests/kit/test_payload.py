"""Bodies as senders write them, and as nobody should."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, SecretStr, ValidationError

from mainstay.errors import MalformedError
from mainstay.kit.payload import MAX_FIELDS, as_list, as_object, moment, read_form, read_json, show_keys, text
from mainstay.kit.secrets import Secrets, is_one_of
from tests.sources import request

URLENCODED = {"content-type": "application/x-www-form-urlencoded"}
MULTIPART = {"content-type": 'multipart/form-data; boundary="b1"'}


def part(name: str, value: str, more: str = "") -> str:
    return f'--b1\r\nContent-Disposition: form-data; name="{name}"{more}\r\n\r\n{value}\r\n'


def test_a_repeated_field_becomes_a_list() -> None:
    assert read_form(request("a=1&b=&a=2&a=3", URLENCODED)).fields == {"a": ["1", "2", "3"], "b": ""}


def test_multipart_keeps_texts_and_notes_files() -> None:
    body = part("name", "Zoë") + part("a", "1") + part("a", "2")
    body += part("photo", "JFIF", '; filename="Dach.jpg"') + part("none", "", '; filename=""') + "--b1--\r\n"
    form = read_form(request(body, MULTIPART))
    assert form.fields == {"name": "Zoë", "a": ["1", "2"]}
    assert form.files == {"photo": "Dach.jpg (4 bytes)"}


@pytest.mark.parametrize(
    ("body", "headers", "words"),
    [
        (part("a", "1"), MULTIPART, "cut off"),
        ("no boundary here", MULTIPART, "cannot be read"),
        (part("a", "1"), {"content-type": "multipart/form-data"}, "boundary"),
        ("--b1\r\nContent-Disposition: form-data\r\n\r\nx\r\n--b1--\r\n", MULTIPART, "no name"),
        ("a=%81%ff", URLENCODED, "UTF-8"),
        ("&".join(f"f{n}=1" for n in range(MAX_FIELDS + 1)), URLENCODED, "more than 1000 fields"),
        ("".join(part(f"f{n}", "1") for n in range(MAX_FIELDS + 1)) + "--b1--\r\n", MULTIPART, "more than 1000 fields"),
    ],
)
def test_unreadable_forms(body: str, headers: dict[str, str], words: str) -> None:
    with pytest.raises(MalformedError, match=words):
        read_form(request(body, headers))


@pytest.mark.parametrize("body", [b"", b"  ", b"{", b'{"a": "\xff"}', b"[" * 5_000, b"NaN"])
def test_unreadable_json(body: bytes) -> None:
    with pytest.raises(MalformedError, match="JSON"):
        read_json(body)


def test_json_may_begin_with_a_byte_order_mark() -> None:
    assert read_json(b'\xef\xbb\xbf{"a": 1}') == {"a": 1}


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (rb'"Zo\ud83d"', "Zo\ufffd"),
        (rb'"\ud83d\ude00 \uDE00!"', "\U0001f600 \ufffd!"),
        (rb'"\\ud83d \ud83d\ud83d\ude00"', "\\ud83d \ufffd\U0001f600"),
    ],
)
def test_half_an_emoji_loses_no_lead(written: bytes, read: str) -> None:
    assert read_json(written) == read


def test_what_should_be_an_object_or_list_is_named() -> None:
    with pytest.raises(MalformedError, match="payload should be a JSON object, but is a list"):
        as_object([], "payload")
    with pytest.raises(MalformedError, match="entry should be a JSON list, but is null"):
        as_list(None, "entry")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (" a\x00b ", "ab"),
        (True, "true"),
        (3125550147, "3125550147"),
        (1500.0, "1500"),
        (1.5, "1.5"),
        (None, ""),
        ({"a": 1}, ""),
        ("x" * 900, "x" * 500),
    ],
)
def test_text(value: Any, expected: str) -> None:
    assert text(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2026-03-02T10:04:05Z", datetime(2026, 3, 2, 10, 4, 5, tzinfo=UTC)),
        ("2026-03-02T11:04:05+0100", datetime(2026, 3, 2, 10, 4, 5, tzinfo=UTC)),
        ("2026-03-02T10:04:05", datetime(2026, 3, 2, 10, 4, 5, tzinfo=UTC)),
        (1772445845, datetime(2026, 3, 2, 10, 4, 5, tzinfo=UTC)),
        ("yesterday", None),
        (10**30, None),
        (True, None),
        ("0001-01-01T00:00:00+23:59", None),
    ],
)
def test_moment(value: Any, expected: datetime | None) -> None:
    assert moment(value) == expected


def test_keys_in_messages_are_bounded_and_printable() -> None:
    shown = show_keys({"a\nb\x1b[31m": 1} | {f"{n}" * 90: 1 for n in range(30)})
    assert shown.startswith('"a b [31m", ')
    assert shown.endswith("and 11 more")
    assert len(shown) < 1_500


@given(body=st.binary(max_size=300), content_type=st.sampled_from([URLENCODED, MULTIPART]))
def test_any_bytes_are_read_or_malformed(body: bytes, content_type: dict[str, str]) -> None:
    try:
        form = read_form(request(body, content_type))
    except MalformedError:
        return
    assert all(isinstance(name, str) for name in form.fields)


@given(
    fields=st.dictionaries(st.text(st.characters(codec="utf-8", exclude_characters='"\r\n\\'), min_size=1), st.text())
)
def test_multipart_round_trip(fields: dict[str, str]) -> None:
    values = {name: value for name, value in fields.items() if "--b1" not in value}
    body = "".join(part(name, value) for name, value in values.items()) + "--b1--\r\n"
    if values:
        assert read_form(request(body, MULTIPART)).fields == values


class Settings(BaseModel):
    secret: Secrets


def test_secrets_are_one_or_several_and_never_empty() -> None:
    assert Settings(secret="one").secret == (SecretStr("one"),)  # type: ignore[arg-type]
    several = Settings(secret=["new", "old"]).secret  # type: ignore[arg-type]
    assert is_one_of("old", several)
    assert is_one_of("new", several)
    assert not is_one_of("", several)
    assert "new" not in repr(several)
    with pytest.raises(ValidationError, match="the secret is empty"):
        Settings(secret=["new", " "])  # type: ignore[arg-type]
