"""The role ``pager`` by the Events API v2.

Source: developer.pagerduty.com/docs/events-api-v2; other services on call take the same events at their own address.
"""

from __future__ import annotations

from typing import Any

from pydantic import Field, SecretStr, field_validator

from mainstay.kit import (
    ConnectionSettings,
    Http,
    HttpSettings,
    NeedsHumanError,
    PermanentError,
    RecordStore,
    Response,
    Sent,
    TransientError,
    VendorError,
    classify,
)
from mainstay.kit.hook import require_address
from mainstay.kit.roles import Page

API = "https://events.pagerduty.com"
_LONGEST_SUMMARY, _LONGEST_KEY = 1024, 255
_INVALID = 400
_KEY_HINT = "copy the integration key of the service's integration Events API v2 into routing_key"


class PagerDutyConnection(ConnectionSettings):
    """``{ connector = "pagerduty", routing_key = "${PAGERDUTY_KEY}" }``."""

    routing_key: SecretStr = Field(description="The integration key of an Events API v2 integration.", min_length=1)
    source: str = Field("mainstay", description="What the alerts name as their source.", min_length=1)

    @field_validator("base_url")
    @classmethod
    def _is_address(cls, value: str) -> str:
        if value:
            require_address("base_url", value)
        return value


def http_settings(settings: PagerDutyConnection) -> HttpSettings:
    """Return how to reach it."""
    return HttpSettings(
        base_url=settings.base_url or API,
        secrets=(settings.routing_key.get_secret_value(),),
        classify=classify_answer,
    )


def make_pager(settings: PagerDutyConnection, http: Http, _store: RecordStore | None = None) -> PagerDuty:
    """Build the role for one attempt."""
    return PagerDuty(settings, http)


class PagerDuty:
    """Sends events; PagerDuty keeps one alert for each key."""

    def __init__(self, settings: PagerDutyConnection, http: Http) -> None:
        self._settings = settings
        self._http = http

    async def page(self, page: Page) -> Sent:
        """Trigger, acknowledge or resolve; the id given back is the key.

        Raises:
            PermanentError: the key or the summary is empty, or the key is longer than PagerDuty takes.
        """
        if not page.summary.strip() or not 0 < len(page.key) <= _LONGEST_KEY:
            raise PermanentError(f"a page needs a summary, and a key of {_LONGEST_KEY} characters at most")
        event: dict[str, Any] = {
            "routing_key": self._settings.routing_key.get_secret_value(),
            "event_action": page.action,
            "dedup_key": page.key,
        }
        if page.action == "trigger":
            event["payload"] = {
                "summary": page.summary[:_LONGEST_SUMMARY],
                "source": self._settings.source,
                "severity": page.severity,
                **({"component": page.component} if page.component else {}),
                **({"custom_details": {"details": page.details}} if page.details else {}),
            }
            if page.link:
                event |= {"client": "Mainstay", "client_url": page.link}
                event["links"] = [{"href": page.link, "text": "Open in Mainstay"}]
        answer = (await self._http.request("POST", "/v2/enqueue", json=event)).data
        return Sent(str(answer.get("dedup_key") or page.key) if isinstance(answer, dict) else page.key)


def classify_answer(response: Response) -> VendorError | None:
    """Judge an answer; a 400 names what is wrong with the event, and a wrong key is a person's to mend."""
    refusal = classify(response)
    if refusal is None:
        if isinstance(response.data, dict):
            return None
        text = f"{response.status}: the answer is not one of PagerDuty's; is base_url right?"
        return TransientError(text, status=response.status, unsure=True)
    if response.status == _INVALID and isinstance(response.data, dict):
        errors = response.data.get("errors")
        said = "; ".join(map(str, errors)) if isinstance(errors, list) else str(response.data.get("message", ""))
        if "key" in said.lower():
            return NeedsHumanError(f"PagerDuty: {said}; {_KEY_HINT}", status=_INVALID)
        return PermanentError(f"PagerDuty: {said or 'the event is not valid'}", status=_INVALID)
    return refusal
