"""Verifying and reading what a form or any other system posts.

Signatures: Standard Webhooks (standardwebhooks.com): ``webhook-id``, ``webhook-timestamp``, ``webhook-signature``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import orjson

from mainstay.connectors.form.settings import FormSettings
from mainstay.kit import Composed, Event, MalformedError, RawRequest, standard_webhooks
from mainstay.kit.payload import as_object, is_form, read_form, read_json, text
from mainstay.kit.proving import require_proof, sent_key
from mainstay.kit.secrets import plain

MAX_EVENTS = 1_000


def verify(request: RawRequest, settings: FormSettings) -> str:
    """Check the signature where there is one, else the shared secret; without a secret in the settings nothing."""
    if not settings.secret:
        return "unsigned"
    return require_proof(request, settings.secret)


def delivery_key(request: RawRequest, _settings: FormSettings) -> str:
    """Return ``webhook-id``, else ``Idempotency-Key``; a very long one as its hash."""
    return sent_key(request)


def compose(settings: FormSettings, fields: Mapping[str, str], key: str, at: datetime) -> Composed:
    """Give a JSON body; a system that posts signs it where there is a secret, and a form brings the secret itself."""
    body, headers = orjson.dumps(dict(fields)), {"Content-Type": "application/json", "Idempotency-Key": key}
    secrets = plain(settings.secret)
    if secrets and settings.kind == "json":
        headers |= standard_webhooks.sign(secrets[:1], key, at, body)
    elif secrets:
        headers["X-Webhook-Secret"] = secrets[0]
    return Composed(body, headers)


def parse(request: RawRequest, settings: FormSettings) -> Sequence[Event]:
    """Give one event, or one per object of a JSON list."""
    items, files = _read(request)
    if len(items) > MAX_EVENTS:
        raise MalformedError(f"the list has {len(items)} entries; send at most {MAX_EVENTS} at once")
    if not items:
        raise MalformedError("the list is empty")
    key = delivery_key(request, settings)
    events = []
    for number, item in enumerate(items):
        try:
            payload = as_object(item, "the payload")
            own_key = f"{key}:{number}" if key and len(items) > 1 else key
            events.append(_event(payload, files, settings, own_key, request.received_at))
        except MalformedError as error:
            if len(items) == 1:
                raise
            raise MalformedError(f"entry {number + 1} of {len(items)}: {error}") from None
    return events


def _event(
    payload: Mapping[str, Any], files: Mapping[str, str], settings: FormSettings, key: str, received_at: datetime
) -> Event:
    if settings.honeypot:
        if _is_filled(payload.get(settings.honeypot)):
            return Event(type="unsupported", key=key, reason="honeypot")
        payload = {name: value for name, value in payload.items() if name != settings.honeypot}
    if settings.record_map is not None:
        return settings.record_map.apply(payload, key=key, connection=settings.connection, received_at=received_at)
    return Event(type="contact.submitted", key=key, submission=settings.mapping.apply({**payload, **files}))


def _is_filled(value: Any) -> bool:
    return bool(value) if isinstance(value, list | dict) else bool(text(value))


def _read(request: RawRequest) -> tuple[list[Any], Mapping[str, str]]:
    content_type = request.content_type
    # Senders often leave the form's content type on a JSON body (curl -d does).
    looks_like_json = request.body.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in {b"{", b"["}
    if content_type != "multipart/form-data" and (looks_like_json or content_type.endswith("json")):
        decoded = read_json(request.body)
        return (decoded if isinstance(decoded, list) else [decoded]), {}
    if is_form(content_type) or b"=" in request.body:
        form = read_form(request)
        if not form.fields and not form.files:
            raise MalformedError("the form has no fields")
        return [form.fields], form.files
    named = f'"{content_type[:60]}"' if content_type else "no content type"
    raise MalformedError(
        f"the body is neither JSON nor a form ({named}, {len(request.body)} bytes). Send application/json, "
        "application/x-www-form-urlencoded or multipart/form-data."
    )
