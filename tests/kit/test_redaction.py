from __future__ import annotations

import json
import time
from urllib.parse import quote
from uuid import UUID

import orjson
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from mainstay.kit.redaction import MASK, MAX_DEPTH, MAX_STORED_CHARS, Redactor

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
# Long enough that it is in no text by accident, and none of its characters is in the mask.
SECRETS = st.text(st.characters(codec="utf-8", exclude_characters=MASK), min_size=8, max_size=60)
LOCAL = st.from_regex(r"[a-z0-9][a-z0-9.+_'-]{1,20}", fullmatch=True)
DOMAIN = st.from_regex(r"[a-z0-9]{1,10}(\.[a-z]{2,6}){1,2}", fullmatch=True)


@given(st.text(), SECRETS, st.text())
def test_a_secret_is_masked_wherever_it_stands(before: str, secret: str, after: str) -> None:
    assume(secret not in before + MASK + after)
    redactor = Redactor([secret])
    assert secret not in redactor.text(before + secret + after)
    assert quote(secret, safe="") not in redactor.text(f"https://vendor.example/{quote(secret, safe='')}")


@given(SECRETS)
def test_a_secret_is_masked_in_every_kind_of_body(secret: str) -> None:
    redactor = Redactor([secret])
    document = {"note": f"it is {secret}!", "list": [secret, {"deep": secret}], secret: 1}
    kept = redactor.body(orjson.dumps(document))
    assert secret not in json.loads(json.dumps(kept))["note"]
    cut = orjson.dumps(document)[:-1]
    for body in (orjson.dumps(document), cut, secret.encode()):
        text = json.dumps(redactor.body(body), ensure_ascii=False)
        assert json.dumps(secret, ensure_ascii=False)[1:-1] not in text


@pytest.mark.parametrize("length", [40, 3_000])
@pytest.mark.parametrize("offset", [-2_999, -39, -20, -1, 0, 1, 500, 990, 999, 1_000, 1_001, 1_020])
def test_a_cut_leaves_no_half_of_a_secret(offset: int, length: int) -> None:
    secret = "S3cr" * (length // 4)
    body = b"x" * (MAX_STORED_CHARS + offset) + secret.encode() + b"y" * 5_000
    kept = Redactor([secret]).body(body)
    assert "S3cr" not in kept
    assert len(kept) < MAX_STORED_CHARS + 50


@given(LOCAL, DOMAIN)
def test_an_email_keeps_its_first_letter_and_its_domain(local: str, domain: str) -> None:
    for text in (f"{local}@{domain}", f"to: <{local}@{domain}>,", f"email={local}@{domain}&x=1"):
        masked = Redactor().text(text)
        assert f"{local}@{domain}" not in masked
        assert f"{MASK}@{domain}" in masked
    assert f"{local}%40{domain}" not in Redactor().text(f"?email={local}%40{domain}")


@pytest.mark.parametrize(
    ("given_text", "masked"),
    [
        ("Dana <dana.fox+ads@acme.example>", "Dana <d•••@acme.example>"),
        ("a@b.co and c@d.co", "a•••@b.co and c•••@d.co"),
        ("jürgen@müller.example", "j•••@müller.example"),
        ("call +13125550147 now", "call +13•••47 now"),
        ("+44 20 7946 0958", "+44•••58"),
        ("%2B13125550147", "%2B13•••47"),
        ("(312) 555-0147", "(•••) •••-47"),
        ("312-555-0147", "•••-•••-47"),
        ("order 3125550147", "order 3125550147"),
        ("2026-11-23T10:04:07Z", "2026-11-23T10:04:07Z"),
        ("0193b2c4-7a10-7abc-9def-0123456789ab", "0193b2c4-7a10-7abc-9def-0123456789ab"),
        ("1503435956.000247", "1503435956.000247"),
        ("2+2=4", "2+2=4"),
        ("meet @ noon", "meet @ noon"),
    ],
)
def test_text(given_text: str, masked: str) -> None:
    assert Redactor().text(given_text) == masked


def test_names_of_secrets_hide_their_values() -> None:
    kept = Redactor().value(
        {
            "access_token": "abc",
            "Authorization": "Bearer abc",
            "apiKey": "abc",
            "password": 12345,
            "client-secret": ["abc", {"x": "abc"}],
            "cookies": {"session": "abc"},
            "token": "",
            "has_password": True,
            "id": "c1",
        }
    )
    assert kept == {
        "access_token": MASK,
        "Authorization": MASK,
        "apiKey": MASK,
        "password": MASK,
        "client-secret": MASK,
        "cookies": MASK,
        "token": "",
        "has_password": True,
        "id": "c1",
    }


def test_names_of_phones_hide_the_middle_of_any_spelling() -> None:
    kept = Redactor().value(
        {"phone": "3125550147", "mobilePhone": 3125550147, "tel": "020 7946 0958", "phone_type": "home", "phone2": None}
    )
    assert kept == {
        "phone": "312•••47",
        "mobilePhone": "312•••47",
        "tel": "020•••58",
        "phone_type": "home",
        "phone2": None,
    }


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ('{"access_token": "ab\\"c", "id": 1', '{"access_token": •••, "id": 1'),
        ('{"id": 1, "api_key": "abc', '{"id": 1, "api_key": •••'),
        ("grant=x&client_secret=abc&y=1", "grant=x&client_secret=•••&y=1"),
        ("https://v.example/x?api-key=abc&y=1", "https://v.example/x?api-key=•••&y=1"),
        ("Authorization: Bearer abc.def", "Authorization: •••"),
        ("the token expired", "the token expired"),
    ],
)
def test_text_without_structure(text: str, masked: str) -> None:
    assert Redactor().loose(text) == masked


@given(JSON)
def test_a_masked_value_has_the_shape_of_the_first_and_can_be_stored(value: object) -> None:
    kept = Redactor(["no such secret"]).value({"a": value})
    assert orjson.loads(orjson.dumps(kept)) is not None
    if isinstance(value, list):
        assert len(kept["a"]) == len(value)
    if value is None or isinstance(value, bool | int | float):
        assert kept["a"] == value


@given(st.binary(max_size=300) | JSON.map(orjson.dumps))
def test_any_body_can_be_stored(body: bytes) -> None:
    kept = Redactor(["secret-of-ours"]).body(body)
    assert (kept is None) == (not body)
    assert orjson.dumps(kept)


def test_values_that_are_no_json_are_kept_as_masked_text() -> None:
    assert Redactor().value({"to": ("dana@acme.example", {"x"}), 5: UUID(int=7)}) == {
        "to": ["d•••@acme.example", "{'x'}"],
        "5": "00000000-0000-0000-0000-000000000007",
    }


def test_the_value_itself_is_left_alone() -> None:
    value = {"to": ["dana@acme.example"], "token": "abc"}
    Redactor().value(value)
    assert value == {"to": ["dana@acme.example"], "token": "abc"}


def test_deep_nesting_is_cut() -> None:
    deep = b"[" * 1_000 + b'"dana@acme.example"' + b"]" * 1_000
    kept = Redactor().body(deep)
    assert json.dumps(kept, ensure_ascii=False).count("[") == MAX_DEPTH
    assert "dana" not in str(kept)


@pytest.mark.parametrize(
    "hostile",
    [
        "a" * MAX_STORED_CHARS + "@",
        "a." * (MAX_STORED_CHARS // 2) + "@ @x",
        "@" * MAX_STORED_CHARS,
        "a@b" * (MAX_STORED_CHARS // 3),
        "a@" + "b." * (MAX_STORED_CHARS // 2),
        "+12" * (MAX_STORED_CHARS // 3),
        "+" + "1 " * (MAX_STORED_CHARS // 2),
        "token" * (MAX_STORED_CHARS // 5),
        'token:"' + '\\"' * (MAX_STORED_CHARS // 2),
        "(312" * (MAX_STORED_CHARS // 4),
    ],
)
def test_no_text_takes_long(hostile: str) -> None:
    redactor = Redactor()
    started = time.process_time()
    redactor.loose(hostile)
    assert time.process_time() - started < 0.25
