"""Which record a call leaves, and that no call is undone by one that cannot be read."""

from __future__ import annotations

import itertools
from dataclasses import asdict
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay.engine.calls.copies import Copies
from mainstay.engine.calls.effects import effect_of, written_type
from mainstay.errors import PermanentError
from mainstay.kit.roles import (
    Call,
    CallState,
    EmailMessage,
    Invoice,
    InvoiceLine,
    InvoiceState,
    Made,
    Payment,
    Sent,
    Task,
    TaskState,
)
from mainstay.model import Contact, Effect, Run

NOW = datetime(2026, 5, 4, 9, 30, tzinfo=UTC)
SARAH = Contact(UUID(int=1), UUID(int=2), email="sarah@example.com", phone="+13125550142")
OTHER = Contact(UUID(int=7), UUID(int=2), email="kim@example.com")
RUN = Run(UUID(int=3), UUID(int=2), "job.v1", {"contact": SARAH.to_json()}, "e", contact_id=SARAH.id)
MAIL = EmailMessage("sarah@example.com", "Your quote", "Between us", "<p>Between us</p>")
INVOICE = Invoice("JOB-1", "usd", (InvoiceLine("Work", Decimal(5)),), date(2026, 6, 1), "a memo")


def left(
    role: str, operation: str, *arguments: Any, result: Any = None, contact: Contact | None = None
) -> Effect | None:
    kept = asdict(result) if result is not None else None
    return effect_of(role, operation, arguments, kept, NOW, run=RUN, contact=contact)


@pytest.mark.parametrize(
    ("effect", "expected"),
    [
        (
            left("tasks", "create_task", Task("Call", "a note", date(2026, 6, 1)), result=Made("t1", "https://t")),
            ("task", "t1", {"title": "Call", "due": "2026-06-01", "status": "open", "url": "https://t"}),
        ),
        (left("tasks", "complete_task", "t1"), ("task", "t1", {"status": "done"})),
        (
            left("tasks", "fetch_task", "t1", result=TaskState("t1", "Call", is_done=False)),
            ("task", "t1", {"title": "Call", "status": "open", "due": "", "assignee": ""}),
        ),
        (
            left("billing", "create_invoice", "cus_1", INVOICE, result=Made("in_1")),
            ("invoice", "in_1", {"reference": "JOB-1", "currency": "USD", "due": "2026-06-01", "status": "open"}),
        ),
        (left("accounting", "void_invoice", "in_1"), ("invoice", "in_1", {"status": "void"})),
        (
            left("billing", "fetch_invoice", "in_1", result=InvoiceState("in_1", "A-1", "paid", "USD", "5.00", "5.00")),
            (
                "invoice",
                "in_1",
                {"number": "A-1", "status": "paid", "currency": "USD", "total": "5.00", "paid": "5.00"},
            ),
        ),
        (
            left(
                "accounting",
                "add_payment",
                "in_1",
                Payment("pi_1", Decimal("1E+2"), "USD", date(2026, 6, 1), "card"),
                result=Made("p1", "https://unused"),
            ),
            (
                "payment",
                "p1",
                {
                    "reference": "pi_1",
                    "amount": "100",
                    "currency": "USD",
                    "paid_on": "2026-06-01",
                    "method": "card",
                    "status": "received",
                },
            ),
        ),
        (
            left("email", "send", MAIL, result=Sent("m1")),
            (
                "message",
                "m1",
                {
                    "channel": "email",
                    "direction": "out",
                    "recipient": "sarah@example.com",
                    "subject": "Your quote",
                    "status": "sent",
                    "sent_at": "2026-05-04T09:30:00+00:00",
                },
            ),
        ),
        (
            left("voice", "fetch_call", "c1", result=CallState("c1", "ended", "voicemail")),
            ("message", "c1", {"status": "voicemail"}),
        ),
    ],
)
def test_what_a_call_leaves(effect: Effect | None, expected: tuple[str, str, dict[str, str]]) -> None:
    assert effect is not None
    state = effect.state
    assert (state.type, state.external_id, dict(state.fields)) == expected
    assert dict(state.custom) == ({"invoice_ids": "in_1"} if state.type == "payment" else {})
    assert not state.is_gone
    assert state.changed_at == NOW


@pytest.mark.parametrize(
    "effect",
    ids=itertools.count(),
    argvalues=[
        left("chat", "post", "#leads", "A lead", result=Sent("1.2")),
        left("tasks", "add_comment", "t1", "Hi", result=Sent("c")),
        left("crm", "add_tag", "x", "vip"),
        left("table", "upsert_rows", "Jobs", "id", ()),
        left("billing", "push_customer", SARAH, ""),
        left("email", "send", MAIL, result=Sent()),
        left("email", "send", MAIL),
        left("tasks", "create_task", Task("Call"), result=Made("")),
        left("tasks", "complete_task", ""),
        left("tasks", "fetch_task", ""),
    ],
)
def test_what_leaves_no_record_or_none_whose_id_is_known(effect: Effect | None) -> None:
    assert effect is None


@pytest.mark.parametrize("role", ["tasks", "billing", "accounting", "voice"])
def test_what_was_looked_for_and_is_not_there_is_gone(role: str) -> None:
    operation = {"tasks": "fetch_task", "voice": "fetch_call"}.get(role, "fetch_invoice")
    effect = left(role, operation, "x1")
    assert effect is not None
    assert (effect.state.external_id, effect.state.is_gone, dict(effect.state.fields)) == ("x1", True, {})


@pytest.mark.parametrize(
    ("effect", "about"),
    [
        (left("email", "send", MAIL, result=Sent("m")), SARAH.id),
        (left("sms", "send", SARAH.phone, "Hi", result=Sent("m")), SARAH.id),
        (left("voice", "place_call", Call("+13125550142"), result=Sent("m")), SARAH.id),
        (left("email", "send", EmailMessage("boss@acme.example", "x", "y"), result=Sent("m")), None),
        (left("sms", "send", "+13125550199", "Hi", result=Sent("m")), None),
        (left("email", "send", EmailMessage(OTHER.email, "x", "y"), result=Sent("m"), contact=OTHER), OTHER.id),
        (left("billing", "create_invoice", "c", INVOICE, result=Made("i"), contact=OTHER), OTHER.id),
        (left("tasks", "create_task", Task("Call"), result=Made("t")), SARAH.id),
    ],
)
def test_whom_it_is_about(effect: Effect | None, about: UUID | None) -> None:
    assert effect is not None
    assert effect.contact_id == about


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(), max_size=5) | st.binary(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["id", "url", "status"]), inner),
    max_leaves=4,
)
OPERATIONS = ["create_invoice", "void_invoice", "fetch_invoice", "add_payment", "create_task", "complete_task"]
OPERATIONS += ["fetch_task", "send", "place_call", "fetch_call"]


@given(
    role=st.sampled_from(["billing", "accounting", "tasks", "email", "sms", "voice", "chat"]),
    operation=st.sampled_from(OPERATIONS),
    arguments=st.lists(
        anything | st.builds(Task, anything, anything, anything) | st.builds(Invoice, anything, anything, anything),
        max_size=3,
    ),
    result=anything,
)
def test_no_call_is_undone_by_what_it_brought(role: str, operation: str, arguments: list[Any], result: Any) -> None:
    effect = effect_of(role, operation, arguments, result, NOW, run=RUN, contact=None)
    if effect is not None:
        text = "".join([effect.state.external_id, *effect.state.fields.values()])
        assert "\0" not in text
        assert text.encode()


@pytest.mark.parametrize(
    ("role", "call", "kind"),
    [
        ("tasks", "create", "task"),
        ("tasks", "complete_task", "task"),
        ("tasks", "fetch", None),
        ("voice", "call", "message"),
        ("billing", "add_payment", None),
        ("accounting", "add_payment", "payment"),
        ("chat", "post", None),
        ("", "run", None),
    ],
)
def test_which_type_a_call_writes(role: str, call: str, kind: str | None) -> None:
    assert written_type(role, call) == kind


def test_a_copy_refuses_what_would_write_it_and_says_who_is_right() -> None:
    copies = Copies({"task": "", "invoice": "books"})
    copies.require_writable("tasks", "fetch_task", ("t1",), "notion")
    copies.require_writable("email", "send", (MAIL,), "notion")
    for role, operation, right in (("tasks", "create_task", "our own book"), ("billing", "void_invoice", "books")):
        with pytest.raises(
            PermanentError, match=rf'"notion" is a mirror of .* Right about them is {right}: write there'
        ):
            copies.require_writable(role, operation, ("x",), "notion")
