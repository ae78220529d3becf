"""Words and looks of records that are no contacts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mainstay.records.ownership import CUSTOM
from mainstay.web.wording import Look

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mainstay.insight.records import RecordRow
    from mainstay.records import Ownership

_PLURALS = {"company": "Companies"}
_TONES = {
    **dict.fromkeys(("paid", "won", "done", "received"), "fine"),
    **dict.fromkeys(("lost", "void", "uncollectible", "failed", "cancelled", "no_show"), "quiet"),
    **dict.fromkeys(("open", "draft", "pending", "booked", "refunded"), "waiting"),
}
_SHOWN: Mapping[str, tuple[str, ...]] = {
    "company": ("domain", "phone", "vat_id"),
    "deal": ("amount", "stage", "closes_on"),
    "invoice": ("total", "paid", "due"),
    "payment": ("amount", "paid_on", "method"),
    "task": ("due", "assignee", "project"),
    "message": ("channel", "direction", "recipient"),
    "appointment": ("starts_at", "host", "location"),
}
_LABELS = {"url": "Link", "vat_id": "VAT id", "email": "E-mail"}
_MONEY = frozenset({"amount", "total", "paid"})
_MOMENTS = frozenset({"starts_at", "ends_at", "sent_at"})


def plural(kind: str) -> str:
    """Return what records of a type are called."""
    return _PLURALS.get(kind, f"{kind.capitalize()}s")


def record_look(record: RecordRow) -> Look:
    """Return how a record's status is shown."""
    if record.gone_at is not None:
        return Look("quiet", "bin", "Deleted there")
    status = record.values.get("status", "")
    tone = _TONES.get(status, "quiet")
    return Look(tone, tone, status.replace("_", " ").capitalize() or "No status")


def record_label(name: str) -> str:
    """Return what a field of a record is called on screens; a custom one by its own name."""
    if name.startswith(CUSTOM):
        return name.removeprefix(CUSTOM)
    return _LABELS.get(name, name.replace("_", " ").capitalize())


def shown_fields(kind: str) -> tuple[str, ...]:
    """Return the fields that a list shows."""
    return _SHOWN[kind]


def value_of(record: RecordRow, name: str) -> str:
    """Return a value as people write it: money with its currency, a moment without its seconds."""
    value = record.values.get(name, "")
    if value and name in _MONEY:
        return f"{value} {record.values.get('currency', '')}".strip()
    return f"{value[:10]} {value[11:16]} UTC" if value and name in _MOMENTS else value


def is_right(ownership: Ownership, name: str) -> str:
    """Say who is right about a field."""
    owner = ownership.owner_of(name)
    return f"{owner} is right about it" if owner else "the latest word counts"
