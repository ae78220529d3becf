"""``kind = "layer_failure"``: a scenario of Make, Zapier, n8n or another system reports that it failed.

Any JSON or form with a name and an error, and the item of n8n's Error Trigger as it is (docs.n8n.io, Error Trigger).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Self
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from mainstay.kit import Event, MalformedError, RawRequest
from mainstay.kit.opting import said_at
from mainstay.kit.payload import as_object, is_form, kind_of, moment, read_form, read_json, show_keys, text
from mainstay.kit.proving import require_proof, sent_key
from mainstay.kit.redaction import Redactor
from mainstay.kit.secrets import Secrets
from mainstay.kit.source import AskedSourceSettings

MAX_REPORTS = 100
_NAMES = ("scenario", "zap", "workflow", "name")
_ERRORS = ("error", "message", "error_message", "reason")
_LINKS = ("link", "url")
_TIMES = ("when", "at", "occurred_at", "timestamp")


class LayerFailureSettings(AskedSourceSettings):
    """``[sources.NAME]`` with ``kind = "layer_failure"``."""

    secret: Secrets = Field(
        (), description="Secret, or list of secrets: signs by Standard Webhooks (whsec_...) or is sent along."
    )

    @model_validator(mode="after")
    def _has_a_way_in(self) -> Self:
        if not self.secret and not self.connection:
            message = "secret is missing; or name a connection that is asked what failed"
            raise ValueError(message)
        return self


def verify(request: RawRequest, settings: LayerFailureSettings) -> str:
    """Check the signature, or the secret that was sent along."""
    return require_proof(request, settings.secret)


def delivery_key(request: RawRequest, _settings: LayerFailureSettings) -> str:
    """Return ``webhook-id``, else ``Idempotency-Key``, else the id of the n8n execution; empty where there is none."""
    if key := sent_key(request):
        return key
    try:
        execution = _read(request)[0].get("execution")
    except (MalformedError, IndexError):
        return ""
    return text(execution.get("id")) if isinstance(execution, dict) else ""


def parse(request: RawRequest, settings: LayerFailureSettings) -> Sequence[Event]:
    """Give ``layer.failed`` of each failure: ``scenario``, ``error``, ``link``, ``step``, ``execution`` and ``at``."""
    reports = _read(request)
    key = delivery_key(request, settings)
    if not reports:
        raise MalformedError("the list is empty")
    if len(reports) > MAX_REPORTS:
        raise MalformedError(f"the list has {len(reports)} failures; report at most {MAX_REPORTS} at once")
    return [
        _event(report, f"{key}:{number}" if key and len(reports) > 1 else key) for number, report in enumerate(reports)
    ]


def _read(request: RawRequest) -> list[dict[str, Any]]:
    if is_form(request.content_type):
        return [dict(read_form(request).fields)]
    body = read_json(request.body)
    if isinstance(body, list):
        return [as_object(each, "each failure") for each in body]
    return [as_object(body, "the body")]


def _event(report: Mapping[str, Any], key: str) -> Event:
    execution = _part(report, "execution") or _part(report, "trigger")
    # One line: it becomes the subject of an alert.
    scenario = " ".join((text(_part(report, "workflow").get("name")) or _first(report, _NAMES)).split())
    error = _error(execution) or _error(report)
    for what, found, names in (("name", scenario, _NAMES), ("error", error, _ERRORS)):
        if not found:
            keys = ", ".join(names)
            raise MalformedError(
                f"the report has no {what}: send one of {keys} as a text (it has {show_keys(report)}, "
                f"{kind_of(report.get(names[0]))} at {names[0]})"
            )
    happened = _time(report)
    data = {
        "scenario": scenario,
        # What a layer says may quote a person or a token: it is shown, and sent to whoever is alerted.
        "error": Redactor().loose(error),
        "link": _link(text(execution.get("url")) or _first(report, _LINKS)),
        "execution": text(execution.get("id")),
        "step": text(execution.get("lastNodeExecuted")) or text(report.get("step")),
        "at": happened.isoformat() if happened else "",
    }
    return Event("layer.failed", key=key, time=happened, data=data)


def _part(report: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = report.get(name)
    return found if isinstance(found, dict) else {}


def _first(report: Mapping[str, Any], names: Sequence[str]) -> str:
    return next((found for name in names if (found := text(report.get(name)))), "")


def _error(report: Mapping[str, Any]) -> str:
    return text(_part(report, "error").get("message")) or _first(report, _ERRORS)


def _time(report: Mapping[str, Any]) -> datetime | None:
    """Read when it happened: ISO 8601, or seconds or milliseconds since 1970."""
    for name in _TIMES:
        value = report.get(name)
        found = said_at(text(value)) if isinstance(value, str | int) and not isinstance(value, bool) else moment(value)
        if found is not None:
            return found
    return None


def _link(written: str) -> str:
    """Return an address that a person may open; empty for anything else."""
    try:
        place = urlsplit(written)
    except ValueError:
        return ""
    return written if place.scheme in {"https", "http"} and place.netloc and " " not in written else ""
