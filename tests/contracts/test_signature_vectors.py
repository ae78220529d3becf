"""Every published signature vector is what its verifier says it is, and no byte of one may change."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from mainstay.connectors import all_source_kinds
from mainstay.kit import NotAuthenticError, RawRequest, signature
from mainstay.kit.payload import moment

PATH = Path(__file__).resolve().parents[2].parent / "shared" / "vendors" / "signature_vectors.json"
Vector = Mapping[str, Any]
FORM = "application/x-www-form-urlencoded"
MOST_BYTES = 40
HOW_MANY = 45

SOURCES: Mapping[str, tuple[str, Callable[[Vector], Mapping[str, Any]]]] = {
    "stripe": ("stripe", lambda each: {"secret": each["secret"]}),
    "twilio": ("twilio", lambda each: {"auth_token": each["secret"]}),
    "hubspot": (
        "hubspot",
        lambda each: {"client_secret": each["secret"], "signatures": ["v3", "v2", "v1"], "connection": "crm"},
    ),
    "standard-webhooks": ("json", lambda each: {"secret": each["secret"]}),
    "svix (Resend uses it)": ("resend", lambda each: {"secret": each["secret"]}),
    "sendgrid": ("sendgrid", lambda each: {"public_key": each["public_key_base64_der"]}),
    "quickbooks": (
        "quickbooks",
        lambda each: {"verifier_token": each["secret"], "connection": "books", "realm_id": "1"},
    ),
    "meta": ("facebook_lead_ads", lambda each: {"app_secret": each["secret"], "verify_token": "v", "page_token": "p"}),
    "x-hub-signature-256 (GitHub's published test value; Meta uses the same scheme)": (
        "facebook_lead_ads",
        lambda each: {"app_secret": each["secret"], "verify_token": "v", "page_token": "p"},
    ),
    "xero": (
        "xero",
        lambda each: {
            "signing_key": each["secret"],
            "connection": "books",
            "tenant_id": "fe79f7dd-b6d4-4a92-ba7b-538af6289c58",
        },
    ),
    "linear": ("linear", lambda each: {"secret": each["secret"]}),
    "notion": ("notion", lambda each: {"verification_token": each["secret"], "connection": "notion"}),
    "asana": ("asana", lambda each: {"secret": each["secret"], "connection": "asana"}),
    "typeform": ("typeform", lambda each: {"secret": each["secret"]}),
    "calendly": ("calendly", lambda each: {"signing_key": each["secret"]}),
    "tally": ("tally", lambda each: {"secret": each["secret"]}),
    "retell": ("retell", lambda each: {"api_key": each["secret"]}),
    "bland": ("bland", lambda each: {"secret": each["secret"]}),
    "gohighlevel": ("gohighlevel", lambda each: {"public_key": each["public_key_pem"]}),
}


def vectors() -> list[Vector]:
    if not PATH.is_file():
        return []
    found: list[Vector] = json.loads(PATH.read_text("utf-8"))["vectors"]
    return found


def body_of(vector: Vector) -> bytes:
    pairs = vector.get("params") or [tuple(pair) for pair in vector.get("params_list", ())]
    return urlencode(pairs).encode() if pairs else str(vector["body"]).encode()


def sent_at(vector: Vector) -> datetime:
    if "timestamp" in vector:
        return datetime.fromtimestamp(vector["timestamp"], UTC)
    if "timestamp_ms" in vector:
        return datetime.fromtimestamp(vector["timestamp_ms"] / 1000, UTC)
    told = json.loads(vector["body"]).get("timestamp") if vector["vendor"] == "gohighlevel" else None
    return moment(told) or datetime(2026, 3, 2, tzinfo=UTC)


def request_of(vector: Vector, body: bytes) -> tuple[RawRequest, Any]:
    """Return the request of a vector, with a body of its own or another, and the settings of its source."""
    headers = {name.lower(): value for name, value in (vector.get("headers") or {}).items()}
    if vector.get("header"):
        headers[vector["header"].lower()] = vector["header_value"]
    is_form = "params" in vector or "params_list" in vector
    headers["content-type"] = FORM if is_form else "application/json"
    name, keys = SOURCES[vector["vendor"]]
    settings = all_source_kinds()[name].settings.model_validate({"kind": name, **keys(vector)})
    url = vector.get("url") or "https://mainstay.example/in/acme/source"
    return RawRequest(vector.get("method") or "POST", url, headers, body, sent_at(vector)), settings


def is_taken(vector: Vector, body: bytes) -> bool:
    """Tell whether a body is taken for what the vector's vendor signed."""
    if vector["vendor"] == "slack":
        # No source of ours: the scheme is checked by the kit's own means.
        headers = {name.lower(): value for name, value in vector["headers"].items()}
        base = b"v0:" + headers["x-slack-request-timestamp"].encode() + b":" + body
        return signature.equal(f"v0={signature.hmac_hex(vector['secret'], base)}", headers["x-slack-signature"])
    request, settings = request_of(vector, body)
    try:
        all_source_kinds()[SOURCES[vector["vendor"]][0]].verify(request, settings)
    except NotAuthenticError:
        return False
    return True


def changes(body: bytes) -> list[bytes]:
    """Return bodies that differ in one byte, from the first to the last of them."""
    places = range(0, len(body), max(1, len(body) // MOST_BYTES))
    flipped = {*places, len(body) - 1} if body else set()
    return [body[:at] + bytes([body[at] ^ 1]) + body[at + 1 :] for at in sorted(flipped)]


def test_all_of_them_are_here() -> None:
    if not PATH.is_file():
        reason = f"the vendors' signature vectors are not at {PATH}"
        if os.environ.get("CI", "").lower() == "true":
            pytest.fail(f"CI never skips them, and {reason}", pytrace=False)
        pytest.skip(reason)
    assert len(vectors()) == HOW_MANY
    assert {each["vendor"] for each in vectors()} <= {*SOURCES, "slack"}


@pytest.mark.parametrize("vector", vectors(), ids=lambda each: each["id"])
def test_a_vector_is_what_it_says_and_a_changed_byte_fails(vector: Vector) -> None:
    body = body_of(vector)
    assert is_taken(vector, body) == vector["valid"]
    taken = [changed for changed in changes(body) if is_taken(vector, changed)]
    assert taken == []
    if vector.get("header_value") and vector["valid"]:
        value = vector["header_value"]
        assert not is_taken(
            {**vector, "header_value": value[:-2] + ("A" if value[-2] != "A" else "B") + value[-1]}, body
        )
