"""Events as Stripe posts them to an endpoint, signed."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import orjson

from mainstay.kit.secrets import plain
from mainstay.kit.signature import hmac_hex
from mainstay.sandbox.senders import Person, SignedRequest
from mainstay.sandbox.vendors import stripe_objects as objects


def signed(event: Mapping[str, Any], secret: str, at: datetime) -> SignedRequest:
    """Give an event (one of the simulator's ``state()["events"]``, say) as Stripe's endpoint sends it at ``at``."""
    body, stamp = orjson.dumps(event), str(int(at.timestamp()))
    signature = hmac_hex(secret, stamp.encode() + b"." + body)
    headers = {"Content-Type": "application/json; charset=utf-8", "Stripe-Signature": f"t={stamp},v1={signature}"}
    return SignedRequest(body, headers)


def customer_created(person: Person, secret: str, *, key: str, at: datetime) -> SignedRequest:
    """Give Stripe's ``customer.created``."""
    digest = hashlib.sha256(key.encode()).hexdigest()
    made = objects.customer(objects.New(f"cus_{digest[:14]}", int(at.timestamp())))
    made["email"], made["phone"] = person.get("email") or None, person.get("phone") or None
    names = (person.get("first_name", ""), person.get("last_name", ""))
    made["name"] = " ".join(name for name in names if name) or person.get("company") or None
    if made["name"] != person.get("company") and person.get("company"):
        made["metadata"] = {"company": person["company"]}
    new = objects.New(f"evt_{digest[:24]}", int(at.timestamp()))
    return signed(objects.event(new, "customer.created", made, ""), secret, at)


def sender(settings: Any, person: Person, *, key: str, at: datetime, url: str) -> SignedRequest:  # noqa: ARG001
    """Give what ``mainstay send`` posts to a source of this kind."""
    return customer_created(person, plain(settings.secret)[0], key=key, at=at)
