"""What sources send, in their real shapes and rightly signed: leads for the demo, for tests and for trying out.

Pure functions. A person is a mapping with any of ``email``, ``phone``, ``first_name``, ``last_name``, ``company``, in
whatever spelling the person typed. ``key`` names one submission: the same key gives the same ids, so that sending it
again is a re-delivery. ``at`` is the sender's clock, which some signatures carry.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import orjson
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from mainstay.kit import standard_webhooks
from mainstay.kit.signature import hmac_base64, hmac_hex

Person = Mapping[str, str]
_JSON = "application/json"
_BOUNDARY = "----------------------------mainstay-sandbox"


@dataclass(frozen=True, slots=True)
class SignedRequest:
    """A POST to make. ``query`` goes behind the source's address, without its question mark.

    ``seed`` is the record that the vendor's own API must hold before we are told of it (Facebook: a lead; HubSpot: a
    contact's id and properties); None where the request says all.
    """

    body: bytes
    headers: Mapping[str, str]
    query: str = ""
    seed: Mapping[str, Any] | None = field(default=None)

    @property
    def content_type(self) -> str:
        """The header Content-Type, with its parameters."""
        return self.headers["Content-Type"]


def form(person: Person, secret: str = "", *, key: str = "", message: str = "") -> SignedRequest:
    """Give what a browser posts from a plain HTML form; a secret goes into the address, as a form's action has it."""
    fields = {
        "Full name": _full_name(person),
        "Email Address": _get(person, "email"),
        "Phone": _get(person, "phone"),
        "Company": _get(person, "company"),
        "Message": message,
        "website": "",
    }
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    if key:
        headers["Idempotency-Key"] = key
    return SignedRequest(urlencode(fields).encode(), headers, query=urlencode({"secret": secret}) if secret else "")


def json_webhook(person: Person, secret: str, *, key: str, at: datetime, message: str = "") -> SignedRequest:
    """Give a JSON webhook signed by Standard Webhooks; ``secret`` is ``whsec_`` and base64, or any text."""
    body = orjson.dumps(
        {
            "first_name": _get(person, "first_name"),
            "last_name": _get(person, "last_name"),
            "email": _get(person, "email"),
            "phone": _get(person, "phone"),
            "company": _get(person, "company"),
            "message": message,
        }
    )
    headers = {"Content-Type": _JSON, **standard_webhooks.sign((secret,), f"msg_{_id(key, 24)}", at, body)}
    return SignedRequest(body, headers)


def typeform(person: Person, secret: str, *, key: str, at: datetime) -> SignedRequest:
    """Give a Typeform ``form_response``."""
    questions = (
        ("first_name", "short_text", "What is your first name?", "text", "first_name"),
        ("last_name", "short_text", "And your last name?", "text", "last_name"),
        ("email", "email", "Where can we write to you?", "email", "email"),
        ("phone", "phone_number", "On which number can we reach you?", "phone_number", "phone"),
        ("company", "short_text", "Company", "text", "company"),
    )
    fields, answers = [], []
    for ref, kind, title, answer, attribute in questions:
        question = {"id": _id(ref, 12), "ref": ref, "type": kind}
        fields.append({**question, "title": title, "properties": {}})
        if _get(person, attribute):
            answers.append({"type": answer, answer: _get(person, attribute), "field": question})
    body = orjson.dumps(
        {
            "event_id": f"01{_id(key, 24).upper()}",
            "event_type": "form_response",
            "form_response": {
                "form_id": "lT4Z3jQw",
                "token": _id(f"{key} token", 32),
                "landed_at": _zulu(at - timedelta(minutes=2)),
                "submitted_at": _zulu(at),
                "hidden": {"utm_campaign": "spring"},
                "definition": {"id": "lT4Z3jQw", "title": "Ask for a quote", "fields": fields},
                "answers": answers,
            },
        }
    )
    headers = {"Content-Type": _JSON, "Typeform-Signature": f"sha256={hmac_base64(secret, body)}"}
    return SignedRequest(body, headers)


def tally(person: Person, secret: str, *, key: str, at: datetime) -> SignedRequest:
    """Give Tally's ``FORM_RESPONSE``; the choice is told by its option's id."""
    topics = [{"id": _uuid(topic), "text": topic} for topic in ("Boiler", "Radiators")]
    questions = (
        ("First name", "INPUT_TEXT", _get(person, "first_name"), None),
        ("Last name", "INPUT_TEXT", _get(person, "last_name"), None),
        ("Where can we write to you?", "INPUT_EMAIL", _get(person, "email"), None),
        ("On which number can we reach you?", "INPUT_PHONE_NUMBER", _get(person, "phone"), None),
        ("Company", "INPUT_TEXT", _get(person, "company"), None),
        ("What is it about?", "MULTIPLE_CHOICE", [topics[0]["id"]], topics),
    )
    fields = [
        {"key": f"question_{_id(label, 6)}", "label": label, "type": kind, "value": value or None}
        | ({"options": options} if options else {})
        for label, kind, value, options in questions
    ]
    response_id = _id(f"{key} response", 6)
    data = {
        "responseId": response_id,
        "submissionId": response_id,
        "respondentId": _id(f"{key} respondent", 6),
        "formId": "VwbNEw",
        "formName": "Ask for a quote",
        "createdAt": _zulu(at, "milliseconds"),
        "fields": fields,
    }
    told = {"eventId": _uuid(key), "eventType": "FORM_RESPONSE", "createdAt": _zulu(at, "milliseconds"), "data": data}
    body = orjson.dumps(told)
    return SignedRequest(body, {"Content-Type": _JSON, "Tally-Signature": hmac_base64(secret, body)})


def facebook(person: Person, app_secret: str, *, key: str, at: datetime) -> SignedRequest:
    """Give Meta's ``leadgen`` notice; the lead itself is in ``seed``, to be put into the Graph API's simulator."""
    lead_id = str(10**15 + _number(key, 10**14))
    form_id, page_id, ad_id = "551111744595541", "516540199134611", "120210000000000001"
    value = {
        "leadgen_id": lead_id,
        "page_id": page_id,
        "form_id": form_id,
        "ad_id": ad_id,
        "adgroup_id": "120210000000000002",
        "created_time": int(at.timestamp()),
    }
    change = {"field": "leadgen", "value": value}
    body = orjson.dumps(
        {"object": "page", "entry": [{"id": page_id, "time": int(at.timestamp()), "changes": [change]}]}
    )
    answers = {
        "full_name": _full_name(person),
        "email": _get(person, "email"),
        "phone_number": _get(person, "phone"),
        "company_name": _get(person, "company"),
    }
    seed = {
        "id": lead_id,
        "created_time": f"{at:%Y-%m-%dT%H:%M:%S%z}",
        "form_id": form_id,
        "ad_id": ad_id,
        "campaign_id": "120210000000000003",
        "platform": "fb",
        "is_organic": False,
        "field_data": [{"name": name, "values": [value]} for name, value in answers.items() if value],
    }
    headers = {"Content-Type": _JSON, "X-Hub-Signature-256": f"sha256={hmac_hex(app_secret, body)}"}
    return SignedRequest(body, headers, seed=seed)


def calendly(person: Person, signing_key: str, *, key: str, at: datetime) -> SignedRequest:
    """Give Calendly's ``invitee.created``."""
    event = f"https://api.calendly.com/scheduled_events/{_id('event ' + key, 16).upper()}"
    start = (at + timedelta(days=2)).replace(minute=0, second=0, microsecond=0)
    questions = [{"question": "Company", "answer": _get(person, "company"), "position": 0}]
    invitee = {
        "uri": f"{event}/invitees/{_id(key, 16).upper()}",
        "event": event,
        "email": _get(person, "email"),
        "name": _full_name(person),
        "first_name": _get(person, "first_name") or None,
        "last_name": _get(person, "last_name") or None,
        "status": "active",
        "timezone": "America/Chicago",
        "text_reminder_number": _get(person, "phone") or None,
        "questions_and_answers": questions if _get(person, "company") else [],
        "tracking": {"utm_campaign": None, "utm_source": None, "utm_medium": None},
        "rescheduled": False,
        "old_invitee": None,
        "new_invitee": None,
        "cancel_url": f"https://calendly.com/cancellations/{_id(key, 16).upper()}",
        "reschedule_url": f"https://calendly.com/reschedulings/{_id(key, 16).upper()}",
        "created_at": _zulu(at, "microseconds"),
        "updated_at": _zulu(at, "microseconds"),
        "scheduled_event": {
            "uri": event,
            "name": "Estimate visit",
            "status": "active",
            "start_time": _zulu(start, "microseconds"),
            "end_time": _zulu(start + timedelta(minutes=30), "microseconds"),
            "event_type": "https://api.calendly.com/event_types/GBGBDCAADAEDCRZ2",
            "location": {"type": "physical", "location": "At your place"},
        },
    }
    body = orjson.dumps(
        {
            "event": "invitee.created",
            "created_at": _zulu(at, "microseconds"),
            "created_by": "https://api.calendly.com/users/AAAAAAAAAAAAAAAA",
            "payload": invitee,
        }
    )
    timestamp = str(int(at.timestamp()))
    signature = hmac_hex(signing_key, timestamp.encode() + b"." + body)
    headers = {"Content-Type": _JSON, "Calendly-Webhook-Signature": f"t={timestamp},v1={signature}"}
    return SignedRequest(body, headers)


def jotform(person: Person, secret: str, *, key: str, at: datetime) -> SignedRequest:
    """Give Jotform's multipart webhook, its secret in the address."""
    answers = {
        "slug": "submit/233456789012345",
        "q3_name": {"first": _get(person, "first_name"), "last": _get(person, "last_name")},
        "q4_email": _get(person, "email"),
        "q5_phoneNumber": {"full": _get(person, "phone")},
        "q6_company": _get(person, "company"),
        "q7_services": ["Boiler", "Radiators"],
        "submitDate": str(int(at.timestamp() * 1000)),
    }
    pretty = f"Name:{_full_name(person)}, E-mail:{_get(person, 'email')}, Phone Number:{_get(person, 'phone')}"
    fields = {
        "action": "",
        "webhookURL": "https://mainstay.example/in/acme/jotform",
        "username": "acme",
        "formID": "233456789012345",
        "type": "WEB",
        "formTitle": "Ask for a visit",
        "submissionID": str(5 * 10**18 + _number(key, 10**17)),
        "ip": "203.0.113.7",
        "pretty": pretty,
        "rawRequest": orjson.dumps(answers).decode(),
    }
    parts = [
        f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in fields.items()
    ]
    body = ("".join(parts) + f"--{_BOUNDARY}--\r\n").encode()
    headers = {"Content-Type": f"multipart/form-data; boundary={_BOUNDARY}"}
    return SignedRequest(body, headers, query=urlencode({"secret": secret}))


def gohighlevel(
    person: Person, private_key: Ed25519PrivateKey | str, *, key: str, at: datetime, location_id: str
) -> SignedRequest:
    """Give GoHighLevel's ``ContactCreate``; ``private_key`` (or its PEM) belongs to the source's public key."""
    contact = {
        "type": "ContactCreate",
        "timestamp": _zulu(at, "milliseconds"),
        "webhookId": _uuid(key),
        "locationId": location_id,
        "id": _id(f"contact {key}", 20),
        "firstName": _get(person, "first_name"),
        "lastName": _get(person, "last_name"),
        "name": _full_name(person),
        "email": _get(person, "email"),
        "phone": _get(person, "phone"),
        "companyName": _get(person, "company"),
        "source": "public api",
        "country": "US",
        "dateAdded": _zulu(at, "milliseconds"),
        "tags": [],
        "customFields": [],
    }
    body = orjson.dumps({name: value for name, value in contact.items() if value != ""})
    signature = base64.b64encode(_signing_key(private_key).sign(body)).decode()
    return SignedRequest(body, {"Content-Type": _JSON, "X-GHL-Signature": signature})


def hubspot(
    person: Person, client_secret: str, *, key: str, at: datetime, url: str, object_id: int | None = None
) -> SignedRequest:
    """Give HubSpot's ``contact.creation``, signed (v3) for the public address ``url``; the contact is in ``seed``.

    ``object_id`` is the contact's id where it is in the CRM already (its simulator gives out ids of its own).
    """
    object_id = 10**9 + _number(key, 10**9) if object_id is None else object_id
    milliseconds = int(at.timestamp() * 1000)
    notice = {
        "eventId": 10**8 + _number(f"event {key}", 10**8),
        "subscriptionId": 12345,
        "portalId": 62515,
        "appId": 54321,
        "occurredAt": milliseconds,
        "subscriptionType": "contact.creation",
        "attemptNumber": 0,
        "objectId": object_id,
        "changeFlag": "NEW",
        "changeSource": "CRM_UI",
    }
    body = orjson.dumps([notice])
    headers = {
        "Content-Type": _JSON,
        "X-HubSpot-Request-Timestamp": str(milliseconds),
        "X-HubSpot-Signature-v3": hmac_base64(client_secret, f"POST{url}".encode() + body + str(milliseconds).encode()),
    }
    properties = {
        "email": _get(person, "email"),
        "phone": _get(person, "phone"),
        "firstname": _get(person, "first_name"),
        "lastname": _get(person, "last_name"),
        "company": _get(person, "company"),
    }
    seed = {"id": str(object_id), "properties": {name: value for name, value in properties.items() if value}}
    return SignedRequest(body, headers, seed=seed)


def twilio(person: Person, auth_token: str, *, key: str, url: str, text: str = "Hello") -> SignedRequest:
    """Give a text message from the person's phone, signed for the public address ``url``."""
    sid = f"SM{_id(key, 32)}"
    fields = {
        "MessageSid": sid,
        "SmsSid": sid,
        "SmsMessageSid": sid,
        "SmsStatus": "received",
        "AccountSid": f"AC{_id('account', 32)}",
        "From": "".join(character for character in _get(person, "phone") if character in "+0123456789"),
        "To": "+13125550100",
        "Body": text,
        "NumMedia": "0",
        "NumSegments": "1",
        "ApiVersion": "2010-04-01",
    }
    signed = url + "".join(name + value for name, value in sorted(fields.items()))
    headers = {
        "Content-Type": "application/x-www-form-urlencoded",
        "X-Twilio-Signature": hmac_base64(auth_token, signed.encode(), "sha1"),
    }
    return SignedRequest(urlencode(fields).encode(), headers)


def _signing_key(private_key: Ed25519PrivateKey | str) -> Ed25519PrivateKey:
    if isinstance(private_key, Ed25519PrivateKey):
        return private_key
    loaded = load_pem_private_key(private_key.encode(), password=None)
    if not isinstance(loaded, Ed25519PrivateKey):
        raise TypeError("GoHighLevel signs with Ed25519: this is another kind of key")
    return loaded


def _get(person: Person, name: str) -> str:
    return person.get(name, "")


def _full_name(person: Person) -> str:
    return " ".join(part for part in (_get(person, "first_name"), _get(person, "last_name")) if part)


def _zulu(at: datetime, timespec: str = "seconds") -> str:
    return at.isoformat(timespec=timespec).replace("+00:00", "Z")


def _id(key: str, length: int) -> str:
    return hashlib.sha256(key.encode()).hexdigest()[:length]


def _uuid(key: str) -> str:
    digits = _id(key, 32)
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def _number(key: str, below: int) -> int:
    return int(_id(key, 32), 16) % below
