"""How a connector says that a record stands in its system."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import InvalidOperation
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from mainstay.model import RECORD_FIELDS, RecordState, RecordType
from mainstay.model.record import MAX_CUSTOM, MAX_TEXT

if TYPE_CHECKING:
    from mainstay.kit.roles import TaskState

_NONE: Mapping[str, str] = MappingProxyType({})


def as_record(
    kind: RecordType,
    external_id: str,
    fields: Mapping[str, str],
    *,
    custom: Mapping[str, str] = _NONE,
    contact: str = "",
    at: datetime | None = None,
    is_gone: bool = False,
) -> RecordState | None:
    """Return a record as a vendor says that it stands; None of what has no id.

    A vendor that changes what it writes harms no delivery: a value that its field cannot read goes beside, under the
    field's name, into ``custom``, of which what is empty is left out.

    Args:
        kind: the type of record.
        external_id: its id there.
        fields: canonical field to value; leave out of what the vendor says nothing; empty for what is empty there.
        custom: further fields.
        contact: the id there of the contact that it is about.
        at: when it came to stand so, by the vendor's clock.
        is_gone: it was deleted there.
    """
    if not external_id or len(external_id) > MAX_TEXT:
        return None
    kept, beside = {}, {}
    for name, value in fields.items():
        text = value.replace("\0", "").strip()
        try:
            kept[name] = RECORD_FIELDS[kind][name].read(text) if text else ""
        except (ValueError, InvalidOperation):
            beside[name] = text
    more = {
        key: text[:MAX_TEXT]
        for key, value in (beside | dict(custom)).items()
        if (text := value.replace("\0", "").strip())
    }
    return RecordState(
        kind,
        external_id,
        kept,
        dict(list(more.items())[:MAX_CUSTOM]),
        contact_external_id=contact[:MAX_TEXT],
        is_gone=is_gone,
        changed_at=at,
    )


def task_record(
    state: TaskState, *, at: datetime | None, project: str = "", custom: Mapping[str, str] = _NONE
) -> RecordState | None:
    """Return a task as its state says that it stands; ``project`` where the vendor tells what it is filed in."""
    fields = {
        "title": state.title,
        "status": "done" if state.is_done else "open",
        "due": state.due,
        "assignee": state.assignee,
        "url": state.url,
    }
    return as_record("task", state.id, fields | ({"project": project} if project else {}), custom=custom, at=at)


def task_gone(task_id: str, at: datetime | None) -> RecordState | None:
    """Return that there is no such task any more."""
    return as_record("task", task_id, {}, at=at, is_gone=True)


def message_record(
    channel: Literal["email", "sms", "chat", "voice"],
    message_id: str,
    fields: Mapping[str, str],
    *,
    is_inbound: bool = False,
    custom: Mapping[str, str] = _NONE,
    at: datetime | None = None,
) -> RecordState | None:
    """Return a message as a vendor tells of it: ``sender``, ``recipient``, ``subject``, ``status``, ``sent_at``."""
    known = {"channel": channel, "direction": "in" if is_inbound else "out"}
    said = {name: value for name, value in fields.items() if value}
    return as_record("message", message_id, known | said, custom=custom, at=at)
