"""What Notion reports of pages: events with ids alone. The page itself is read by ``fetch``.

The signature is as in github.com/makenotion/notion-sdk-js src/webhooks.ts: its prefix is needed, its hex may be upper
case. Notion signs no time: a replay is known by the event's id alone.

A subscription begins with a delivery of a ``verification_token``, with which all later ones are signed. It is kept, so
that a person can read it; once a token is set, only what is signed with that is taken.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mainstay.connectors.notion.database import as_uuid
from mainstay.connectors.notion.settings import NotionConnection, NotionSource
from mainstay.connectors.notion.tasks import NotionTasks
from mainstay.kit import Event, Http, MalformedError, NotAuthenticError, RawRequest
from mainstay.kit.payload import as_object, moment, read_object, text
from mainstay.kit.recording import task_gone, task_record
from mainstay.kit.secrets import plain
from mainstay.kit.signature import equal, hmac_hex, require_header, sha256_hex

_PREFIX = "sha256="
_PAGES = {
    "page.created": "task.created",
    "page.content_updated": "task.updated",
    "page.properties_updated": "task.updated",
    "page.moved": "task.updated",
    "page.undeleted": "task.updated",
    "page.deleted": "task.deleted",
}
_MAX_CHANGED = 50


def verify(request: RawRequest, settings: NotionSource) -> str:
    """Check ``X-Notion-Signature``; without a token yet, only the delivery that brings it is taken."""
    given = request.headers.get("x-notion-signature")
    if not settings.verification_token:
        token = _token(request)
        if not token:
            raise NotAuthenticError("no verification_token yet: verify the subscription in Notion, and set it")
        if given and not _fits(given, token, request.body):
            raise NotAuthenticError("X-Notion-Signature does not fit the token that it comes with")
        return "verification token, not yet set"
    if not any(
        _fits(require_header(given, "X-Notion-Signature"), token, request.body)
        for token in plain(settings.verification_token)
    ):
        raise NotAuthenticError("X-Notion-Signature does not fit: compare verification_token with the subscription's")
    return "signature ok"


def _fits(given: str, token: str, body: bytes) -> bool:
    if not given.startswith(_PREFIX):
        return False
    return equal(given.removeprefix(_PREFIX).lower(), hmac_hex(token, body))


def _token(request: RawRequest) -> str:
    try:
        body = read_object(request.body)
    except MalformedError:
        return ""
    return text(body.get("verification_token")) if set(body) == {"verification_token"} else ""


def delivery_key(request: RawRequest, _settings: NotionSource) -> str:
    """Return the event's id, which is the same when Notion tries again."""
    return text(read_object(request.body).get("id")) or sha256_hex(request.body)


def parse(request: RawRequest, settings: NotionSource) -> Sequence[Event]:
    """Give one event of a page; what it is, ``fetch`` tells by the page."""
    key = delivery_key(request, settings)
    if _token(request):
        reason = "Notion's verification token: paste it from this body into Notion, then set it as verification_token"
        return [Event("unsupported", key=key, reason=reason)]
    body = read_object(request.body)
    kind = text(body.get("type"))
    if kind not in _PAGES:
        return [Event("unsupported", key=key, reason=kind[:100] or "an event without a type")]
    page = as_uuid(text(as_object(body.get("entity"), "entity").get("id")))
    if not page:
        raise MalformedError("the entity's id should be the id of a page")
    told = body.get("data")
    properties = told.get("updated_properties") if isinstance(told, dict) else None
    changed = [each for each in properties if isinstance(each, str)] if isinstance(properties, list) else []
    time = text(body.get("timestamp"))
    data = {"task": page, "at": time, "changed": changed[:_MAX_CHANGED]}
    return [Event(_PAGES[kind], key=key, time=moment(time), data=data)]


async def fetch(event: Event, settings: NotionSource, http: Http) -> Event:
    """Read the page: ``task.completed`` where it is done and its properties changed, ``task.deleted`` where it is gone.

    Its data: ``task`` (the page's id), ``title``, ``is_done``, ``due``, ``assignee``, ``url`` and ``changed`` (ids of
    properties).
    """
    page, time = str(event.data["task"]), moment(event.data["at"])
    changed = list(event.data["changed"])
    reader = NotionTasks(_READER.model_copy(update={"properties": settings.properties, "done": settings.done}), http)
    found = None if event.type == "task.deleted" else await reader.read(page)
    if found is None:
        told: Mapping[str, Any] = {"task": page, "is_done": False, "changed": changed}
        return Event("task.deleted", event.key, time, None, told, record=task_gone(page, time))
    state, edited_at = found
    happened = "task.completed" if state.is_done and event.type == "task.updated" and changed else event.type
    data: Mapping[str, Any] = {
        "task": page,
        "title": state.title,
        "is_done": state.is_done,
        "due": state.due,
        "assignee": state.assignee,
        "url": state.url,
        "changed": changed,
    }
    return Event(happened, event.key, time, None, data, record=task_record(state, at=edited_at or time))


# What reads a page: of the connection's settings only these two count, and a source is not told its connection's.
_READER = NotionConnection.model_validate({"connector": "notion", "token": "unused"})
