"""The voice role on Bland."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any

from mainstay.connectors.bland.call import metadata_of, same_number, state_of
from mainstay.connectors.bland.errors import classify_answer, is_error, is_missing
from mainstay.connectors.bland.settings import BlandConnection
from mainstay.kit import Call, CallState, Http, HttpSettings, PermanentError, RecordStore, Sent, TransientError
from mainstay.kit.calling import MARK, is_marked, looking, mapping, mark_of, number_of, require_call_id
from mainstay.kit.lookup import is_of_this_try
from mainstay.kit.payload import moment, text
from mainstay.kit.roles import require_callable

API = "https://api.bland.ai"
_PAGE, _MOST_PAGES = 100, 10
_REFUSED = (400, 404, 409, 422)


def http_settings(settings: BlandConnection) -> HttpSettings:
    """Return how to reach Bland."""
    key = settings.api_key.get_secret_value()
    return HttpSettings(
        base_url=settings.base_url or API,
        headers={"Authorization": key},
        secrets=(key,),
        classify=classify_answer,
    )


async def check(_settings: BlandConnection, http: Http) -> str:
    """Count the account's calls: of no harmless call that names the account Bland's documentation tells."""
    found = (await http.request("GET", "/v1/calls", params={"limit": "1"})).data
    if not isinstance(found.get("calls"), list):
        raise TransientError("Bland's answer has no list of calls in it")
    return f"the key is good; its account has {int(number_of(found.get('total_count') or found.get('count')))} calls"


def make_voice(settings: BlandConnection, http: Http, _store: RecordStore | None = None) -> BlandVoice:
    """Build the role for one attempt."""
    return BlandVoice(settings, http)


class BlandVoice:
    """Phones by ``POST /v1/calls``."""

    def __init__(self, settings: BlandConnection, http: Http) -> None:
        self._settings = settings
        self._http = http

    async def place_call(self, call: Call) -> Sent:
        """Have one person phoned; the id given back is the call's at Bland."""
        require_callable(call.to)
        answer = (await self._http.request("POST", "/v1/calls", json=self._body(call))).data
        found = text(answer.get("call_id"))
        if not found or answer.get("status") == "error":
            raise TransientError("Bland's answer has no call in it", unsure=True)
        return Sent(found)

    def _body(self, call: Call) -> dict[str, Any]:
        settings, mark = self._settings, mark_of(self._http.idempotency_key)
        pathway = call.agent or settings.pathway
        if not pathway and not settings.task:
            raise PermanentError(
                "nothing says what to talk about: name a pathway in the call (agent=...) or the connection, or a task"
            )
        names = {"name": call.name} if call.name else {}
        given = {
            "phone_number": call.to,
            "pathway_id": pathway,
            "task": "" if pathway else settings.task,
            "from": settings.sender,
            "voice": settings.voice,
            "webhook": settings.webhook,
            "metadata": {MARK: mark} if mark else {},
            "request_data": names | dict(call.variables),
        }
        body: dict[str, Any] = {name: value for name, value in given.items() if value}
        body |= {"max_duration": settings.max_minutes, "record": settings.record}
        return body | ({"answered_by_enabled": True} if settings.detect_voicemail else {})

    async def find_place_call(self, call: Call) -> Sent | None:
        """Look for the call to this number, no older than this step's first try, that carries this step's mark.

        The list shows no metadata, so each that may be it is read. One of which Bland tells no metadata at all is taken
        for ours: to phone a person twice is worse than to leave one call out.
        """
        mark = mark_of(self._http.idempotency_key)
        with looking():
            require_callable(call.to)
            async for each in self._newest():
                if not same_number(text(each.get("to")), call.to):
                    continue
                call_id = require_call_id(text(each.get("call_id")))
                metadata = metadata_of(await self._read(call_id) or {})
                if metadata is None or is_marked(metadata, mark) or (isinstance(metadata, str) and mark in metadata):
                    return Sent(call_id)
        return None

    async def _newest(self) -> AsyncIterator[Mapping[str, Any]]:
        """Yield the calls of the time since this step's first try, the newest first.

        They are not asked for by number: which form of it the filter wants is told nowhere.
        """
        seen: set[str] = set()
        for page in range(_MOST_PAGES):
            begin = page * _PAGE
            query = {"ascending": "false", "from": str(begin), "to": str(begin + _PAGE), "limit": str(_PAGE)}
            response = await self._http.request("GET", "/v1/calls", params=query)
            found = response.data.get("calls")
            if not isinstance(found, list):
                raise TransientError("Bland's answer has no list of calls in it")
            calls = [mapping(each) for each in found]
            if not all(text(each.get("call_id")) and moment(each.get("created_at")) for each in calls):
                raise TransientError("Bland's list has calls without an id or a time")
            recent = [each for each in calls if is_of_this_try(each.get("created_at"), response, self._http)]
            for each in recent:
                yield each
            if not recent or len(calls) < _PAGE:
                return
            new = {text(each.get("call_id")) for each in calls} - seen
            if not new:
                break
            seen |= new
        raise TransientError("the call is not among the newest at Bland, which has too many to look through")

    async def stop_call(self, call_id: str) -> None:
        """End a call that is under way."""
        path = f"/v1/calls/{require_call_id(call_id)}/stop"
        try:
            refused = await self._http.request("POST", path, accept=_REFUSED)
            if not is_error(refused):
                return
            said = f"{refused.status}"
        except PermanentError as error:
            said = str(error)
        # Bland says "SID not found" of a call that is not dialled yet, of one that has ended and of none at all.
        state = await self.fetch_call(call_id)
        if state is None:
            message = f"Bland has no call {call_id}"
            raise PermanentError(message)
        if state.status != "ended":
            message = f"{said}: Bland did not end the call yet"
            raise TransientError(message)

    async def fetch_call(self, call_id: str) -> CallState | None:
        """Read a call; None when there is none."""
        call = await self._read(call_id)
        return None if call is None else state_of(call)

    async def _read(self, call_id: str) -> Mapping[str, Any] | None:
        path = f"/v1/calls/{require_call_id(call_id)}"
        response = await self._http.request("GET", path, accept=(200, *_REFUSED))
        if is_missing(response):
            return None
        refusal = classify_answer(response)
        if refusal is not None:
            refusal.args = (self._http.redact(str(refusal)),)
            raise refusal
        found: Mapping[str, Any] = response.data
        if text(found.get("call_id")) not in {call_id, ""} or not (found.get("call_id") or found.get("c_id")):
            raise TransientError("Bland's answer has no call in it")
        return found
