"""What GoHighLevel sends: app webhooks (signed) and the "Webhook" action of its workflows (a shared secret).

Vendor facts: github.com/GoHighLevel/highlevel-api-docs docs/webhook events, docs/oauth/WebhookAuthentication.md.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from pydantic import Field, field_validator

from mainstay.connectors.gohighlevel.contact import flat, scalar, texts, to_submission
from mainstay.connectors.gohighlevel.records import VERBS, location_of, read_record
from mainstay.kit import Duration, Event, MalformedError, NotAuthenticError, RawRequest, SourceSettings, Submission
from mainstay.kit.opting import opts_out
from mainstay.kit.payload import as_object, moment, object_in, read_object, text
from mainstay.kit.secrets import Secrets, is_one_of
from mainstay.kit.signature import require_fresh

PUBLIC_KEY = """\
-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEAi2HR1srL4o18O8BRa7gVJY7G7bupbN3H9AwJrHCDiOg=
-----END PUBLIC KEY-----
"""
LEGACY_PUBLIC_KEY = """\
-----BEGIN PUBLIC KEY-----
MIICIjANBgkqhkiG9w0BAQEFAAOCAg8AMIICCgKCAgEAokvo/r9tVgcfZ5DysOSC
Frm602qYV0MaAiNnX9O8KxMbiyRKWeL9JpCpVpt4XHIcBOK4u3cLSqJGOLaPuXw6
dO0t6Q/ZVdAV5Phz+ZtzPL16iCGeK9po6D6JHBpbi989mmzMryUnQJezlYJ3DVfB
csedpinheNnyYeFXolrJvcsjDtfAeRx5ByHQmTnSdFUzuAnC9/GepgLT9SM4nCpv
uxmZMxrJt5Rw+VUaQ9B8JSvbMPpez4peKaJPZHBbU3OdeCVx5klVXXZQGNHOs8gF
3kvoV5rTnXV0IknLBXlcKKAQLZcY/Q9rG6Ifi9c+5vqlvHPCUJFT5XUGG5RKgOKU
J062fRtN+rLYZUV+BjafxQauvC8wSWeYja63VSUruvmNj8xkx2zE/Juc+yjLjTXp
IocmaiFeAO6fUtNjDeFVkhf5LNb59vECyrHD2SQIrhgXpO4Q3dVNA5rw576PwTzN
h/AMfHKIjE4xQA1SZuYJmNnmVZLIZBlQAF9Ntd03rfadZ+yDiOXCCs9FkHibELhC
HULgCsnuDJHcrGNd5/Ddm5hxGQ0ASitgHeMZ0kcIOwKDOzOU53lDza6/Y09T7sYJ
PQe7z0cvj7aE4B+Ax1ZoZGPzpJlZtGXCsu9aTEGEnKzmsFqwcSsnw3JB31IGKAyk
T1hhTiaCeIY/OwwwNUY2yvcCAwEAAQ==
-----END PUBLIC KEY-----
"""
MAX_KEY = 200
HANDLED = ("ContactCreate", "ContactUpdate", "ContactDndUpdate")
_MOST_SECONDS = 100_000_000_000  # beyond it a number is milliseconds
_ID = re.compile(r"[\w-]{1,64}", re.ASCII)
# Parts of a workflow's payload that say nothing about the person, or that the submission holds under its own name.
_NOT_CUSTOM = frozenset({
    "contact_id", "first_name", "last_name", "full_name", "email", "phone", "tags", "company_name", "contact_source",
    "contact_type", "date_created", "full_address", "location", "workflow", "triggerData", "contact", "customData",
    "attributionSource", "calendar", "user", "message", "opportunity", "task", "order", "invoice", "note", "type",
})  # fmt: skip


class GoHighLevelSource(SourceSettings):
    """``[sources.NAME]`` with ``kind = "gohighlevel"``."""

    location_id: str = Field("", description="Take this location's deliveries only; empty for any.")
    secret: Secrets = Field(
        (), description="Secret, or list of secrets, for the unsigned Webhook action of workflows; none refuses these."
    )
    public_key: str = Field(PUBLIC_KEY, description="PEM of the Ed25519 key behind X-GHL-Signature.")
    legacy_public_key: str = Field(LEGACY_PUBLIC_KEY, description="PEM of the RSA key behind X-WH-Signature.")
    max_age: Duration = Field(timedelta(minutes=5), description="How old a signed delivery may be.")
    custom_fields: dict[str, str] = Field(
        default_factory=dict, description="Names of custom fields: our key to the id of their field."
    )

    @field_validator("public_key")
    @classmethod
    def _ed25519(cls, value: str) -> str:
        if not isinstance(_load(value), Ed25519PublicKey):
            message = "not an Ed25519 public key in PEM form"
            raise ValueError(message)
        return value

    @field_validator("legacy_public_key")
    @classmethod
    def _rsa(cls, value: str) -> str:
        if not isinstance(_load(value), RSAPublicKey):
            message = "not an RSA public key in PEM form"
            raise ValueError(message)
        return value


def _load(pem: str) -> object:
    try:
        return load_pem_public_key(pem.encode())
    except ValueError as error:
        message = "not a public key in PEM form (-----BEGIN PUBLIC KEY-----)"
        raise ValueError(message) from error


def verify(request: RawRequest, settings: GoHighLevelSource) -> str:
    """Check the newer signature where there is one, else the older, else the shared secret.

    A wrong newer signature is never rescued by another proof. Signed deliveries carry their time in the body.
    """
    signature = _signature(request, "x-ghl-signature")
    if signature:
        _check(signature, request.body, settings.public_key, "X-GHL-Signature")
        _check_age(request, settings)
        return "signature ok"
    signature = _signature(request, "x-wh-signature")
    if signature:
        _check(signature, request.body, settings.legacy_public_key, "X-WH-Signature")
        _check_age(request, settings)
        return "signature ok (legacy)"
    given = _shared_secret(request)
    if not given:
        raise NotAuthenticError(
            "neither X-GHL-Signature nor a shared secret came along: let the workflow's Webhook action send the secret "
            "as the header X-Webhook-Secret or the parameter secret"
        )
    if not is_one_of(given, settings.secret):
        raise NotAuthenticError("the shared secret is not this source's: compare it with secret in stack.toml")
    return "shared secret ok"


def _shared_secret(request: RawRequest) -> str:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    bearer = token.strip() if scheme.lower() == "bearer" else ""
    return request.headers.get("x-webhook-secret") or bearer or request.query.get("secret", "")


def _signature(request: RawRequest, header: str) -> str:
    # The vendor writes "N/A" where a delivery has no signature of that kind.
    value = request.headers.get(header, "").strip()
    return "" if value == "N/A" else value


def _check(signature: str, body: bytes, pem: str, header: str) -> None:
    try:
        given = base64.b64decode(signature, validate=True)
        key = _load(pem)
        if isinstance(key, Ed25519PublicKey):
            key.verify(given, body)
        elif isinstance(key, RSAPublicKey):
            key.verify(given, body, PKCS1v15(), SHA256())
    except (InvalidSignature, binascii.Error, ValueError) as error:
        raise NotAuthenticError(f"{header} does not match the body") from error


def _check_age(request: RawRequest, settings: GoHighLevelSource) -> None:
    sent_at = _time(object_in(request.body))
    if sent_at is None:
        raise NotAuthenticError("the body has no timestamp, so its age cannot be checked")
    require_fresh(sent_at, request.received_at, settings.max_age)


def _time(payload: Mapping[str, Any]) -> datetime | None:
    value = payload.get("timestamp")
    if isinstance(value, int) and abs(value) > _MOST_SECONDS:
        value //= 1000
    return moment(value)


def delivery_key(request: RawRequest, _settings: GoHighLevelSource) -> str:
    """Return ``webhookId``; the workflows' payloads have none."""
    return text(object_in(request.body).get("webhookId"))[:MAX_KEY]


def parse(request: RawRequest, settings: GoHighLevelSource) -> Sequence[Event]:
    """Read one app webhook or one workflow payload."""
    payload = read_object(request.body)
    kind = scalar(payload, "type")
    key = delivery_key(request, settings)
    if "contact_id" in payload and kind not in HANDLED and kind not in VERBS:
        if reason := _other_location(_id_in(payload.get("location")), settings):
            return [Event("unsupported", reason=reason)]
        return [Event("contact.submitted", submission=_from_workflow(payload, settings), data={"type": "workflow"})]
    if not kind:
        raise MalformedError(
            "neither type (app webhook) nor contact_id (workflow webhook) is in the payload: send it from "
            "GoHighLevel's Webhook action, or use a source of kind form for other shapes"
        )
    time = _time(payload)
    if kind in VERBS:
        if reason := _other_location(location_of(payload), settings):
            return [Event("unsupported", key=key, time=time, reason=reason)]
        return [read_record(kind, payload, key=key, time=time)]
    if kind not in HANDLED:
        return [Event("unsupported", key=key, time=time, reason=kind[:100])]
    if reason := _other_location(scalar(payload, "locationId"), settings):
        return [Event("unsupported", key=key, time=time, reason=reason)]
    _require_id(scalar(payload, "id"), "id")
    submission = to_submission(payload, connection=settings.connection, custom_fields=settings.custom_fields)
    submission = replace(submission, occurred_at=time)
    return [Event("contact.submitted", key=key, time=time, submission=submission, data={"type": kind})]


def _other_location(location: str, settings: GoHighLevelSource) -> str:
    if settings.location_id and location != settings.location_id:
        return f"location {location[:64] or 'unnamed'}: this source takes {settings.location_id} only"
    return ""


def _id_in(location: object) -> str:
    return scalar(location, "id") if isinstance(location, dict) else ""


def _require_id(value: str, key: str) -> str:
    if not _ID.fullmatch(value):
        raise MalformedError(f"{key} is not the id of a GoHighLevel contact")
    return value


def _from_workflow(payload: Mapping[str, Any], settings: GoHighLevelSource) -> Submission:
    extra = as_object(payload.get("customData") or {}, "customData")
    # Workflows send every custom field of the location by its label, mostly empty.
    custom = {key: found for key, value in payload.items() if key not in _NOT_CUSTOM and (found := flat(value))}
    custom |= {key: found for key, value in extra.items() if (found := flat(value))}
    return Submission(
        email=scalar(payload, "email"),
        phone=scalar(payload, "phone"),
        name=scalar(payload, "full_name"),
        first_name=scalar(payload, "first_name"),
        last_name=scalar(payload, "last_name"),
        company=scalar(payload, "company_name"),
        source=scalar(payload, "contact_source"),
        tags=texts(payload, "tags"),
        custom=custom,
        do_not_contact=opts_out(scalar(payload, "dnd")),
        connection=settings.connection,
        external_id=_require_id(scalar(payload, "contact_id"), "contact_id"),
    )
