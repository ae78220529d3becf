"""The voice role on Retell."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any

from mainstay.connectors.retell.call import state_of
from mainstay.connectors.retell.errors import classify_answer, is_missing
from mainstay.connectors.retell.settings import RetellConnection
from mainstay.kit import (
    Call,
    CallState,
    Http,
    HttpSettings,
    NeedsHumanError,
    PermanentError,
    RecordStore,
    Response,
    Sent,
    TransientError,
    VendorError,
)
from mainstay.kit.calling import MARK, is_marked, looking, mapping, mark_of, require_call_id
from mainstay.kit.payload import text
from mainstay.kit.roles import require_callable

API = "https://api.retellai.com"
_PAGE, _MOST_PAGES = 100, 20
_REFUSED = (400, 404, 422)


def http_settings(settings: RetellConnection) -> HttpSettings:
    """Return how to reach Retell."""
    return HttpSettings.by_bearer(settings.base_url or API, settings.api_key, classify_answer)


async def check(settings: RetellConnection, http: Http) -> str:
    """Read the account's numbers, and find ours among them."""
    found = (await http.request("GET", "/list-phone-numbers")).data
    for each in found if isinstance(found, list) else []:
        if isinstance(each, dict) and each.get("phone_number") == settings.sender:
            name = text(each.get("nickname"))
            return f"an account with {len(found)} numbers, phones from {settings.sender}" + (
                f" ({name})" if name else ""
            )
    raise NeedsHumanError(
        f"the key is good, but {settings.sender} is none of the account's numbers: buy or import it under Phone Numbers"
    )


def make_voice(settings: RetellConnection, http: Http, _store: RecordStore | None = None) -> RetellVoice:
    """Build the role for one attempt."""
    return RetellVoice(settings, http)


class RetellVoice:
    """Phones by ``POST /v2/create-phone-call``."""

    def __init__(self, settings: RetellConnection, http: Http) -> None:
        self._settings = settings
        self._http = http

    async def place_call(self, call: Call) -> Sent:
        """Have one person phoned; the id given back is the call's at Retell."""
        require_callable(call.to)
        mark = mark_of(self._http.idempotency_key)
        agent = call.agent or self._settings.agent
        # Retell has no field for a person's name; a script finds it beside the variables that it was given.
        variables = ({"name": call.name} if call.name else {}) | dict(call.variables)
        body: dict[str, Any] = {
            "from_number": self._settings.sender,
            "to_number": call.to,
            "retell_llm_dynamic_variables": variables,
        }
        if agent:
            body["override_agent_id"] = agent
        if mark:
            body["metadata"] = {MARK: mark}
        return Sent(_id_of((await self._http.request("POST", "/v2/create-phone-call", json=body)).data))

    async def find_place_call(self, call: Call) -> Sent | None:
        """Look for the call that carries this step's mark, among those to its number."""
        mark = mark_of(self._http.idempotency_key)
        with looking():
            require_callable(call.to)
            async for each in self._calls_to(call.to):
                if is_marked(each.get("metadata"), mark):
                    return Sent(_id_of(each))
        return None

    async def _calls_to(self, number: str) -> AsyncIterator[Mapping[str, Any]]:
        """Yield the calls to a number. A call has no time before it starts, so they are not asked for by time."""
        query: dict[str, Any] = {
            "filter_criteria": {"to_number": {"type": "string", "op": "eq", "value": number}},
            "sort_order": "descending",
            "limit": _PAGE,
        }
        for _ in range(_MOST_PAGES):
            answer = mapping((await self._http.request("POST", "/v3/list-calls", json=query)).data)
            found = answer.get("items")
            if not isinstance(found, list):
                raise TransientError("Retell's answer has no list of calls in it")
            for each in found:
                _id_of(each)
                yield each
            following = text(answer.get("pagination_key"))
            if answer.get("has_more") is not True and (answer.get("has_more") is False or len(found) < _PAGE):
                return
            if not following:
                break
            query["pagination_key"] = following
        raise TransientError("the call is not among the newest to this number at Retell, which has more")

    async def stop_call(self, call_id: str) -> None:
        """End a call that is under way."""
        path = f"/v2/stop-call/{require_call_id(call_id)}"
        refused = await self._http.request("POST", path, accept=_REFUSED)
        if refused.status < 300:
            return
        state = await self.fetch_call(call_id)
        if state is None:
            message = f"Retell has no call {call_id}"
            raise PermanentError(message, status=refused.status)
        if state.status != "ended":
            raise TransientError(f"{refused.status}: Retell did not end the call yet", status=refused.status)

    async def fetch_call(self, call_id: str) -> CallState | None:
        """Read a call; None when there is none."""
        response = await self._http.request("GET", f"/v2/get-call/{require_call_id(call_id)}", accept=_REFUSED)
        if response.status < 300:
            _id_of(response.data)
            return state_of(response.data)
        if is_missing(response):
            return None
        raise self._refusal(response)

    def _refusal(self, response: Response) -> VendorError:
        refusal = classify_answer(response) or TransientError(f"{response.status}: no call in Retell's answer")
        refusal.args = (self._http.redact(str(refusal)),)
        return refusal


def _id_of(call: Any) -> str:
    """Return the id of a call; an answer without one leaves open what happened."""
    found = text(mapping(call).get("call_id"))
    if not found:
        raise TransientError("Retell's answer has no call in it", unsure=True)
    return found
