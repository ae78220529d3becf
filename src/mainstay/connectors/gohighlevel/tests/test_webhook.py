from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from mainstay.connectors.gohighlevel.records import VERBS
from mainstay.connectors.gohighlevel.webhook import GoHighLevelSource, delivery_key, parse, verify
from mainstay.kit import MalformedError, NotAuthenticError, RawRequest
from mainstay.kit.payload import moment
from tests import sources

FIXTURES = Path(__file__).parent / "fixtures"
ED25519 = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
RSA = generate_private_key(65537, 2048)
SENT = "2026-03-02T10:04:05Z"
BODY = json.dumps({"type": "ContactCreate", "id": "nmFmQEsNgz6AVpgLVUJ0", "timestamp": SENT, "webhookId": "w1"})


def pem(key: Any) -> str:
    text: bytes = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return text.decode()


def settings(**more: Any) -> GoHighLevelSource:
    keys = {"public_key": pem(ED25519), "legacy_public_key": pem(RSA)}
    return GoHighLevelSource.model_validate({"kind": "gohighlevel", "connection": "ghl"} | keys | more)


def signed(body: str = BODY, **more: str) -> RawRequest:
    signature = base64.b64encode(ED25519.sign(body.encode())).decode()
    return sources.request(body, {"X-GHL-Signature": signature} | more)


def legacy(body: str = BODY, **more: str) -> RawRequest:
    signature = base64.b64encode(RSA.sign(body.encode(), PKCS1v15(), SHA256())).decode()
    return sources.request(body, {"X-WH-Signature": signature} | more)


@pytest.mark.parametrize("name", sources.names(FIXTURES))
def test_real_payloads(name: str) -> None:
    request, wanted, expected = sources.load(FIXTURES, name)
    source = settings(**wanted)

    assert sources.plain(parse(request, source)) == expected["events"]
    assert delivery_key(request, source) == expected["delivery_key"]


@pytest.mark.parametrize("identifier", ["ghl-ed25519-derived", "ghl-ed25519-tampered"])
def test_published_vectors(identifier: str) -> None:
    vector = sources.vector(identifier)
    sent_at = moment(json.loads(vector["body"])["timestamp"])
    assert sent_at is not None
    source = settings(public_key=vector["public_key_pem"])
    headers = {vector["header"]: vector["header_value"]}
    request = sources.request(vector["body"], headers, received_at=sent_at)

    if vector["valid"]:
        assert verify(request, source) == "signature ok"
        request = replace(request, body=sources.changed(vector["body"]).encode())
    with pytest.raises(NotAuthenticError, match="X-GHL-Signature does not match"):
        verify(request, source)


def test_the_published_keys_are_the_defaults() -> None:
    source = GoHighLevelSource.model_validate({"kind": "gohighlevel"})
    assert "i2HR1srL4o18O8BRa7gVJY7G7bupbN3H9AwJrHCDiOg=" in source.public_key
    assert "okvo/r9tVgcfZ5DysOSC" in source.legacy_public_key


def test_either_signature_proves_the_sender() -> None:
    assert verify(signed(), settings()) == "signature ok"
    assert verify(legacy(), settings()) == "signature ok (legacy)"
    assert verify(legacy(**{"X-GHL-Signature": "N/A"}), settings()) == "signature ok (legacy)"


@pytest.mark.parametrize("wrong", ["AAAA", "not base64!", base64.b64encode(bytes(64)).decode(), "é"])
def test_a_wrong_new_signature_is_rescued_by_nothing(wrong: str) -> None:
    secret = {"X-Webhook-Secret": "s3cret", "X-GHL-Signature": wrong}
    with pytest.raises(NotAuthenticError, match="X-GHL-Signature does not match"):
        verify(legacy(**secret), settings(secret="s3cret"))


def test_a_changed_byte_breaks_the_legacy_signature() -> None:
    request = replace(legacy(), body=sources.changed(BODY).encode())
    with pytest.raises(NotAuthenticError, match="X-WH-Signature does not match"):
        verify(request, settings())


@pytest.mark.parametrize("make", [signed, legacy])
@pytest.mark.parametrize("minutes", [-6, 6])
def test_an_old_delivery_is_a_replay(make: Any, minutes: int) -> None:
    sent_at = moment(SENT)
    assert sent_at is not None
    request = replace(make(), received_at=sent_at + timedelta(minutes=minutes))

    with pytest.raises(NotAuthenticError, match="more than 300 s off"):
        verify(request, settings())
    assert verify(request, settings(max_age="PT70M")).startswith("signature ok")


@pytest.mark.parametrize("timestamp", [None, "", "soon", [1], True, 10**400, "9999-12-31T23:59:59-23:59"])
def test_a_delivery_without_a_readable_time_is_refused(timestamp: Any) -> None:
    with pytest.raises(NotAuthenticError):
        verify(signed(json.dumps({"type": "ContactCreate", "timestamp": timestamp})), settings())


def test_a_time_in_milliseconds_is_read() -> None:
    assert verify(signed('{"timestamp": 1772445845000}'), settings()) == "signature ok"


@pytest.mark.parametrize(
    ("headers", "query"),
    [({"X-Webhook-Secret": "s3cret"}, ""), ({"Authorization": "Bearer s3cret"}, ""), ({}, "secret=s3cret")],
)
def test_a_workflow_proves_itself_by_the_shared_secret(headers: Mapping[str, str], query: str) -> None:
    request = sources.request("{}", headers, query=query)

    assert verify(request, settings(secret=["old", "s3cret"])) == "shared secret ok"
    with pytest.raises(NotAuthenticError, match="is not this source's"):
        verify(request, settings(secret="other"))
    with pytest.raises(NotAuthenticError, match="is not this source's"):
        verify(request, settings())


def test_unsigned_and_without_secret_is_refused() -> None:
    with pytest.raises(NotAuthenticError, match="neither X-GHL-Signature nor a shared secret"):
        verify(sources.request(BODY), settings(secret="s3cret"))


@pytest.mark.parametrize("key", ["public_key", "legacy_public_key"])
def test_a_wrong_key_in_the_settings_is_named(key: str) -> None:
    other = pem(RSA) if key == "public_key" else pem(ED25519)
    for value in ("", "nonsense", other):
        with pytest.raises(ValidationError, match="in PEM form"):
            settings(**{key: value})


@pytest.mark.parametrize(
    ("payload", "message"),
    [
        ("{", "not valid JSON"),
        (b"\xff\xfe", "not valid JSON"),
        ([], "should be a JSON object"),
        ({}, "neither type"),
        ({"type": "ContactCreate", "id": "x", "email": {"a": 1}}, "email should be a text"),
        ({"type": "ContactCreate", "id": "../x"}, "id is not the id"),
        ({"type": "ContactCreate"}, "id is not the id"),
        ({"type": "ContactCreate", "id": "x", "tags": {}}, "tags should be a JSON list"),
        ({"type": "ContactCreate", "id": "x", "customFields": [1]}, "an entry of customFields should be a JSON object"),
        ({"contact_id": None}, "contact_id is not the id"),
        ({"contact_id": "x", "customData": [1]}, "customData should be a JSON object"),
    ],
)
def test_what_cannot_be_read_says_why(payload: Any, message: str) -> None:
    with pytest.raises(MalformedError, match=message):
        parse(sources.request(payload), settings())


@pytest.mark.parametrize(("dnd", "is_opt_out"), [(True, True), ("true", True), (False, False), (None, False)])
@pytest.mark.parametrize("named", [{"type": "ContactDndUpdate", "id": "x"}, {"contact_id": "x"}])
def test_dnd_is_an_opt_out(named: dict[str, str], dnd: Any, is_opt_out: bool) -> None:
    (event,) = parse(sources.request({**named, "email": "a@example.com", "dnd": dnd}), settings())
    assert event.submission is not None
    assert event.submission.do_not_contact is is_opt_out


SCALAR = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(["ContactCreate", "x1"])
SCALAR |= st.sampled_from(sorted(VERBS))
JSON = st.recursive(SCALAR, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=8)
KEYS = st.sampled_from(["type", "locationId", "id", "email", "tags", "customFields", "dnd", "timestamp", "webhookId"])
KEYS |= st.sampled_from(["appointment", "contactId", "contactDetails", "status", "dueDate", "monetaryValue", "notes"])
WORKFLOW_KEYS = st.sampled_from(["contact_id", "customData", "location", "full_name", "value", "phone", "tags"])
PAYLOAD = JSON | st.dictionaries(KEYS | WORKFLOW_KEYS, JSON | st.lists(st.dictionaries(KEYS | WORKFLOW_KEYS, JSON)))


@given(PAYLOAD.map(json.dumps) | st.text() | st.binary() | st.integers(1, 3000).map(lambda depth: "[" * depth))
def test_no_payload_breaks_anything(body: str | bytes) -> None:
    request = sources.request(body)
    source = settings(location_id="x1", custom_fields={"a": "x1"})

    assert isinstance(delivery_key(request, source), str)
    try:
        events = parse(request, source)
    except MalformedError:
        return
    (event,) = events
    assert event.type in {"contact.submitted", "unsupported"} or event.record == (
        event.record and event.record.canonical()
    )


def test_deep_custom_values_are_malformed_or_text() -> None:
    nested: Any = "x"
    for _ in range(600):
        nested = {"a": nested}
    with pytest.raises(MalformedError):
        parse(sources.request({"contact_id": "x", "field": nested}), settings())


@given(st.binary(), st.dictionaries(st.sampled_from(["x-ghl-signature", "x-wh-signature"]), st.text(max_size=200)))
def test_no_request_is_taken_without_proof(body: bytes, headers: dict[str, str]) -> None:
    with pytest.raises(NotAuthenticError):
        verify(sources.request(body, headers), settings(secret="s3cret"))
