"""Tally's ``FORM_RESPONSE`` webhook: answers under their labels, read by type, label or map.

Source: tally.so/help/webhooks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import Field

from mainstay.kit import Event, MalformedError, NotAuthenticError, RawRequest
from mainstay.kit.mapping import MappedSettings
from mainstay.kit.payload import MAX_FIELDS, as_list, as_object, moment, object_in, read_object, text
from mainstay.kit.secrets import Secrets, plain
from mainstay.kit.signature import equal, hmac_base64, require_header

_SUBMITTED = "FORM_RESPONSE"
_TYPED = {"INPUT_EMAIL": "email", "INPUT_PHONE_NUMBER": "phone"}
_TICKED = "CHECKBOXES"
_FILES = frozenset({"FILE_UPLOAD", "SIGNATURE"})


class TallySettings(MappedSettings):
    """One Tally webhook. ``map`` takes a question's label or key, and a hidden field's name."""

    secret: Secrets = Field(description="The signing secret typed into the webhook's settings in Tally.")


def verify(request: RawRequest, settings: TallySettings) -> str:
    """Check ``Tally-Signature``: the base64 HMAC-SHA256 of the raw body."""
    given = require_header(request.headers.get("tally-signature"), "Tally-Signature")
    if not any(equal(given, hmac_base64(secret, request.body)) for secret in plain(settings.secret)):
        raise NotAuthenticError("Tally-Signature does not fit: another signing secret, or a changed body")
    return "signature ok"


def delivery_key(request: RawRequest, _settings: TallySettings) -> str:
    """Return Tally's ``eventId``, else the response's id; empty when there is neither."""
    return _key(object_in(request.body))


def parse(request: RawRequest, settings: TallySettings) -> Sequence[Event]:
    """Give the submission of one response."""
    body = read_object(request.body)
    kind = text(body.get("eventType"))
    if kind != _SUBMITTED:
        return [Event("unsupported", key=_key(body), reason=f"eventType {kind[:60] or 'is missing'}")]
    response = as_object(body.get("data"), "data")
    answers = _Answers(as_list(response.get("fields"), "data.fields"))
    sent_at = moment(response.get("createdAt")) or moment(body.get("createdAt"))
    submission = settings.mapping.apply(
        answers.payload, aliases=answers.aliases, hints=answers.hints, occurred_at=sent_at
    )
    data = {name: text(response.get(key)) for name, key in (("form_id", "formId"), ("response_id", "responseId"))}
    return [Event("contact.submitted", key=_key(body), time=sent_at, submission=submission, data=data)]


def _key(body: Mapping[str, Any]) -> str:
    response = body.get("data")
    return text(body.get("eventId")) or (text(response.get("responseId")) if isinstance(response, dict) else "")


class _Answers:
    """The answers of one response as one flat payload under the questions' labels."""

    def __init__(self, fields: list[Any]) -> None:
        self.payload: dict[str, Any] = {}
        self.aliases: dict[str, str] = {}
        self.hints: dict[str, str] = {}
        if len(fields) > MAX_FIELDS:
            raise MalformedError(f"data.fields has {len(fields)} answers, more than {MAX_FIELDS}")
        for number, field in enumerate(fields):
            self._add(as_object(field, f"data.fields[{number}]"), number)

    def _add(self, field: Mapping[str, Any], number: int) -> None:
        kind, value = text(field.get("type")), field.get("value")
        if kind == _TICKED and isinstance(value, bool):
            # Each box is told once more by itself; the question's own field has those that are ticked.
            return
        label, identifier = text(field.get("label")), text(field.get("key"))
        key = self._free(label or identifier or f"answer {number + 1}")
        self.payload[key] = _answer(field, kind)
        if identifier and identifier not in self.payload:
            self.aliases.setdefault(identifier, key)
        target = _TYPED.get(kind)
        if target is not None and target not in self.hints.values():
            self.hints[key] = target

    def _free(self, key: str) -> str:
        free, number = key, 2
        while free in self.payload:
            free, number = f"{key} ({number})", number + 1
        return free


def _answer(field: Mapping[str, Any], kind: str) -> Any:
    """What was answered: a scalar, or a list of texts; of choices their texts, never the ids that stand for them."""
    value = field.get("value")
    if isinstance(value, dict):
        return _grid(value, _texts(field.get("rows")), _texts(field.get("columns")))
    if kind in _FILES and isinstance(value, list):
        return [address for each in value if isinstance(each, dict) and (address := text(each.get("url")))]
    options = _texts(field.get("options"))
    if isinstance(value, list):
        return [written for each in value if (written := options.get(text(each), text(each)))]
    return options.get(text(value), value) if options else value


def _grid(value: Mapping[str, Any], rows: Mapping[str, str], columns: Mapping[str, str]) -> list[str]:
    """Write a matrix as a line for each of its rows."""
    lines = []
    for row, chosen in value.items():
        ids = chosen if isinstance(chosen, list) else [chosen]
        texts = [written for each in ids if (written := columns.get(text(each), text(each)))]
        if texts:
            lines.append(f"{rows.get(row, text(row))}: {', '.join(texts)}")
    return lines


def _texts(choices: Any) -> dict[str, str]:
    """Return the text of each choice by its id."""
    if not isinstance(choices, list):
        return {}
    known = [(text(each.get("id")), text(each.get("text"))) for each in choices if isinstance(each, dict)]
    return {identifier: written or identifier for identifier, written in known}
