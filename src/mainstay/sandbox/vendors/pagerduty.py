"""A simulator of PagerDuty's Events API v2: one alert for each key, triggered, acknowledged, resolved."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mainstay.sandbox.state import Configurable, Effects, Ids
from mainstay.sandbox.wire import Json, Reply, Request, SettingError, answer

_ACTIONS = ("trigger", "acknowledge", "resolve")
_SEVERITIES = ("critical", "error", "warning", "info")
_STATES = {"acknowledge": "acknowledged", "resolve": "resolved"}


@dataclass(frozen=True)
class Settings:
    """``PUT /_control/config/pagerduty``: ``keys`` lists the good integration keys (None: any)."""

    keys: list[str] | None = None


class PagerDuty(Configurable):
    """``POST /v2/enqueue``."""

    name = "pagerduty"

    def __init__(self) -> None:
        """Start empty."""
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        self.settings = Settings()
        self._ids = Ids(self.name)
        self._effects = Effects()
        self._events: list[dict[str, Json]] = []
        self._alerts: dict[str, dict[str, Json]] = {}

    def state(self) -> dict[str, Json]:
        """Return every event as it came, the alerts as ``{dedup_key, state, summary, severity}``, and the effects."""
        return {"events": self._events, "alerts": list(self._alerts.values()), "effects": self._effects.listing()}

    def seed(self, kind: str, records: list[dict[str, Json]]) -> int:  # noqa: ARG002
        """Refuse: alerts come by events."""
        raise SettingError(f"pagerduty has no {kind} to seed")

    def handle(self, request: Request) -> Reply:
        """Answer one request."""
        if (request.method, request.path) != ("POST", "/v2/enqueue"):
            return answer(404, {"status": "not found", "message": "There is nothing here"})
        try:
            event = request.json()
        except ValueError:
            return _invalid("JSON is malformed")
        event = event if isinstance(event, dict) else {}
        if problem := self._problem(event):
            return _invalid(problem)
        key = str(event.get("dedup_key") or self._ids.uuid("alert"))
        self._events.append(event)
        self._take(key, event, request)
        return answer(202, {"status": "success", "message": "Event processed", "dedup_key": key})

    def failure(self, request: Request, status: int, retry_after: float | None) -> Reply:  # noqa: ARG002
        """Return the vendor's error shape."""
        headers: Mapping[str, str] = {} if retry_after is None else {"Retry-After": f"{retry_after:g}"}
        return answer(status, {"status": "error", "message": "The request was refused"}, headers)

    def _problem(self, event: Mapping[str, Json]) -> str:
        key, payload = event.get("routing_key"), event.get("payload")
        if not key or (self.settings.keys is not None and key not in self.settings.keys):
            return "'routing_key' is invalid"
        if event.get("event_action") not in _ACTIONS:
            return "'event_action' must be one of trigger, acknowledge, resolve"
        if event["event_action"] != "trigger":
            return "" if event.get("dedup_key") else "'dedup_key' is missing"
        if not isinstance(payload, dict) or not payload.get("summary") or not payload.get("source"):
            return "'payload.summary' and 'payload.source' are required"
        return "" if payload.get("severity") in _SEVERITIES else "'payload.severity' is invalid"

    def _take(self, key: str, event: Mapping[str, Json], request: Request) -> None:
        known = self._alerts.get(key)
        if event["event_action"] == "trigger":
            if known is None or known["state"] == "resolved":
                payload = event["payload"]
                assert isinstance(payload, dict)  # noqa: S101 - it was looked at
                told = {"summary": payload["summary"], "severity": payload["severity"]}
                self._alerts[key] = {"dedup_key": key, "state": "triggered", **told}
                self._effects.add("alert.triggered", key, request)
        elif known is not None and known["state"] != "resolved":
            known["state"] = _STATES[str(event["event_action"])]


def _invalid(error: str) -> Reply:
    return answer(400, {"status": "invalid event", "message": "Event object is invalid", "errors": [error]})


SIMULATOR = PagerDuty
