"""What Linear reports of issues: each delivery says what there is now, and what was before.

The signature is as in github.com/linear/linear packages/sdk/src/webhooks/client.ts: over the raw body, whose
``webhookTimestamp`` may be a minute off.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import orjson

from mainstay.connectors.linear.records import DONE, issue_record
from mainstay.connectors.linear.settings import LinearSource
from mainstay.kit import Event, MalformedError, NotAuthenticError, RawRequest, TaskState
from mainstay.kit.payload import as_object, moment, read_object, text
from mainstay.kit.recording import task_gone
from mainstay.kit.secrets import plain
from mainstay.kit.signature import equal, from_epoch, hmac_hex, require_fresh, require_header, sha256_hex

TOLERANCE = timedelta(seconds=60)
_ACTIONS = {"create": "task.created", "update": "task.updated", "remove": "task.deleted"}


def verify(request: RawRequest, settings: LinearSource) -> str:
    """Check ``Linear-Signature``, and that the signed time is of this minute."""
    given = require_header(request.headers.get("linear-signature"), "Linear-Signature").lower()
    if not any(equal(given, hmac_hex(secret, request.body)) for secret in plain(settings.secret)):
        raise NotAuthenticError("Linear-Signature does not fit: compare secret with the webhook's signing secret")
    try:
        sent: Any = read_object(request.body).get("webhookTimestamp")
    except MalformedError:
        sent = None
    sent = sent if sent is not None else request.headers.get("linear-timestamp", "")
    require_fresh(from_epoch(sent, milliseconds=True), request.received_at, TOLERANCE)
    return "signature ok"


def delivery_key(request: RawRequest, _settings: LinearSource) -> str:
    """Return a digest of what is reported. Linear-Delivery is not signed, and the time is of each sending."""
    said = {key: value for key, value in read_object(request.body).items() if key != "webhookTimestamp"}
    return sha256_hex(orjson.dumps(said, option=orjson.OPT_SORT_KEYS))


def parse(request: RawRequest, settings: LinearSource) -> Sequence[Event]:
    """Give ``task.created``, ``task.completed``, ``task.updated`` or ``task.deleted`` of an issue.

    Its data: ``task`` (Linear's id), ``title``, ``is_done``, ``state`` (its name), ``due``, ``assignee``, ``url``,
    ``number`` (OPS-12) and ``changed`` (the names of what was other before).
    """
    body = read_object(request.body)
    key = delivery_key(request, settings)
    kind, action = text(body.get("type")), text(body.get("action"))
    if kind != "Issue" or action not in _ACTIONS:
        return [Event("unsupported", key=key, reason=f"{action or 'no action'} of {kind or 'no type'}"[:100])]
    issue = as_object(body.get("data"), "data")
    task_id = text(issue.get("id"))
    if not task_id:
        raise MalformedError("data has no id: it is no issue")
    state = _object(issue.get("state"))
    before = _object(body.get("updatedFrom"))
    is_done = text(state.get("type")) == DONE
    data: dict[str, Any] = {
        "task": task_id,
        "title": text(issue.get("title")),
        "is_done": is_done,
        "state": text(state.get("name")),
        "due": text(issue.get("dueDate")),
        "assignee": text(_object(issue.get("assignee")).get("email")),
        "url": text(issue.get("url")) or text(body.get("url")),
        "number": text(issue.get("identifier")),
        "changed": sorted(before)[:50],
    }
    happened = _ACTIONS[action]
    if action == "update" and issue.get("trashed") is True and "trashed" in before:
        happened = "task.deleted"
    elif action == "update" and is_done and before.keys() & {"stateId", "completedAt"}:
        happened = "task.completed"
    at = moment(body.get("createdAt"))
    changed_at = moment(issue.get("updatedAt")) or at
    if happened == "task.deleted":
        record = task_gone(task_id, max(filter(None, (at, changed_at)), default=None))
    else:
        told = TaskState(task_id, data["title"], is_done, data["due"], data["assignee"], data["url"])
        record = issue_record(told, issue, at=changed_at)
    return [Event(happened, key=key, time=at, data=data, record=record)]


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
