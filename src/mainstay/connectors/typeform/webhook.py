"""Typeform's ``form_response`` webhook: answers under their titles, read by type, title or map.

Source: developer.typeform.com, webhooks: example payload; secure your webhooks.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import orjson
from pydantic import Field

from mainstay.kit import Composed, Event, MalformedError, NotAuthenticError, RawRequest
from mainstay.kit.mapping import MappedSettings
from mainstay.kit.payload import MAX_FIELDS, as_list, as_object, moment, object_in, read_object, text
from mainstay.kit.secrets import Secrets, plain
from mainstay.kit.signature import equal, hmac_base64, require_header, sha256_hex
from mainstay.kit.spelling import guess

_HEADER = "typeform-signature"
_HIDDEN = "hidden."
_MAX_DEPTH = 4
_TYPED = {"email": "email", "phone_number": "phone"}


class TypeformSettings(MappedSettings):
    """One Typeform webhook. ``map`` takes a question's title or ref, and ``hidden.NAME``."""

    secret: Secrets = Field(description="The secret typed into the webhook's settings in Typeform.")


def verify(request: RawRequest, settings: TypeformSettings) -> str:
    """Check ``Typeform-Signature``: ``sha256=`` and the base64 HMAC-SHA256 of the raw body."""
    given = require_header(request.headers.get(_HEADER), "Typeform-Signature")
    if not any(equal(given, f"sha256={hmac_base64(secret, request.body)}") for secret in plain(settings.secret)):
        raise NotAuthenticError("Typeform-Signature does not fit: another secret, or a changed body")
    return "signature ok"


def delivery_key(request: RawRequest, _settings: TypeformSettings) -> str:
    """Return Typeform's ``event_id``, else the response's token; empty when there is neither."""
    body = object_in(request.body)
    response = body.get("form_response")
    token = response.get("token") if isinstance(response, dict) else ""
    return text(body.get("event_id")) or text(token)


def compose(settings: TypeformSettings, fields: Mapping[str, str], key: str, at: datetime) -> Composed:
    """Give the response of somebody who answered the questions of these titles or refs, and hidden fields."""
    hidden = {name.removeprefix(_HIDDEN): value for name, value in fields.items() if name.startswith(_HIDDEN)}
    questions, answers = [], []
    for name, value in fields.items():
        if name.startswith(_HIDDEN):
            continue
        kind = "email" if "@" in value else "phone_number" if value.startswith("+") else "short_text"
        question = {"id": sha256_hex(name.encode())[:12], "ref": name, "type": kind}
        questions.append({**question, "title": name})
        shape = "text" if kind == "short_text" else kind
        answers.append({"type": shape, shape: value, "field": question})
    response = {
        "token": key,
        "submitted_at": at.isoformat(timespec="seconds").replace("+00:00", "Z"),
        "hidden": hidden,
        "definition": {"fields": questions},
        "answers": answers,
    }
    body = orjson.dumps({"event_id": key, "event_type": "form_response", "form_response": response})
    signature = f"sha256={hmac_base64(plain(settings.secret)[0], body)}"
    return Composed(body, {"Content-Type": "application/json", "Typeform-Signature": signature})


def parse(request: RawRequest, settings: TypeformSettings) -> Sequence[Event]:
    """Give the submission of one response."""
    body = read_object(request.body)
    kind = text(body.get("event_type"))
    if kind != "form_response":
        reason = f"event_type {kind or 'is missing'}"
        return [Event(type="unsupported", key=text(body.get("event_id")), reason=reason)]
    response = as_object(body.get("form_response"), "form_response")
    answers = _Answers(response)
    sent_at = moment(response.get("submitted_at"))
    submission = settings.mapping.apply(
        answers.payload, aliases=answers.aliases, hints=answers.hints, occurred_at=sent_at
    )
    return [
        Event(
            type="contact.submitted",
            key=text(body.get("event_id")) or text(response.get("token")),
            time=sent_at,
            submission=submission,
            data={"form_id": text(response.get("form_id")), "token": text(response.get("token"))},
        )
    ]


class _Answers:
    """The answers of one response as one flat payload under the questions' titles."""

    def __init__(self, response: dict[str, Any]) -> None:
        self.payload: dict[str, Any] = {}
        self.aliases: dict[str, str] = {}
        self.hints: dict[str, str] = {}
        definition = response.get("definition")
        fields = {
            identifier: field
            for field in _fields(definition.get("fields") if isinstance(definition, dict) else None, 0)
            for identifier in (text(field.get("ref")), text(field.get("id")))
            if identifier
        }
        answers = as_list(response.get("answers") or [], "form_response.answers")
        if len(answers) > MAX_FIELDS:
            raise MalformedError(f"form_response has {len(answers)} answers, more than {MAX_FIELDS}")
        for number, answer in enumerate(answers):
            self._add(as_object(answer, f"form_response.answers[{number}]"), fields, number)
        hidden = response.get("hidden")
        if isinstance(hidden, dict):
            for name, value in hidden.items():
                key = self._free(name)
                self.payload[key] = value
                self.aliases[f"hidden.{name}"] = key

    def _add(self, answer: dict[str, Any], fields: dict[str, dict[str, Any]], number: int) -> None:
        field = answer.get("field")
        field = field if isinstance(field, dict) else {}
        ref, identifier = text(field.get("ref")), text(field.get("id"))
        question = fields.get(ref) or fields.get(identifier) or field
        title = text(question.get("title"))
        key = self._free(title or ref or identifier or f"answer {number + 1}")
        self.payload[key] = _value(answer)
        for alias in (ref, identifier):
            if alias and alias not in self.payload:
                self.aliases.setdefault(alias, key)
        target = _TYPED.get(text(answer.get("type")))
        if target is None:
            for name in (text(question.get("subfield_key")), ref):
                known = guess(name) if name else None
                if known is not None and known[0] not in {"source", "tags"}:
                    target = known[0]
                    break
        if target is not None and target not in self.hints.values():
            self.hints[key] = target

    def _free(self, key: str) -> str:
        free, number = key, 2
        while free in self.payload:
            free, number = f"{key} ({number})", number + 1
        return free


def _fields(fields: Any, depth: int) -> Iterator[dict[str, Any]]:
    """Every question of the definition, those inside groups and contact questions too."""
    if not isinstance(fields, list) or depth > _MAX_DEPTH:
        return
    for field in fields:
        if isinstance(field, dict):
            yield field
            properties = field.get("properties")
            if isinstance(properties, dict):
                yield from _fields(properties.get("fields"), depth + 1)


def _value(answer: dict[str, Any]) -> Any:
    """What was answered: a scalar, or a list of texts for several choices."""
    value = answer.get(text(answer.get("type")))
    if not isinstance(value, dict):
        return value
    labels = value.get("labels") if "labels" in value else [value.get("label")]
    labels = labels if isinstance(labels, list) else [labels]
    chosen = [*labels, value.get("other")]
    texts = [label for label in map(text, chosen) if label]
    return texts or [found for found in map(text, value.values()) if found]
