"""What Intuit announces of a simulated company, signed: CloudEvents, or ``eventNotifications`` as before May 2026."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

import orjson

from mainstay.kit.signature import hmac_base64
from mainstay.sandbox.senders import SignedRequest

Form = Literal["cloud_events", "notifications"]
_OPERATIONS = {"created": "Create", "updated": "Update", "voided": "Void"}


def announced(
    state: Mapping[str, Any], token: str, realm: str, *, form: Form = "cloud_events", since: int = 0
) -> SignedRequest:
    """Give the announcement of what was done in a company, by its simulator's state.

    ``since`` is the ``seq`` of the last effect that is not announced any more.
    """
    effects = [each for each in state["effects"] if each["seq"] > since]
    body = orjson.dumps(
        [_cloud_event(each, realm) for each in effects] if form == "cloud_events" else _notifications(effects, realm)
    )
    headers = {"Content-Type": "application/json", "intuit-signature": hmac_base64(token, body)}
    return SignedRequest(body, headers)


def _cloud_event(effect: Mapping[str, Any], realm: str) -> dict[str, Any]:
    noun, _, verb = effect["kind"].partition(".")
    return {
        "specversion": "1.0",
        "id": f"88c7a1c0-0000-4000-8000-{effect['seq']:012d}-{noun.capitalize()}-{effect['id']}",
        "source": "intuit.sandbox",
        "type": f"qbo.{noun}.{verb}.v1",
        "datacontenttype": "application/json",
        "time": _time(effect),
        "intuitentityid": effect["id"],
        "intuitaccountid": realm,
        "data": {},
    }


def _notifications(effects: list[Mapping[str, Any]], realm: str) -> dict[str, Any]:
    entities = []
    for effect in effects:
        noun, _, verb = effect["kind"].partition(".")
        changed = {"name": noun.capitalize(), "id": effect["id"], "operation": _OPERATIONS[verb]}
        entities.append(changed | {"lastUpdated": _time(effect)})
    return {"eventNotifications": [{"realmId": realm, "dataChangeEvent": {"entities": entities}}]}


def _time(effect: Mapping[str, Any]) -> str:
    at = datetime.fromisoformat(effect["at"])
    return at.isoformat(timespec="seconds").replace("+00:00", "Z")
