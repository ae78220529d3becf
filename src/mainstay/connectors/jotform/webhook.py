"""Jotform's webhook: a multipart form whose ``rawRequest`` holds the answers as JSON, keyed ``q{N}_{name}``.

Source: api.jotform.com/docs and jotform.com/help/245. Jotform signs nothing: the secret stands in the address.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from html import unescape
from typing import Any

from pydantic import Field

from mainstay.kit import Event, MalformedError, NotAuthenticError, RawRequest
from mainstay.kit.mapping import MappedSettings
from mainstay.kit.payload import moment, read_form, read_object, text
from mainstay.kit.secrets import Secrets, is_one_of
from mainstay.kit.signature import require_header
from mainstay.kit.spelling import guess

_QUESTION = re.compile(r"q(\d{1,6})_(.*)", re.DOTALL)
_MAX_KEY = 200
_MILLISECONDS = 1_000


class JotformSettings(MappedSettings):
    """One Jotform webhook. ``map`` takes a question's unique name (``email``) or its full key (``q4_email``)."""

    secret: Secrets = Field(description="A long random text; the webhook's address ends in ?secret= and this.")


def verify(request: RawRequest, settings: JotformSettings) -> str:
    """Compare the address's ``secret`` in constant time."""
    given = require_header(request.query.get("secret"), "(parameter) secret of the webhook's address")
    if not is_one_of(given, settings.secret):
        raise NotAuthenticError("the secret in the webhook's address is not this source's")
    return "shared secret ok"


def delivery_key(request: RawRequest, _settings: JotformSettings) -> str:
    """Return Jotform's ``submissionID``; empty when it is missing."""
    try:
        fields = read_form(request).fields
    except MalformedError:
        return ""
    return _single(fields.get("submissionID"))[:_MAX_KEY]


def parse(request: RawRequest, settings: JotformSettings) -> Sequence[Event]:
    """Give the submission of one form."""
    fields = read_form(request).fields
    raw = fields.get("rawRequest")
    if not isinstance(raw, str):
        raise MalformedError(
            "the field rawRequest is missing. Add this address as a webhook in the form's settings, Integrations."
        )
    try:
        answers = read_object(raw.encode())
    except MalformedError as error:
        raise MalformedError(f"rawRequest: {error}") from None
    sent_at = _submitted(answers.get("submitDate"))
    payload, aliases, hints = _flatten(answers)
    submission = settings.mapping.apply(payload, aliases=aliases, hints=hints, occurred_at=sent_at)
    return [
        Event(
            type="contact.submitted",
            key=_single(fields.get("submissionID"))[:_MAX_KEY],
            time=sent_at,
            submission=submission,
            data={"form_id": _single(fields.get("formID")), "form_title": _single(fields.get("formTitle"))},
        )
    ]


def _single(value: str | list[str] | None) -> str:
    return text(value[0] if isinstance(value, list) else value)


def _submitted(value: Any) -> datetime | None:
    digits = text(value)
    if not (digits.isascii() and digits.isdigit()):
        return None
    return moment(int(digits) // _MILLISECONDS)


def _flatten(answers: dict[str, Any]) -> tuple[dict[str, Any], dict[str, str], dict[str, str]]:
    """Answers under their unique names, the full keys as aliases, and which answer is which field by its shape."""
    payload: dict[str, Any] = {}
    aliases: dict[str, str] = {}
    hints: dict[str, str] = {}
    for full_key, value in answers.items():
        question = _QUESTION.fullmatch(full_key)
        if question is None:
            continue
        key = question[2] or full_key
        key = full_key if key in payload else key
        aliases[full_key] = key
        known = guess(key.rstrip("0123456789"))
        target = known[0] if known else ""
        if isinstance(value, dict) and ("first" in value or "last" in value):
            for part in ("first", "last"):
                aliases[f"{key}.{part}"] = f"{key} {part}"
                payload[f"{key} {part}"] = _plain(value.get(part))
                hints.setdefault(f"{key} {part}", f"{part}_name")
            continue
        if isinstance(value, dict) and ("full" in value or ("area" in value and "phone" in value)):
            target = "phone"
        payload[key] = _phone(value) if target == "phone" and isinstance(value, dict) else _plain(value)
        if target in {"email", "phone", "name", "first_name", "last_name", "company"}:
            hints[key] = target
    return payload, aliases, hints


def _phone(value: dict[str, Any]) -> str:
    full = text(value.get("full"))
    if full:
        return full
    country = text(value.get("country"))
    country = f"+{country}" if country.isdigit() else country
    return " ".join(part for part in (country, text(value.get("area")), text(value.get("phone"))) if part)


def _plain(value: Any) -> Any:
    """Answers come escaped for HTML; those of several boxes (addresses, dates) become one line."""
    if isinstance(value, str):
        return unescape(value)
    if isinstance(value, list):
        return [unescape(item) if isinstance(item, str) else item for item in value]
    if isinstance(value, dict):
        if {"year", "month", "day"} <= value.keys():
            return "-".join(text(value[part]) for part in ("year", "month", "day"))
        return ", ".join(unescape(part) for part in map(text, value.values()) if part)
    return value
