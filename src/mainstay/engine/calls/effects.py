"""What a call through a role leaves in another system, as a record: an invoice, a payment, a task, a message. Pure.

How a record began (an open invoice, a message that was sent) is said as such: a call that is made again finds what is
there already, which may have been paid or delivered since. What a call does not tell is not guessed: an invoice's total
has its taxes there.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Any
from uuid import UUID

from mainstay.model import RECORD_FIELDS, Effect, RecordState, RecordType

if TYPE_CHECKING:
    from mainstay.kit.roles import Call, EmailMessage, Invoice, Payment, Task
    from mainstay.model import Contact, Run

log = logging.getLogger(__name__)

_WRITES: Mapping[tuple[str, str], RecordType] = MappingProxyType(
    {
        ("billing", "create_invoice"): "invoice",
        ("billing", "void_invoice"): "invoice",
        ("accounting", "create_invoice"): "invoice",
        ("accounting", "void_invoice"): "invoice",
        ("accounting", "add_payment"): "payment",
        ("tasks", "create_task"): "task",
        ("tasks", "complete_task"): "task",
        ("email", "send"): "message",
        ("sms", "send"): "message",
        ("voice", "place_call"): "message",
    }
)
_OPERATIONS = {"create": "create_task", "complete": "complete_task", "call": "place_call"}
_CHANNELS = {"email": "email", "sms": "sms", "voice": "voice"}


def written_type(role: str, call: str) -> RecordType | None:
    """Return which type of record a call writes, by its name in a workflow or in the ledger; None where it writes none.

    A post to a team's channel is none: it is no message to anybody whom the business has dealings with.
    """
    return _WRITES.get((role, _OPERATIONS.get(call, call)))


def effect_of(
    role: str, operation: str, arguments: Sequence[Any], result: Any, at: datetime, *, run: Run, contact: Contact | None
) -> Effect | None:
    """Return what a call left, or what it read: None where that is no record, or none whose id is known.

    ``result`` is as the ledger keeps it, ``at`` the earliest moment at which it can have come to be so. ``contact`` is
    whom the call was given; without one, a record is about the run's contact, and a message is where it went to theirs.
    """
    try:
        state = state_of(role, operation, arguments, result, at)
        state = state.canonical() if state is not None else None
    except Exception as error:  # noqa: BLE001 - the call has happened: what its record lacks must not undo the step
        log.warning("%s.%s of run %s makes no record: %s", role, operation, run.id, type(error).__name__)
        return None
    if state is None:
        return None
    return Effect(state, contact.id if contact is not None else _contact_of(run, state))


def state_of(role: str, operation: str, arguments: Sequence[Any], result: Any, at: datetime) -> RecordState | None:
    """Return the record that a call left as it stands then, not yet in canonical form; see :func:`effect_of`."""
    build = _STATES.get(operation) if role in _ROLES else None
    return build(role, arguments, result, at) if build is not None else None


def _contact_of(run: Run, state: RecordState) -> UUID | None:
    if state.type != "message" or "recipient" not in state.fields:
        return run.contact_id
    known = run.input.get("contact") or {}
    theirs = {str(known.get(name) or "").casefold() for name in ("email", "phone")} - {""}
    return run.contact_id if state.fields["recipient"].casefold() in theirs else None


def _told(**fields: object) -> dict[str, str]:
    """Return the fields that are told: what is empty says nothing."""
    return {name: text for name, value in fields.items() if (text := "" if value is None else str(value))}


def _made(kind: RecordType, result: Any, at: datetime, fields: dict[str, str], **initial: str) -> RecordState | None:
    """Return a record that a call made; None where nobody knows its id."""
    made_id = str((result or {}).get("id") or "")
    if not made_id:
        return None
    if "url" in RECORD_FIELDS[kind]:
        fields |= _told(url=result.get("url"))
    return RecordState(kind, made_id, {**fields, **initial}, changed_at=at, initial=frozenset(initial))


def _new_invoice(_role: str, arguments: Sequence[Any], result: Any, at: datetime) -> RecordState | None:
    invoice: Invoice = arguments[1]
    fields = _told(reference=invoice.reference, currency=invoice.currency, due=invoice.due)
    return _made("invoice", result, at, fields, status="open")


def _void_invoice(_role: str, arguments: Sequence[Any], _result: Any, at: datetime) -> RecordState | None:
    return _changed("invoice", arguments[0], at, {"status": "void"})


def _read_invoice(_role: str, arguments: Sequence[Any], result: Any, at: datetime) -> RecordState | None:
    if result is None:
        return _gone("invoice", arguments[0], at)
    fields = {name: str(result[name]) for name in ("number", "status", "currency", "total", "paid")}
    return _changed("invoice", result["id"], at, fields | _told(url=result["url"]))


def _new_payment(_role: str, arguments: Sequence[Any], result: Any, at: datetime) -> RecordState | None:
    invoice_id, payment = arguments
    given: Payment = payment
    fields = _told(
        reference=given.reference,
        amount=given.amount,
        currency=given.currency,
        paid_on=given.paid_on,
        method=given.method,
    )
    made = _made("payment", result, at, fields, status="received")
    # As its sources tell it: what the field invoice holds is the business's own word for one.
    return replace(made, custom=_told(invoice_ids=invoice_id)) if made is not None else None


def _new_task(_role: str, arguments: Sequence[Any], result: Any, at: datetime) -> RecordState | None:
    task: Task = arguments[0]
    fields = _told(title=task.title, due=task.due, assignee=task.assignee, project=task.project)
    return _made("task", result, at, fields, status="open")


def _task_done(_role: str, arguments: Sequence[Any], _result: Any, at: datetime) -> RecordState | None:
    return _changed("task", arguments[0], at, {"status": "done"})


def _read_task(_role: str, arguments: Sequence[Any], result: Any, at: datetime) -> RecordState | None:
    if result is None:
        return _gone("task", arguments[0], at)
    fields = {name: str(result[name]) for name in ("title", "due", "assignee")}
    fields |= {"status": "done" if result["is_done"] else "open"} | _told(url=result["url"])
    return _changed("task", result["id"], at, fields)


def _message(role: str, arguments: Sequence[Any], result: Any, at: datetime) -> RecordState | None:
    first = arguments[0]
    subject = ""
    recipient = first
    if role == "email":
        mail: EmailMessage = first
        recipient, subject = mail.to, mail.subject
    elif role == "voice":
        call: Call = first
        recipient = call.to
    fields = {"channel": _CHANNELS[role], "direction": "out"} | _told(recipient=recipient, subject=subject)
    return _made("message", result, at, fields, status="sent", sent_at=at.isoformat())


def _read_call(_role: str, arguments: Sequence[Any], result: Any, at: datetime) -> RecordState | None:
    if result is None:
        return _gone("message", arguments[0], at)
    return _changed("message", result["id"], at, _told(status=result["outcome"] or result["status"]))


def _changed(kind: RecordType, external_id: object, at: datetime, fields: dict[str, str]) -> RecordState | None:
    return RecordState(kind, str(external_id), fields, changed_at=at) if external_id else None


def _gone(kind: RecordType, external_id: object, at: datetime) -> RecordState | None:
    return RecordState(kind, str(external_id), is_gone=True, changed_at=at) if external_id else None


_ROLES = {"billing", "accounting", "tasks", "email", "sms", "voice"}
_STATES: Mapping[str, Callable[[str, Sequence[Any], Any, datetime], RecordState | None]] = MappingProxyType(
    {
        "create_invoice": _new_invoice,
        "void_invoice": _void_invoice,
        "fetch_invoice": _read_invoice,
        "add_payment": _new_payment,
        "create_task": _new_task,
        "complete_task": _task_done,
        "fetch_task": _read_task,
        "send": _message,
        "place_call": _message,
        "fetch_call": _read_call,
    }
)
