"""What Asana reports of tasks: events with ids alone, many of one task together. The task itself is read by ``fetch``.

Sources: github.com/Asana/developer-docs, webhooks; the contract asana.json. Asana signs no time: what comes again is
known by its content, which holds the time of each event.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from typing import Any

from mainstay.connectors.asana.reading import is_task_id, read_task
from mainstay.connectors.asana.settings import AsanaSource
from mainstay.kit import Event, Http, MalformedError, NotAuthenticError, RawRequest, Reply
from mainstay.kit.payload import as_list, as_object, moment, read_object, text
from mainstay.kit.recording import task_gone, task_record
from mainstay.kit.secrets import plain
from mainstay.kit.signature import equal, hmac_hex, require_header, sha256_hex

# "added" is also said of a task that is moved into the project; a task so young is a new one.
YOUNG = timedelta(minutes=2)
_MAX_FIELDS = 50
_SECRET = re.compile(r"[\x21-\x7e]{1,200}")


def challenge(request: RawRequest, _settings: AsanaSource) -> Reply | None:
    """Answer the handshake of a webhook that is being made: the secret back. It proves nothing, and nothing is kept."""
    secret = request.headers.get("x-hook-secret", "")
    if request.method != "POST" or not _SECRET.fullmatch(secret):
        return None
    return Reply(200, headers={"X-Hook-Secret": secret})


def verify(request: RawRequest, settings: AsanaSource) -> str:
    """Check ``X-Hook-Signature``."""
    given = require_header(request.headers.get("x-hook-signature"), "X-Hook-Signature").lower()
    if not settings.secret:
        raise NotAuthenticError("no secret yet: set it to the X-Hook-Secret that Asana gave for the webhook")
    if not any(equal(given, hmac_hex(secret, request.body)) for secret in plain(settings.secret)):
        raise NotAuthenticError("X-Hook-Signature does not fit: compare secret with the webhook's X-Hook-Secret")
    return "signature ok"


def delivery_key(request: RawRequest, _settings: AsanaSource) -> str:
    """Return a digest of the body; Asana gives a delivery no id."""
    return sha256_hex(request.body)


@dataclass
class _Told:
    """What one delivery tells of one task."""

    time: str = ""
    is_added: bool = False
    is_deleted: bool = False
    changed: list[str] = field(default_factory=list)

    def add(self, event: Mapping[str, Any]) -> None:
        action, change = text(event.get("action")), event.get("change")
        self.time = text(event.get("created_at")) or self.time
        self.is_added |= action == "added"
        self.is_deleted = action == "deleted" or (self.is_deleted and action != "undeleted")
        name = text(change.get("field")) if isinstance(change, dict) else ""
        if name and name not in self.changed and len(self.changed) < _MAX_FIELDS:
            self.changed.append(name)


def parse(request: RawRequest, settings: AsanaSource) -> Sequence[Event]:
    """Give one event of each task that the delivery names; what it is, ``fetch`` tells by the task."""
    digest = delivery_key(request, settings)
    told: dict[str, _Told] = {}
    others: list[str] = []
    for each in as_list(read_object(request.body).get("events"), "events"):
        event = as_object(each, "an event")
        resource = as_object(event.get("resource"), "an event's resource")
        kind, gid = text(resource.get("resource_type")), text(resource.get("gid"))
        if kind != "task":
            others.append(f"{text(event.get('action'))} of {kind or 'no type'}")
        elif not is_task_id(gid):
            raise MalformedError("a task's gid should be a number in a text")
        else:
            told.setdefault(gid, _Told()).add(event)
    if not told:
        reason = ", ".join(dict.fromkeys(others)) or "a heartbeat: no events"
        return [Event("unsupported", key=digest, reason=reason[:100])]
    return [
        Event(
            "task.deleted" if each.is_deleted else "task.updated",
            key=f"{digest}:{gid}",
            time=moment(each.time),
            data={"task": gid, **asdict(each)},
        )
        for gid, each in told.items()
    ]


async def fetch(event: Event, _settings: AsanaSource, http: Http) -> Event:
    """Read the task: ``task.created``, ``task.completed``, ``task.updated``, or ``task.deleted`` where it is gone.

    Its data: ``task`` (Asana's gid), ``title``, ``is_done``, ``due``, ``assignee``, ``url`` and ``changed`` (fields).
    """
    gid, changed, time = str(event.data["task"]), list(event.data["changed"]), moment(event.data["time"])
    task = None if event.data["is_deleted"] else await read_task(http, gid)
    if task is None:
        data: dict[str, Any] = {"task": gid, "is_done": False, "changed": changed}
        return Event("task.deleted", event.key, time, None, data, record=task_gone(gid, time))
    state = task.state
    made = moment(task.created_at)
    is_new = event.data["is_added"] and made is not None and time is not None and time - made < YOUNG
    happened = "task.completed" if state.is_done and "completed" in changed else "task.updated"
    if is_new and happened == "task.updated":
        happened = "task.created"
    data = {"task": gid, "title": state.title, "is_done": state.is_done, "due": state.due}
    data |= {"assignee": state.assignee, "url": state.url, "changed": changed}
    record = task_record(state, at=moment(task.modified_at) or time)
    return Event(happened, event.key, time, None, data, record=record)
