"""Executions by n8n's API: which failed, and running one again. Contract: n8n.json.

Executions are listed by when they were made, the newest first, and fail at any time later. So three things are kept:
the newest failure of the last pull and of the one before, down to which the list is read, and who was still under way
after it was read, and is looked at by itself once it is no more. Nothing that fails can slip through between the two.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import orjson

from mainstay.kit import Failures, LayerFailure, Made, NeedsHumanError, PermanentError, TransientError
from mainstay.kit.lookup import is_of_this_try
from mainstay.kit.payload import text
from mainstay.kit.pulling import utc

if TYPE_CHECKING:
    from mainstay.connectors.n8n.layer import N8nConnection
    from mainstay.kit import Http, Response

FIRST_LOOK = timedelta(days=1)
PAGE, MOST_PAGES = 100, 10
MOST_KEPT = 2_000
FAILED, UNDER_WAY = ("error", "crashed"), ("new", "running", "waiting")
_KEY = (
    "put a key into api_key whose scopes have execution:list, execution:read and execution:retry (Settings > n8n API)"
)
_MOST_DIGITS = 18


class Api:
    """n8n's API, below the host of its hooks."""

    def __init__(self, settings: N8nConnection, http: Http) -> None:
        self._settings = settings
        self.http = http

    async def read(self, path: str, params: Mapping[str, str]) -> Response:
        """Get something; 404 is the caller's."""
        return await self.call("GET", path, params=dict(params), accept=(404,))

    async def call(self, method: str, path: str, **more: Any) -> Response:
        """Make one call.

        Raises:
            NeedsHumanError: there is no key, or it may not do this.
        """
        key = self._settings.api_key.get_secret_value()
        if not key:
            raise NeedsHumanError(f"the connection has no key of n8n's API: {_KEY}")
        try:
            whole = f"{self._settings.root}/api/v1{path}"
            return await self.http.request(method, whole, headers={"X-N8N-API-KEY": key}, **more)
        except NeedsHumanError as error:
            if error.status in {401, 403}:
                raise NeedsHumanError(f"n8n's API answers {error.status}: {_KEY}", status=error.status) from None
            raise

    async def page(self, params: Mapping[str, str]) -> tuple[list[Mapping[str, Any]], str, Response]:
        """Return a page of executions, and the cursor of the next, empty at the end."""
        answer = await self.read("/executions", {"limit": str(PAGE), **params})
        found = answer.data.get("data") if isinstance(answer.data, dict) else None
        if not isinstance(found, list):
            raise TransientError("n8n's API gave no list of executions; is url below its own host?")
        executions: list[Mapping[str, Any]] = [each for each in found if isinstance(each, dict) and number_of(each)]
        return executions, text(answer.data.get("nextCursor")), answer

    def link(self, execution: Mapping[str, Any]) -> str:
        """Return where people see an execution; empty where it names no workflow."""
        place, workflow = self._settings.place, text(execution.get("workflowId"))
        base = f"{place.scheme}://{place.netloc}{self._settings.root}"
        return f"{base}/workflow/{workflow}/executions/{number_of(execution)}" if workflow.isalnum() else ""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a pull goes on.

    ``low``: down to here the list is read; ``after``: the newest failure of the last pull, ``top`` that of this one.
    ``told`` are failures above ``low`` that were told of. ``left`` are the lists still to be read, each with n8n's
    cursor. ``under_way`` are executions that had not ended. ``since`` bounds the first pulls, until one finds any.
    """

    low: int = 0
    after: int = 0
    top: int = 0
    told: tuple[int, ...] = ()
    left: tuple[tuple[str, str], ...] = ()
    under_way: tuple[int, ...] = ()
    since: str = ""

    def write(self) -> str:
        """Return it as text."""
        return orjson.dumps(asdict(self)).decode()

    @classmethod
    def read(cls, written: str) -> Place:
        """Read what :meth:`write` gave; an empty text is the beginning.

        Raises:
            PermanentError: it is something else.
        """
        if not written:
            return cls(since=utc(datetime.now(UTC) - FIRST_LOOK))
        try:
            kept = orjson.loads(written)
            low, after, top = (int(kept[name]) for name in ("low", "after", "top"))
            told, under_way = (tuple(map(int, kept[name])) for name in ("told", "under_way"))
            left = tuple((str(status), str(at)) for status, at in kept["left"])
            return cls(low, after, top, told, left, under_way, str(kept["since"]))
        except (ValueError, KeyError, TypeError):
            raise PermanentError(f"{written[:80]!r} is no cursor of a pull: begin anew with an empty one") from None


async def pull(api: Api, cursor: str) -> Failures:
    """Return a page of what failed; the last one has what was under way and failed since."""
    place = Place.read(cursor)
    (status, at), *rest = place.left or tuple((each, "") for each in FAILED)
    asked = {
        "status": status,
        **({"cursor": at} if at else {}),
        **({"startedAfter": place.since} if place.since else {}),
    }
    executions, following, _ = await api.page(asked)
    above = [each for each in executions if number_of(each) > place.low]
    fresh = [each for each in above if number_of(each) not in place.told]
    failures = [await _told(api, each) for each in fresh]
    is_read = not following or len(above) < len(executions)
    place = replace(
        place,
        left=(*rest,) if is_read else ((status, following), *rest),
        top=max(place.top, *map(number_of, executions), 0),
        told=(*place.told, *map(number_of, fresh)),
    )
    if place.left:
        return Failures(tuple(filter(None, failures)), place.write(), has_more=True)
    under_way = await _under_way(api)
    ended = [number for number in place.under_way if number not in under_way and number not in place.told]
    failures += [await _look(api, number) for number in ended]
    after = max(place.top, place.after)
    told = tuple(number for number in place.told if number > place.after)[-MOST_KEPT:]
    following_pull = Place(place.after, after, 0, told, (), under_way, "" if place.after else place.since)
    return Failures(tuple(filter(None, failures)), following_pull.write())


async def retry(api: Api, execution: str) -> Made:
    """Run an execution again.

    Raises:
        PermanentError: there is none such, or n8n does not run it again.
    """
    number = _require(execution)
    answer = await api.call("POST", f"/executions/{number}/retry", json={"loadWorkflow": True}, accept=(404, 409))
    if answer.status == 404:
        raise PermanentError(f"n8n has no execution {number} (any more)", status=404)
    if answer.status == 409:
        said = text(answer.data.get("message")) if isinstance(answer.data, dict) else ""
        raise PermanentError(f"n8n does not run execution {number} again: {said or 'it did not fail'}", status=409)
    return _made(api, answer.data)


async def find_retry(api: Api, execution: str) -> Made | None:
    """Look for a retry that can come of this step."""
    number = _require(execution)
    cursor = ""
    for _ in range(MOST_PAGES):
        executions, cursor, answer = await api.page({"cursor": cursor} if cursor else {})
        for each in executions:
            is_young = is_of_this_try(each.get("startedAt") or each.get("createdAt"), answer, api.http)
            if text(each.get("retryOf")) == str(number) and is_young:
                return _made(api, each)
        # The newest come first, and a retry is newer than what it retries.
        if not cursor or any(number_of(each) <= number for each in executions):
            return None
    return None


def number_of(execution: Mapping[str, Any]) -> int:
    """Return the number that n8n counts executions by; 0 where it has none."""
    found = text(execution.get("id"))
    return int(found) if found.isascii() and found.isdigit() and len(found) <= _MOST_DIGITS else 0


async def _under_way(api: Api) -> tuple[int, ...]:
    found: list[int] = []
    for status in UNDER_WAY:
        cursor = ""
        for _ in range(MOST_PAGES):
            executions, cursor, _answer = await api.page({"status": status, **({"cursor": cursor} if cursor else {})})
            found += map(number_of, executions)
            if not cursor:
                break
    # The oldest are those that a list of failures would not show again.
    return tuple(sorted(set(found))[:MOST_KEPT])


async def _look(api: Api, number: int) -> LayerFailure | None:
    return await _told(api, {"id": str(number)})


async def _told(api: Api, listed: Mapping[str, Any]) -> LayerFailure | None:
    """Read why an execution failed; None where it did not, or is gone."""
    number = number_of(listed)
    answer = await api.read(f"/executions/{number}", {"includeData": "true"})
    whole = answer.data if isinstance(answer.data, dict) and answer.status != 404 else {}
    execution = {**listed, **whole}
    status = text(execution.get("status"))
    if status not in FAILED:
        return None
    result = _part(_part(whole, "data"), "resultData")
    reason = text(_part(result, "error").get("message")) or f"n8n says {status}, and not why: see the execution there"
    return LayerFailure(
        str(number),
        text(_part(whole, "workflowData").get("name")) or f"workflow {text(execution.get('workflowId')) or '?'}",
        reason,
        text(result.get("lastNodeExecuted")),
        api.link(execution),
        text(execution.get("stoppedAt")) or text(execution.get("startedAt")),
    )


def _part(record: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = record.get(name)
    return found if isinstance(found, dict) else {}


def _require(execution: str) -> int:
    number = number_of({"id": execution})
    if not number:
        raise PermanentError(f"{execution[:60]!r} is not the id of an n8n execution, which is a number")
    return number


def _made(api: Api, execution: Any) -> Made:
    if not isinstance(execution, dict) or not number_of(execution):
        raise TransientError("n8n's answer has no execution in it", unsure=True)
    return Made(str(number_of(execution)), api.link(execution))


__all__: Sequence[str] = ["Api", "Place", "find_retry", "pull", "retry"]
