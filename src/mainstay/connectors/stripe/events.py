"""What Stripe's events mean. Each is of one object, as it stood when it happened; their order is not kept.

One payment makes several events: a PaymentIntent succeeds, its invoice is paid, or its Checkout is completed. By
default ``payment.received`` is told by invoices, and by Checkout where it makes no invoice; so it is told once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from mainstay.connectors.stripe.amounts import to_text
from mainstay.connectors.stripe.api import Api, require_id
from mainstay.connectors.stripe.customers import MARK
from mainstay.connectors.stripe.errors import MissingError
from mainstay.connectors.stripe.invoices import REFERENCE
from mainstay.connectors.stripe.records import invoice_record, payment_record
from mainstay.connectors.stripe.settings import StripeSource
from mainstay.kit import Event, Http, MalformedError, RawRequest, RecordState, Submission
from mainstay.kit.payload import as_object, kind_of, moment, read_object, text

MOST_METADATA = 50
_HOW_TO = "Send it from an endpoint of Stripe's (Developers > Webhooks), with payload style Snapshot."
_OURS = frozenset({MARK, REFERENCE, "company"})
_CUSTOMERS = frozenset({"customer.created", "customer.updated"})
_SUBSCRIPTION = "customer.subscription."
_SESSION_PAID = frozenset({"checkout.session.completed", "checkout.session.async_payment_succeeded"})
_SESSION_FAILED = "checkout.session.async_payment_failed"
_INTENTS = {"payment_intent.succeeded": "payment.received", "payment_intent.payment_failed": "payment.failed"}
_INVOICES = frozenset({
    "created", "deleted", "finalization_failed", "finalized", "marked_uncollectible", "overdue", "paid",
    "payment_action_required", "payment_failed", "sent", "upcoming", "updated", "voided", "will_be_due",
})  # fmt: skip
ASKED = {
    "invoice": tuple(f"invoice.{verb}" for verb in sorted(_INVOICES - {"upcoming"})),
    "payment": ("invoice.paid", "invoice.payment_failed", *sorted(_SESSION_PAID), _SESSION_FAILED, *_INTENTS,
                "charge.refunded"),
}  # fmt: skip
"""Which of Stripe's events tell of a type of record: at most 20, as its list takes."""

Item = Mapping[str, Any]


def parse(request: RawRequest, settings: StripeSource) -> Sequence[Event]:
    """Give the events of one delivery; ``unsupported``, with the reason, for what is not read.

    A paid invoice is two: ``invoice.paid``, and the ``payment.received`` that it tells of. Data that money is told by:
    ``amount`` (decimal text in whole units), ``currency``, ``reference`` (the payment's id at Stripe), ``method``,
    ``paid_on``, ``customer``, ``invoice``, ``invoice_number``, ``invoice_reference`` (ours), ``metadata``.
    """
    return events_of(read_object(request.body), settings)


def events_of(body: Item, settings: StripeSource) -> Sequence[Event]:
    """Give what one of Stripe's events tells; see :func:`parse`."""
    kind, key = text(body.get("type")), text(body.get("id"))
    if not kind or not key:
        raise MalformedError(f"the body is no event of Stripe's: it has no id and type. {_HOW_TO}")
    if body.get("object") != "event":
        return [Event("unsupported", key=key, reason=f"{kind[:60]}: a thin event, which carries no data")]
    data = as_object(body.get("data"), "data")
    item = as_object(data.get("object"), "data.object")
    found = _Reading(kind, key, moment(body.get("created")), item, data.get("previous_attributes"), settings)
    return found.events()


async def fetch(event: Event, settings: StripeSource, http: Http) -> Event:
    """Read the customer that an event names by its id alone; without a connection the event stays as it is."""
    customer = event.data.get("customer")
    if not settings.connection or not isinstance(customer, str) or not customer or event.type == "customer.deleted":
        return event
    try:
        found = await Api(http).get(f"/v1/customers/{require_id(customer, 'a customer')}")
    except MissingError:
        return event
    submission = _of_customer(found, event.time, settings)
    return event if found.get("deleted") is True or submission is None else replace(event, submission=submission)


class _Reading:
    """One event of Stripe's, and what it says."""

    def __init__(
        self, kind: str, key: str, at: datetime | None, item: Item, before: object, settings: StripeSource
    ) -> None:
        self._kind, self._key, self._at = kind, key, at
        self._item, self._settings = item, settings
        self._before: Item = before if isinstance(before, dict) else {}

    def events(self) -> list[Event]:
        """Return what happened."""
        area, _, verb = self._kind.rpartition(".")
        if area == "invoice" and verb in _INVOICES:
            return self._invoice(verb)
        if self._kind.startswith(_SUBSCRIPTION):
            return [self._event(f"subscription.{verb}", _nobody, self._subscription())]
        readers: dict[str, Callable[[], Event]] = {
            "charge.refunded": self._refund,
            "customer.deleted": self._deleted,
            **dict.fromkeys(_CUSTOMERS, self._customer),
            **dict.fromkeys(_INTENTS, self._intent),
            **dict.fromkeys((*_SESSION_PAID, _SESSION_FAILED), self._session),
        }
        reader = readers.get(self._kind)
        return [reader() if reader else self._unsupported(self._kind)]

    def _unsupported(self, reason: str) -> Event:
        return Event("unsupported", key=self._key, time=self._at, reason=reason[:100])

    def _event(
        self,
        name: str,
        who: Callable[[Item], Mapping[str, str]],
        data: Mapping[str, Any],
        record: RecordState | None = None,
    ) -> Event:
        """Make an event of whom the object names; of nobody where it names none."""
        said = {key: value for key, value in who(self._item).items() if value}
        submission = None
        if said.get("email") or said.get("phone"):
            submission = Submission(
                **said,  # type: ignore[arg-type] # texts all
                occurred_at=self._at,
                connection=self._settings.connection,
                external_id=_id(self._item.get("customer")) if self._settings.connection else "",
            )
        return Event(name, key=self._key, time=self._at, submission=submission, data=data, record=record)

    def _paid(self, name: str, who: Callable[[Item], Mapping[str, str]], money: Mapping[str, Any]) -> Event:
        return self._event(name, who, money, payment_record(money, name, self._at))

    # ---------------------------------------------------------------------------------------------- the objects

    def _customer(self) -> Event:
        submission = _of_customer(self._item, self._at, self._settings)
        if submission is None:
            return self._unsupported("a customer without e-mail address and phone")
        return Event(
            "contact.submitted",
            key=self._key,
            time=self._at,
            submission=submission,
            data={"customer": submission.external_id or text(self._item.get("id")), "type": self._kind},
        )

    def _invoice(self, verb: str) -> list[Event]:
        item, currency = self._item, self._currency()
        data = {
            "invoice": text(item.get("id")),
            "invoice_number": text(item.get("number")),
            "invoice_reference": text(_metadata(item).get(REFERENCE)),
            "status": text(item.get("status")),
            "currency": currency,
            "total": self._amount("total"),
            "paid": self._amount("amount_paid"),
            "url": text(item.get("hosted_invoice_url")),
            "customer": _id(item.get("customer")),
            "subscription": _subscription_of(item),
            "metadata": _metadata(item),
        }
        record = invoice_record(item, data, verb, self._at)
        events = [self._event(f"invoice.{verb}", _of_invoice, data, record)]
        is_counted = self._settings.payments == "invoices_and_checkout"
        failed = verb == "payment_failed"
        if is_counted and (failed or (verb == "paid" and self._minor("amount_paid") > 0)):
            money = self._money(self._amount("amount_due" if failed else "amount_paid"))
            money |= {key: data[key] for key in ("invoice", "invoice_number", "invoice_reference")}
            money["reference"] = _payment_of(item) or money["reference"]
            if item.get("paid_out_of_band") is True:
                money["method"] = "out of band"
            name = "payment.failed" if failed else "payment.received"
            events.append(replace(self._paid(name, _of_invoice, money), key=f"{self._key}:payment"))
        return events

    def _session(self) -> Event:
        item = self._item
        if self._settings.payments != "invoices_and_checkout":
            return self._unsupported(f"{self._kind}: its PaymentIntent tells of the payment")
        if text(item.get("mode")) == "setup":
            return self._unsupported(f"{self._kind}: nothing was paid in it")
        if text(item.get("mode")) != "payment" or item.get("invoice"):
            return self._unsupported(f"{self._kind}: its invoice tells of the payment")
        if self._kind != _SESSION_FAILED and item.get("payment_status") != "paid":
            return self._unsupported(f"{self._kind}: not paid yet")
        money = self._money(self._amount("amount_total"))
        money["reference"] = _id(item.get("payment_intent")) or money["reference"]
        money["session"] = text(item.get("id"))
        name = "payment.failed" if self._kind == _SESSION_FAILED else "payment.received"
        return self._paid(name, _of_session, money)

    def _intent(self) -> Event:
        if self._settings.payments != "payment_intents":
            return self._unsupported(f"{self._kind}: its invoice or Checkout tells of the payment")
        name = _INTENTS[self._kind]
        money = self._money(self._amount("amount_received" if name == "payment.received" else "amount"))
        failure = self._item.get("last_payment_error")
        if isinstance(failure, dict):
            money["failure"] = text(failure.get("message")) or text(failure.get("code"))
        money["invoice"] = _id(self._item.get("invoice"))
        return self._paid(name, _of_intent, money)

    def _deleted(self) -> Event:
        return self._event("customer.deleted", _nobody, {"customer": text(self._item.get("id"))})

    def _refund(self) -> Event:
        """Tell of the part that was refunded now: Stripe gives the sum, and what it was before."""
        before = self._before.get("amount_refunded", 0)
        if not isinstance(before, int):
            raise MalformedError(f"data.previous_attributes.amount_refunded is {kind_of(before)}, no whole number")
        refunded = self._minor("amount_refunded")
        money = self._money(to_text(refunded - before, self._currency()))
        money |= {
            "reference": _id(self._item.get("payment_intent")) or money["reference"],
            "charge": text(self._item.get("id")),
            "refunded": to_text(refunded, self._currency()),
            "invoice": _id(self._item.get("invoice")),
        }
        captured = self._item.get("amount_captured")
        charged = self._amount("amount_captured" if isinstance(captured, int) else "amount")
        record = payment_record(money, "payment.refunded", self._at, charged=charged)
        return self._event("payment.refunded", _of_charge, money, record)

    def _subscription(self) -> dict[str, Any]:
        item = self._item
        return {
            "subscription": text(item.get("id")),
            "status": text(item.get("status")),
            "customer": _id(item.get("customer")),
            "metadata": _metadata(item),
        }

    # ------------------------------------------------------------------------------------------------- amounts

    def _money(self, amount: str) -> dict[str, Any]:
        item = self._item
        return {
            "amount": amount,
            "currency": self._currency(),
            "reference": text(item.get("id")),
            "method": _method(item),
            "paid_on": self._at.date().isoformat() if self._at else "",
            "customer": _id(item.get("customer")),
            "metadata": _metadata(item),
        }

    def _currency(self) -> str:
        value = self._item.get("currency")
        if not isinstance(value, str) or not (len(value) == 3 and value.isascii() and value.isalpha()):
            raise MalformedError(f"data.object.currency is {kind_of(value)} that names no currency")
        return value.upper()

    def _minor(self, key: str) -> int:
        value = self._item.get(key)
        if not isinstance(value, int) or isinstance(value, bool) or abs(value) >= 10**15:
            raise MalformedError(f"data.object.{key} is {kind_of(value)}, not a whole number of minor units")
        return value

    def _amount(self, key: str) -> str:
        return to_text(self._minor(key), self._currency())


# ---------------------------------------------------------------------------------------------------- who it is about


def _nobody(_item: Item) -> Mapping[str, str]:
    return {}


def _of_invoice(item: Item) -> Mapping[str, str]:
    return {
        "email": text(item.get("customer_email")),
        "phone": text(item.get("customer_phone")),
        "name": text(item.get("customer_name")),
    }


def _of_session(item: Item) -> Mapping[str, str]:
    said = _object(item.get("customer_details"))
    return {
        "email": text(said.get("email")) or text(item.get("customer_email")),
        "phone": text(said.get("phone")),
        "name": text(said.get("name")),
    }


def _of_intent(item: Item) -> Mapping[str, str]:
    return {"email": text(item.get("receipt_email"))}


def _of_charge(item: Item) -> Mapping[str, str]:
    said = _object(item.get("billing_details"))
    return {
        "email": text(item.get("receipt_email")) or text(said.get("email")),
        "phone": text(said.get("phone")),
        "name": text(said.get("name")),
    }


def _of_customer(item: Item, at: datetime | None, settings: StripeSource) -> Submission | None:
    """Read a customer; None for one by which nobody can be recognised."""
    metadata = _metadata(item)
    email, phone, name = (text(item.get(key)) for key in ("email", "phone", "name"))
    if not email and not phone:
        return None
    return Submission(
        email=email,
        phone=phone,
        name=name,
        company=text(metadata.get("company")),
        custom={key: value for key, value in metadata.items() if key not in _OURS},
        occurred_at=at,
        connection=settings.connection,
        external_id=text(item.get("id")) if settings.connection else "",
    )


# ------------------------------------------------------------------------------------------------------ small parts


def _object(value: object) -> Item:
    return value if isinstance(value, dict) else {}


def _id(value: object) -> str:
    """Return the id of another object, which may stand there whole."""
    return text(value.get("id")) if isinstance(value, dict) else text(value)


def _metadata(item: Item) -> dict[str, str]:
    pairs = list(_object(item.get("metadata")).items())[:MOST_METADATA]
    return {key: value for key, value in ((key, text(value)) for key, value in pairs) if value}


def _method(item: Item) -> str:
    """Return how it was paid, where the object says one way."""
    details = _object(item.get("payment_method_details"))
    types = item.get("payment_method_types")
    several = types if isinstance(types, list) else []
    return text(details.get("type")) or (text(several[0]) if len(several) == 1 else "")


def _payment_of(invoice: Item) -> str:
    """Return the payment's id: since 2025 it stands in a list of payments."""
    for key in ("payment_intent", "charge"):
        if found := _id(invoice.get(key)):
            return found
    listed = _object(invoice.get("payments")).get("data")
    for each in listed if isinstance(listed, list) else ():
        payment = _object(_object(each).get("payment"))
        if found := _id(payment.get("payment_intent")) or _id(payment.get("charge")):
            return found
    return ""


def _subscription_of(invoice: Item) -> str:
    details = _object(_object(invoice.get("parent")).get("subscription_details"))
    return _id(invoice.get("subscription")) or _id(details.get("subscription"))
