"""The voice role on Vapi."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from mainstay.connectors.vapi.call import metadata_of, state_of
from mainstay.connectors.vapi.errors import classify_answer, is_missing
from mainstay.connectors.vapi.settings import VapiConnection
from mainstay.kit import (
    Call,
    CallState,
    Http,
    HttpSettings,
    NeedsHumanError,
    PermanentError,
    RecordStore,
    Sent,
    TransientError,
)
from mainstay.kit.calling import MARK, is_marked, looking, mapping, mark_of, require_call_id
from mainstay.kit.payload import moment, text
from mainstay.kit.roles import require_callable

API = "https://api.vapi.ai"
_MOST_CHARS = 40
# A call brings its transcript along, and an answer may be 5 MB long.
_PAGE, _MOST_PAGES = 25, 40
# Our clock and Vapi's need not agree; a list that begins too early costs nothing.
_LEEWAY = timedelta(minutes=15)
_OWN_HOSTS = ".vapi.ai"


def http_settings(settings: VapiConnection) -> HttpSettings:
    """Return how to reach Vapi."""
    return HttpSettings.by_bearer(settings.base_url or API, settings.api_key, classify_answer)


async def check(settings: VapiConnection, http: Http) -> str:
    """Read the organisation's numbers, and find ours among them."""
    found = (await http.request("GET", "/phone-number", params={"limit": "1000"})).data
    for each in found if isinstance(found, list) else []:
        if isinstance(each, dict) and each.get("id") == settings.phone_number_id:
            number = text(each.get("number")) or text(each.get("name")) or settings.phone_number_id
            return f"organisation {text(each.get('orgId')) or 'unnamed'}, phones from {number}"
    raise NeedsHumanError(
        "the key is good, but phone_number_id is none of the organisation's numbers: copy it from Phone Numbers"
    )


def make_voice(settings: VapiConnection, http: Http, _store: RecordStore | None = None) -> VapiVoice:
    """Build the role for one attempt."""
    return VapiVoice(settings, http)


class VapiVoice:
    """Phones by ``POST /call``."""

    def __init__(self, settings: VapiConnection, http: Http) -> None:
        self._settings = settings
        self._http = http

    async def place_call(self, call: Call) -> Sent:
        """Have one person phoned; the id given back is the call's at Vapi."""
        require_callable(call.to)
        assistant = call.agent or self._settings.assistant
        if not assistant:
            raise PermanentError(
                "no assistant speaks: name one in the call (agent=...) or as the connection's assistant"
            )
        mark = mark_of(self._http.idempotency_key)
        overrides: dict[str, Any] = {"variableValues": dict(call.variables)}
        body: dict[str, Any] = {
            "assistantId": assistant,
            "phoneNumberId": self._settings.phone_number_id,
            "customer": {"number": call.to} | ({"name": call.name[:_MOST_CHARS]} if call.name else {}),
            "assistantOverrides": overrides,
        }
        if mark:
            overrides["metadata"] = {MARK: mark}
            body["name"] = mark
        answer = (await self._http.request("POST", "/call", json=body)).data
        return Sent(_id_of(answer))

    async def find_place_call(self, call: Call) -> Sent | None:
        """Look for the call that carries this step's mark, among those made since its first try."""
        mark = mark_of(self._http.idempotency_key)
        with looking():
            require_callable(call.to)
            async for each in self._made_since(datetime.now(UTC) - timedelta(seconds=self._http.tried_ago) - _LEEWAY):
                if mark and (each.get("name") == mark or is_marked(metadata_of(each), mark)):
                    return Sent(_id_of(each))
        return None

    async def _made_since(self, begin: datetime) -> AsyncIterator[Mapping[str, Any]]:
        """Yield the calls from our number since then. There is no cursor: each page goes on at the last one's end."""
        query = {
            "limit": str(_PAGE),
            "phoneNumberId": self._settings.phone_number_id,
            "createdAtGe": _written(begin),
        }
        seen: set[str] = set()
        for _ in range(_MOST_PAGES):
            found = (await self._http.request("GET", "/call", params=query)).data
            if not isinstance(found, list):
                raise TransientError("Vapi's answer has no list of calls in it")
            new = {_id_of(each) for each in found} - seen
            for each in found:
                yield each
            if len(found) < _PAGE:
                return
            times = [made for each in found if (made := moment(each.get("createdAt"))) is not None]
            if not times or not new:
                break
            seen |= new
            # Which way Vapi sorts is not in its contract.
            name, edge = ("createdAtLe", times[-1]) if times[0] >= times[-1] else ("createdAtGe", times[-1])
            query |= {name: _written(edge)}
        raise TransientError("the call is not among the newest at Vapi, which has too many to look through")

    async def stop_call(self, call_id: str) -> None:
        """Hang up through the call's own control address, which Vapi gives while a call lives."""
        call = await self._read(call_id)
        if call is None:
            message = f"Vapi has no call {call_id}"
            raise PermanentError(message)
        if state_of(call).status == "ended":
            return
        url = text(mapping(call.get("monitor")).get("controlUrl")).strip("<>")
        if not url:
            raise PermanentError(
                "this call cannot be stopped: switch on Control in the assistant's monitor plan (controlEnabled)"
            )
        origin, path = self._control(url)
        before = self._http.access
        self._http.access = replace(before, base_url=origin)
        try:
            refused = await self._http.request("POST", path, json={"type": "end-call"}, accept=range(200, 500))
        finally:
            self._http.access = before
        if refused.status < 300:
            return
        # It may have ended by itself in between.
        call = await self._read(call_id)
        if call is not None and state_of(call).status != "ended":
            raise TransientError(f"{refused.status}: Vapi did not hang up", status=refused.status)

    def _control(self, url: str) -> tuple[str, str]:
        """Split a control address, where it is one of Vapi's: it is called with the key."""
        parts, own = urlsplit(url), urlsplit(self._settings.base_url or API)
        is_vapis = parts.scheme == "https" and (parts.hostname or "").endswith(_OWN_HOSTS)
        if not is_vapis and (parts.scheme, parts.netloc) != (own.scheme, own.netloc):
            raise PermanentError("the control address that Vapi gave is none of its own")
        return f"{parts.scheme}://{parts.netloc}", parts.path

    async def fetch_call(self, call_id: str) -> CallState | None:
        """Read a call; None when there is none."""
        call = await self._read(call_id)
        return None if call is None else state_of(call)

    async def _read(self, call_id: str) -> Mapping[str, Any] | None:
        response = await self._http.request("GET", f"/call/{require_call_id(call_id)}", accept=(404,))
        if is_missing(response):
            return None
        _id_of(response.data)
        found: Mapping[str, Any] = response.data
        return found


def _id_of(call: Any) -> str:
    """Return the id of a call; an answer without one leaves open what happened."""
    found = text(mapping(call).get("id"))
    if not found:
        raise TransientError("Vapi's answer has no call in it", unsure=True)
    return found


def _written(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
