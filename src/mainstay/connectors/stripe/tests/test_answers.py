"""Stripe's errors, and answers of any shape."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mainstay.errors import VendorError
from mainstay.kit import (
    InvoiceState,
    Pushed,
    TransientError,
)
from tests.connectors.stripe_billing import (
    CUSTOMER,
    FOUND_NONE,
    KEY,
    NONE,
    OPEN,
    SARAH,
    ask,
    order,
    process,
    sandbox,
    vendor,
)
from tests.contracts.vendor_specs import validate_response
from tests.kit.recorder import Recorder

__all__ = ["process", "sandbox", "vendor"]


def error(kind: str, code: str = "", message: str = "why", **more: Any) -> dict[str, Any]:
    body = {"type": kind, "message": message, **({"code": code} if code else {}), **more}
    return {"error": body}


@pytest.mark.parametrize(
    ("status", "body", "fate", "mend"),
    [
        (400, error("invalid_request_error", "parameter_missing"), "permanent", "why"),
        (400, error("invalid_request_error", "email_invalid"), "permanent", "correct the contact's e-mail"),
        (400, error("invalid_request_error", "amount_too_small"), "permanent", "half a dollar"),
        (400, error("invalid_request_error", "testmode_charges_only"), "human", "activation"),
        (400, error("invalid_request_error", "lock_timeout"), "transient", "why"),
        (401, error("invalid_request_error"), "human", "restricted key"),
        (401, error("invalid_request_error", "api_key_expired"), "human", "restricted key"),
        (402, error("card_error", "card_declined", decline_code="insufficient_funds"), "permanent", "card_declined"),
        (402, error("invalid_request_error"), "human", "Dashboard"),
        (403, error("invalid_request_error", "more_permissions_required"), "human", "give the key this permission"),
        (403, error("invalid_request_error"), "human", "give the key this permission"),
        (404, error("invalid_request_error"), "permanent", "why"),
        (
            404,
            error(
                "invalid_request_error",
                "resource_missing",
                "No such invoice: 'in_1'; a similar object exists in live mode, but a test mode key was used",
            ),
            "human",
            "use the key of that mode",
        ),
        (409, error("idempotency_error", "idempotency_key_in_use"), "transient", "idempotency_key_in_use"),
        (409, error("invalid_request_error"), "transient", "why"),
        (429, error("invalid_request_error", "rate_limit"), "transient", "rate_limit"),
        (429, error("invalid_request_error", "lock_timeout"), "transient", "lock_timeout"),
        (500, error("api_error"), "transient", "why"),
        (503, error("api_error"), "transient", "why"),
        (400, {"error": None}, "permanent", "400"),
        (400, {"error": {"type": 5, "code": [], "message": {}}}, "permanent", "400"),
        (400, [], "permanent", "400"),
        (302, {}, "permanent", "302"),
    ],
)
async def test_errors(vendor: Recorder, status: int, body: Any, fate: str, mend: str) -> None:
    vendor.answer(body, status=status)
    with pytest.raises(VendorError) as caught:
        await ask(vendor.url, "fetch_invoice", "in_1")
    assert (caught.value.fate, caught.value.status) == (fate, status)
    assert mend in str(caught.value)
    assert KEY not in str(caught.value) + "".join(caught.value.__notes__)
    sent = {"Content-Type": "application/json"}
    if isinstance(body, dict) and isinstance((body.get("error") or {}).get("message"), str):
        validate_response("stripe", "GET", "/v1/invoices/in_1", status, sent, json.dumps(body))


async def test_stripes_word_that_a_repeat_helps_is_taken(vendor: Recorder) -> None:
    vendor.answer(error("invalid_request_error"), status=400, headers={"Stripe-Should-Retry": "true"})
    with pytest.raises(TransientError):
        await ask(vendor.url, "fetch_invoice", "in_1")


@pytest.mark.parametrize("status", [200, 201])
@pytest.mark.parametrize("body", [None, [], "text", {}, {"object": 5}, {"object_v2": "invoice"}])
async def test_an_answer_that_is_not_stripes_is_no_success(vendor: Recorder, body: Any, status: int) -> None:
    vendor.answer(json.dumps(body), status=status)
    with pytest.raises(TransientError, match="not one of Stripe's") as caught:
        await ask(vendor.url, "fetch_invoice", "in_1")
    assert caught.value.unsure


HOSTILE: list[Any] = [None, [], {}, "", 1.5, True, -1, 10**30, [None], ["x"], [{"id": 5}]]


@pytest.mark.parametrize("value", HOSTILE)
@pytest.mark.parametrize("key", sorted(OPEN))
async def test_an_invoice_of_wrong_types_is_a_clear_error(vendor: Recorder, key: str, value: Any) -> None:
    vendor.answer(OPEN | {key: value})
    try:
        found = await ask(vendor.url, "fetch_invoice", "in_1")
    except VendorError as problem:
        assert "Stripe" in str(problem) or "currency" in str(problem)  # noqa: PT017 - or it is read
    else:
        assert isinstance(found, InvoiceState)


@pytest.mark.parametrize("value", HOSTILE)
@pytest.mark.parametrize("key", ["data", "has_more", "object"])
@pytest.mark.parametrize("operation", ["push_customer", "create_invoice"])
async def test_a_list_of_wrong_types_is_a_clear_error(vendor: Recorder, operation: str, key: str, value: Any) -> None:
    arguments = {"push_customer": (SARAH, ""), "create_invoice": ("cus_1", order())}[operation]
    vendor.answer(NONE | {key: value})
    for _ in range(8):
        vendor.answer({"object": "x", "id": [], "data": value, "metadata": 5, "status": 1})
    with pytest.raises(VendorError):
        await ask(vendor.url, operation, *arguments)


@pytest.mark.parametrize("metadata", [None, [], "x", {"mainstay_contact": 5, "mainstay_reference": []}])
async def test_metadata_of_wrong_types_finds_nothing(vendor: Recorder, metadata: Any) -> None:
    vendor.answer(NONE | {"data": [CUSTOMER | {"metadata": metadata, "email": 5, "created": "x"}]})
    vendor.answer(FOUND_NONE)
    vendor.answer(CUSTOMER)
    assert await ask(vendor.url, "push_customer", SARAH, "") == Pushed("cus_1", created=True)
