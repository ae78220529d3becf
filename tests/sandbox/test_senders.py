"""What the senders send is what the sources take: verified, told apart, and read back as the same person."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from mainstay.connectors import all_source_kinds
from mainstay.kit import NotAuthenticError
from mainstay.model import RawRequest, Submission
from mainstay.sandbox import senders
from mainstay.sandbox.vendors.meta import READABLE

AT = datetime(2026, 3, 2, 10, 4, 5, tzinfo=UTC)
PERSON = {
    "email": "Zoe.Gross@Example.com",
    "phone": "(312) 555-0147",
    "first_name": "Zoë",
    "last_name": "Groß",
    "company": "Groß & Co",
}
URL = "https://mainstay.example/in/acme/source"
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC = KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()

SOURCES: dict[str, dict[str, Any]] = {
    "form": {"secret": SECRET, "honeypot": "website"},
    "json": {"secret": SECRET},
    "typeform": {"secret": SECRET},
    "tally": {"secret": SECRET},
    "facebook_lead_ads": {"app_secret": SECRET, "verify_token": "v", "page_token": "p"},
    "calendly": {"signing_key": SECRET},
    "jotform": {"secret": SECRET},
    "gohighlevel": {"public_key": PUBLIC},
    "hubspot": {"client_secret": SECRET, "connection": "hub"},
}


def send(kind: str, key: str = "lead-1", person: dict[str, str] | None = None) -> senders.SignedRequest:
    who = PERSON if person is None else person
    signed_at_once = {
        "json": senders.json_webhook,
        "typeform": senders.typeform,
        "tally": senders.tally,
        "facebook_lead_ads": senders.facebook,
        "calendly": senders.calendly,
        "jotform": senders.jotform,
    }
    if kind in signed_at_once:
        return signed_at_once[kind](who, SECRET, key=key, at=AT)
    if kind == "form":
        return senders.form(who, SECRET, key=key, message="Hello & <welcome>")
    if kind == "gohighlevel":
        return senders.gohighlevel(who, KEY, key=key, at=AT, location_id="ve9EPM428h8vShlRW1KT")
    return senders.hubspot(who, SECRET, key=key, at=AT, url=URL)


def arrived(sent: senders.SignedRequest) -> RawRequest:
    headers = {name.lower(): value for name, value in sent.headers.items()}
    url = f"{URL}?{sent.query}" if sent.query else URL
    return RawRequest("POST", url, headers, sent.body, AT + timedelta(seconds=2))


@pytest.mark.parametrize("kind", SOURCES)
def test_what_is_sent_is_taken(kind: str) -> None:
    source = all_source_kinds()[kind]
    settings = source.settings(kind=kind, **SOURCES[kind])
    request = arrived(send(kind))
    assert source.verify(request, settings) in {"signature ok", "shared secret ok"}
    key = source.delivery_key(request, settings)
    assert key
    assert key == source.delivery_key(arrived(send(kind)), settings)
    assert key != source.delivery_key(arrived(send(kind, "lead-2")), settings)
    (event,) = source.parse(request, settings)
    assert event.type == "contact.submitted"
    submission = event.submission
    if submission is None:
        assert source.fetch is not None
        assert send(kind).seed is not None
        return
    name = submission.name or f"{submission.first_name} {submission.last_name}"
    assert Submission(email=submission.email, phone=submission.phone, name=name, company=submission.company) == (
        Submission(email=PERSON["email"], phone=PERSON["phone"], name="Zoë Groß", company=PERSON["company"])
    )


@pytest.mark.parametrize("kind", [kind for kind in SOURCES if kind not in {"form", "jotform"}])
def test_a_changed_body_is_refused(kind: str) -> None:
    source = all_source_kinds()[kind]
    settings = source.settings(kind=kind, **SOURCES[kind])
    request = arrived(send(kind))
    changed = RawRequest(request.method, request.url, request.headers, request.body + b" ", request.received_at)
    with pytest.raises(NotAuthenticError):
        source.verify(changed, settings)


@pytest.mark.parametrize("kind", SOURCES)
def test_a_person_with_an_email_alone_is_sent_too(kind: str) -> None:
    source = all_source_kinds()[kind]
    settings = source.settings(kind=kind, **SOURCES[kind])
    (event,) = source.parse(arrived(send(kind, person={"email": "a@b.co"})), settings)
    assert event.submission is None or event.submission.email == "a@b.co"


def test_the_leads_record_is_one_that_the_graph_api_knows() -> None:
    sent = send("facebook_lead_ads")
    assert sent.seed is not None
    assert set(sent.seed) <= READABLE
    assert sent.seed["created_time"] == "2026-03-02T10:04:05+0000"
    assert {field["name"]: field["values"] for field in sent.seed["field_data"]} == {
        "full_name": ["Zoë Groß"],
        "email": [PERSON["email"]],
        "phone_number": [PERSON["phone"]],
        "company_name": [PERSON["company"]],
    }


def test_hubspots_notice_names_the_contact_that_is_there() -> None:
    sent = senders.hubspot(PERSON, SECRET, key="k", at=AT, url=URL, object_id=501)
    assert b'"objectId":501' in sent.body
    assert sent.seed == {
        "id": "501",
        "properties": {
            "email": PERSON["email"],
            "phone": PERSON["phone"],
            "firstname": "Zoë",
            "lastname": "Groß",
            "company": PERSON["company"],
        },
    }


def test_a_key_in_pem_form_signs_the_same() -> None:
    pem = KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    sent = senders.gohighlevel(PERSON, pem, key="lead-1", at=AT, location_id="ve9EPM428h8vShlRW1KT")
    assert sent == send("gohighlevel")


@pytest.mark.parametrize("url", [URL, "http://127.0.0.1:8080/in/acme/texts"])
def test_a_text_message_is_taken_as_one_of_its_number(url: str) -> None:
    source = all_source_kinds()["twilio"]
    settings = source.settings.model_validate({"kind": "twilio", "auth_token": SECRET})
    sent = senders.twilio({"phone": "+1 (312) 555-0147"}, SECRET, key="text-1", url=url, text="Grüße & <welcome> 👍")
    request = replace(arrived(sent), url=url)
    assert source.verify(request, settings) == "signature ok"
    with pytest.raises(NotAuthenticError):
        source.verify(replace(request, body=request.body + b"x"), settings)
    (event,) = source.parse(request, settings)
    assert (event.type, event.submission) == ("message.received", Submission(phone="+13125550147"))
    assert event.data["text"] == "Grüße & <welcome> 👍"
    assert event.key == source.delivery_key(request, settings)
