"""The layer role on a Zapier catch hook.

Source: docs.zapier.com/platform, operating constraints and throttling; Zapier publishes no contract of its hooks.
"""

from __future__ import annotations

from typing import Self

from pydantic import model_validator

from mainstay.kit import Http, HttpSettings, Rate, RecordStore, Response, VendorError
from mainstay.kit.hook import HookConnection, HookLayer, classify_hook, hook_settings

MAX_BYTES = 10_000_000
_HOST = "hooks.zapier.com"
_GONE = "open the Zap, switch it on, and compare its catch hook's address with url"


class ZapierConnection(HookConnection):
    """``{ connector = "zapier", url = "${ZAPIER_HOOK}", secret = "${ZAPIER_SECRET}" }``."""

    @model_validator(mode="after")
    def _is_zapiers(self) -> Self:
        if self.place.hostname != _HOST and not self.is_local:
            message = f'url is no catch hook (https://{_HOST}/hooks/catch/...); for any other use connector = "webhook"'
            raise ValueError(message)
        return self


def http_settings(settings: ZapierConnection) -> HttpSettings:
    """Return how to reach the hook."""
    return hook_settings(settings, classify_answer)


def rates(_settings: ZapierConnection) -> tuple[Rate, ...]:
    """Return what Zapier takes."""
    return (Rate(30, 1), Rate(10_000, 300))


def make_layer(settings: ZapierConnection, http: Http, _store: RecordStore | None = None) -> HookLayer:
    """Build the role for one attempt."""
    return HookLayer(settings, http, MAX_BYTES)


def classify_answer(response: Response) -> VendorError | None:
    """Judge an answer; a 2xx says that the event is queued, not that the Zap has run."""
    return classify_hook(response, _GONE)
