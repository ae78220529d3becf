"""The layer role on whatever takes a signed webhook."""

from __future__ import annotations

from pydantic import Field

from mainstay.kit import Http, HttpSettings, RecordStore, Response, VendorError
from mainstay.kit.hook import HookConnection, HookLayer, classify_hook, hook_settings

_GONE = "the receiver has switched this endpoint off, or moved it: correct url"


class WebhookConnection(HookConnection):
    """``{ connector = "webhook", url = "${PARTNER_HOOK}", secret = "${PARTNER_SECRET}" }``."""

    max_bytes: int = Field(5_000_000, description="Largest event that the receiver takes, in bytes.", gt=0)


def http_settings(settings: WebhookConnection) -> HttpSettings:
    """Return how to reach the hook."""
    return hook_settings(settings, classify_answer)


def make_layer(settings: WebhookConnection, http: Http, _store: RecordStore | None = None) -> HookLayer:
    """Build the role for one attempt."""
    return HookLayer(settings, http, settings.max_bytes)


def classify_answer(response: Response) -> VendorError | None:
    """Judge an answer: any 2xx means that the event was taken."""
    return classify_hook(response, _GONE)
