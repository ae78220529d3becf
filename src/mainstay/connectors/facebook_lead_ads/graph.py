"""Reading one lead from Meta's Graph API, and what its errors mean.

Source: developers.facebook.com: retrieving leads; handle errors; rate limits.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import orjson

from mainstay.connectors.facebook_lead_ads.settings import FacebookLeadAdsSettings
from mainstay.errors import VendorError
from mainstay.kit import (
    Event,
    Http,
    HttpSettings,
    MalformedError,
    NeedsHumanError,
    PermanentError,
    Response,
    TransientError,
)
from mainstay.kit.http import classify as classify_status
from mainstay.kit.payload import as_list, as_object, moment, text
from mainstay.kit.secrets import plain

FIELDS = "created_time,field_data,form_id,ad_id,campaign_id,platform,is_organic"
_TOKEN = frozenset({102, 104, 190})
_PERMISSION = frozenset({3, 10, *range(200, 300)})
# 80000 to 80014 are the limits per kind of business use case.
_PASSING = frozenset({1, 2, 4, 17, 32, 341, 613, *range(80000, 80015)})
_USAGE = "x-business-use-case-usage"


def http(settings: FacebookLeadAdsSettings) -> HttpSettings:
    """Give the way to the Graph API; the token goes in a header, so that no address holds it."""
    token = settings.page_token.get_secret_value()
    return HttpSettings(
        base_url=f"{settings.base_url.rstrip('/')}/{settings.api_version}",
        headers={"Authorization": f"Bearer {token}"},
        secrets=(token, *plain(settings.app_secret)),
        classify=classify,
    )


async def fetch(event: Event, settings: FacebookLeadAdsSettings, client: Http) -> Event:
    """Read the lead that ``event`` names.

    Raises:
        VendorError: by ``classify``.
        MalformedError: the lead has neither e-mail, phone nor name under the keys that the map knows.
    """
    response = await client.request("GET", f"/{event.data['leadgen_id']}", params={"fields": FIELDS})
    try:
        lead = as_object(response.data, "the lead")
        answers = as_list(lead.get("field_data"), "field_data")
        payload = _flatten(answers)
    except MalformedError as error:
        raise PermanentError(f"Facebook's answer is not a lead: {error}", status=response.status) from None
    for key in ("platform", "form_id", "ad_id", "campaign_id"):
        payload.setdefault(key, text(lead.get(key)))
    created = moment(lead.get("created_time")) or event.time
    return replace(event, time=created, submission=settings.mapping.apply(payload, occurred_at=created))


def _flatten(answers: list[Any]) -> dict[str, Any]:
    payload: dict[str, Any] = {}
    for number, item in enumerate(answers):
        answer = as_object(item, f"field_data[{number}]")
        name = text(answer.get("name"))
        values = as_list(answer.get("values") or [], f"field_data[{number}].values")
        if name:
            payload[name] = values[0] if len(values) == 1 else values
    return payload


def classify(response: Response) -> VendorError | None:
    """Map Graph's error codes: token and permission need a person, limits and outages pass, the rest is permanent."""
    error = response.data.get("error") if isinstance(response.data, dict) else None
    if not isinstance(error, dict):
        return classify_status(response)
    code = error.get("code")
    code = code if isinstance(code, int) else 0
    message = f"{response.status}: {text(error.get('message'))[:300] or 'no message'} (code {code})"
    if code in _TOKEN:
        mend = "the page token is no longer valid: make a new one and set page_token"
        return NeedsHumanError(f"{message}; {mend}", status=response.status)
    if code in _PERMISSION:
        mend = "the token may not read leads: it needs leads_retrieval, and Leads Access in the business's settings"
        return NeedsHumanError(f"{message}; {mend}", status=response.status)
    if code in _PASSING or error.get("is_transient") is True:
        return TransientError(message, status=response.status, retry_after=response.retry_after or _regain(response))
    if code:
        return PermanentError(message, status=response.status)
    return classify_status(response)


def _regain(response: Response) -> float | None:
    """Seconds until Meta lets us in again, by its usage header (minutes there), or None."""
    try:
        usage = orjson.loads(response.headers.get(_USAGE, ""))
    except orjson.JSONDecodeError:
        return None
    entries = (
        [entry for found in usage.values() if isinstance(found, list) for entry in found]
        if isinstance(usage, dict)
        else []
    )
    minutes = [
        entry["estimated_time_to_regain_access"]
        for entry in entries
        if isinstance(entry, dict) and isinstance(entry.get("estimated_time_to_regain_access"), int)
    ]
    return max(minutes, default=0) * 60.0 or None
