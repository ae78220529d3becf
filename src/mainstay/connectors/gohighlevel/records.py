"""What GoHighLevel's app webhooks tell of opportunities, appointments, tasks and invoices.

The payloads are as its docs show them (docs/webhook events); no contract of them is published, so that what is written
otherwise is left out, or kept beside, and refuses nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any

from mainstay.connectors.gohighlevel.contact import flat
from mainstay.kit import Event, MalformedError, RecordType
from mainstay.kit.money import from_number
from mainstay.kit.payload import moment, text
from mainstay.kit.recording import as_record

Payload = Mapping[str, Any]
Told = tuple[dict[str, str], dict[str, str]]
VERBS: Mapping[str, str] = MappingProxyType(
    {
        "OpportunityCreate": "deal.created",
        "OpportunityUpdate": "deal.updated",
        "OpportunityDelete": "deal.deleted",
        "OpportunityStageUpdate": "deal.stage_changed",
        "OpportunityStatusUpdate": "deal.updated",
        "OpportunityAssignedToUpdate": "deal.updated",
        "OpportunityMonetaryValueUpdate": "deal.updated",
        "AppointmentCreate": "appointment.booked",
        "AppointmentUpdate": "appointment.updated",
        "AppointmentDelete": "appointment.deleted",
        "TaskCreate": "task.created",
        "TaskComplete": "task.completed",
        "TaskDelete": "task.deleted",
        "InvoiceCreate": "invoice.created",
        "InvoiceUpdate": "invoice.updated",
        "InvoiceSent": "invoice.sent",
        "InvoicePaid": "invoice.paid",
        "InvoicePartiallyPaid": "invoice.updated",
        "InvoiceVoid": "invoice.voided",
        "InvoiceDelete": "invoice.deleted",
    }
)
"""The event that each of its webhooks is."""
_DEAL = {"open": "open", "won": "won", "lost": "lost", "abandoned": "lost"}
_APPOINTMENT = {
    "new": "booked",
    "confirmed": "booked",
    "cancelled": "cancelled",
    "invalid": "cancelled",
    "showed": "done",
    "noshow": "no_show",
}
_INVOICE = {"draft": "draft", "sent": "open", "payment_processing": "open", "partially_paid": "open", "overdue": "open"}
_INVOICE |= {"paid": "paid", "void": "void"}
_CHANGED_TO = {
    ("deal", "won"): "deal.won",
    ("deal", "lost"): "deal.lost",
    ("appointment", "cancelled"): "appointment.cancelled",
    ("appointment", "no_show"): "appointment.no_show",
    ("appointment", "done"): "appointment.done",
}


def read_record(kind: str, payload: Payload, *, key: str, time: datetime | None) -> Event:
    """Give the event of one webhook of :data:`VERBS`.

    Its data: ``id``, ``contact`` (GoHighLevel's ids), ``type`` (the webhook's name), the record's fields.

    Raises:
        MalformedError: it names no record.
    """
    happened = VERBS[kind]
    inner = payload.get("appointment")
    item: Payload = inner if isinstance(inner, dict) else payload
    record_id = text(item.get("id")) or text(item.get("_id"))
    contact = text(item.get("contactId")) or _within(item, "contactDetails", "id")
    at = moment(item.get("dateUpdated")) or moment(item.get("updatedAt")) or time
    record_type = _TYPES[happened.partition(".")[0]]
    is_gone = happened.endswith(".deleted")
    fields, custom = ({}, {}) if is_gone else _READERS[record_type](item)
    if happened == "task.completed":
        fields["status"] = "done"
    # A webhook tells what its docs list for it, not the whole record: what is empty is not said.
    said = {name: value for name, value in fields.items() if value}
    record = as_record(
        record_type, record_id, said, custom=custom, contact=contact, at=time if is_gone else at, is_gone=is_gone
    )
    if record is None:
        raise MalformedError(f"{kind} has no id: it is no webhook of GoHighLevel's")
    if kind in {"OpportunityStatusUpdate", "AppointmentUpdate"}:
        happened = _CHANGED_TO.get((record.type, record.fields.get("status", "")), happened)
    data = {"id": record_id, "contact": contact, "type": kind, **record.fields}
    return Event(happened, key=key, time=time, data=data, record=record)


def location_of(payload: Payload) -> str:
    """Return the location that a webhook is of."""
    return (
        text(payload.get("locationId")) or text(payload.get("altId")) or _within(payload, "appointment", "locationId")
    )


def _within(payload: Payload, key: str, name: str) -> str:
    value = payload.get(key)
    return text(value.get(name)) if isinstance(value, dict) else ""


def _amount(value: object) -> str:
    amount = from_number(value)
    return "" if amount is None else f"{amount:f}"


def _deal(item: Payload) -> Told:
    status = text(item.get("status")).lower()
    fields = {
        "title": text(item.get("name")),
        "status": _DEAL.get(status, status),
        "stage": text(item.get("pipelineStageId")),
        "pipeline": text(item.get("pipelineId")),
        "amount": _amount(item.get("monetaryValue")),
        "owner": text(item.get("assignedTo")),
    }
    return fields, {"source": text(item.get("source")), "abandoned": "yes" if status == "abandoned" else ""}


def _appointment(item: Payload) -> Told:
    status = text(item.get("appointmentStatus")).lower().replace("_", "").replace("-", "")
    fields = {
        "title": text(item.get("title")),
        "status": _APPOINTMENT.get(status, status),
        "starts_at": text(item.get("startTime")),
        "ends_at": text(item.get("endTime")),
        "location": text(item.get("address")),
        "host": text(item.get("assignedUserId")),
    }
    return fields, {"calendar": text(item.get("calendarId")), "notes": flat(item.get("notes"))}


def _task(item: Payload) -> Told:
    fields = {
        "title": text(item.get("title")),
        "status": "done" if item.get("completed") is True else "open",
        "due": text(item.get("dueDate")),
        "assignee": text(item.get("assignedTo")),
    }
    return fields, {"body": text(item.get("body"))}


def _invoice(item: Payload) -> Told:
    status = text(item.get("status")).lower()
    fields = {
        "number": text(item.get("invoiceNumber")),
        "status": _INVOICE.get(status, status),
        "total": _amount(item.get("total")),
        "paid": _amount(item.get("amountPaid")),
        "currency": text(item.get("currency")),
        "due": text(item.get("dueDate")),
    }
    return fields, {"name": text(item.get("name"))}


_READERS: Mapping[RecordType, Callable[[Payload], Told]] = {
    "deal": _deal,
    "appointment": _appointment,
    "task": _task,
    "invoice": _invoice,
}
_TYPES: Mapping[str, RecordType] = {each: each for each in _READERS}
