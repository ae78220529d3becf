"""The layer role on a Make custom webhook.

Make publishes no contract of its hooks. Source of the size: community.make.com; the rest is not confirmed, so that what
a refusal means is read from its words where it has any.
"""

from __future__ import annotations

from typing import Self

from pydantic import Field, SecretStr, model_validator

from mainstay.kit import Http, HttpSettings, NeedsHumanError, Rate, RecordStore, Response, TransientError, VendorError
from mainstay.kit.hook import HookConnection, HookLayer, classify_hook, hook_settings

MAX_BYTES = 5_000_000
_HOSTS = ("make.com", "make.celonis.com", "integromat.com")
_BAD_REQUEST = 400
_GONE = "open the scenario in Make, switch it on, and compare its webhook's address with url"


class MakeConnection(HookConnection):
    """``{ connector = "make", url = "${MAKE_HOOK}", secret = "${MAKE_SECRET}" }``."""

    api_key: SecretStr = Field(SecretStr(""), description="Key of the webhook's API key authentication, if it has one.")

    @model_validator(mode="after")
    def _is_makes(self) -> Self:
        host = self.place.hostname or ""
        is_hook = host.startswith("hook.") and host.endswith(tuple(f".{domain}" for domain in _HOSTS))
        if not is_hook and not self.is_local:
            message = 'url is no Make webhook (https://hook.eu1.make.com/...); for any other use connector = "webhook"'
            raise ValueError(message)
        return self


def http_settings(settings: MakeConnection) -> HttpSettings:
    """Return how to reach the hook."""
    key = settings.api_key.get_secret_value()
    headers = {"x-make-apikey": key} if key else {}
    return hook_settings(settings, classify_answer, headers=headers, secrets=(key,) if key else ())


def rates(_settings: MakeConnection) -> tuple[Rate, ...]:
    """Return what Make is said to take of one webhook."""
    return (Rate(300, 10),)


def make_layer(settings: MakeConnection, http: Http, _store: RecordStore | None = None) -> HookLayer:
    """Build the role for one attempt."""
    return HookLayer(settings, http, MAX_BYTES)


def classify_answer(response: Response) -> VendorError | None:
    """Judge an answer: a 400 is either a full queue, which empties itself, or a scenario that is off."""
    refusal = classify_hook(response, _GONE)
    if response.status != _BAD_REQUEST:
        return refusal
    if b"queue" in response.body[:1000].lower():
        return TransientError(f"{refusal}; the webhook's queue is full", status=400, retry_after=response.retry_after)
    return NeedsHumanError(f"{refusal}; {_GONE}", status=_BAD_REQUEST)
