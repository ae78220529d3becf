from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import pytest
from aiohttp import web
from hypothesis import HealthCheck, given
from hypothesis import settings as profile
from hypothesis import strategies as st

from mainstay.connectors.quickbooks.api import http_settings
from mainstay.errors import VendorError
from mainstay.kit import TransientError
from tests.connectors.accounting import SARAH, invoice, payment
from tests.connectors.quickbooks_accounting import CUSTOMER, INVOICE, TOKEN, ask, settings
from tests.kit.recorder import Recorder


def fault(code: str, text: str = "why", kind: str = "ValidationFault") -> dict[str, Any]:
    return {"Fault": {"Error": [{"Message": text, "Detail": "more of it", "code": code}], "type": kind}, "time": "x"}


@pytest.mark.parametrize("status", [None, 200])
@pytest.mark.parametrize(
    ("usual", "code", "fate"),
    [
        (400, "2010", "permanent"),
        (400, "2500", "permanent"),
        (400, "4000", "permanent"),
        (400, "5010", "permanent"),
        (400, "5020", "human"),
        (400, "6000", "permanent"),
        (400, "6140", "permanent"),
        (400, "6190", "human"),
        (400, "6210", "human"),
        (400, "99999", "permanent"),
        (401, "3200", "human"),
        (401, "003200", "human"),
        (403, "3100", "human"),
        (403, "120", "human"),
        (429, "003001", "transient"),
        (500, "10000", "transient"),
    ],
)
async def test_error_codes(vendor: Recorder, usual: int, code: str, fate: str, status: int | None) -> None:
    vendor.answer(fault(code), status=status or usual)
    with pytest.raises(VendorError, match="why; more of it") as caught:
        await ask(vendor.url, "fetch_invoice", "130")
    assert caught.value.fate == fate


@pytest.mark.parametrize(
    ("status", "body", "fate", "wait"),
    [
        (429, fault("3001", "ThrottleExceeded", "THROTTLE"), "transient", 60.0),
        (400, fault("", "message=ThrottleExceeded; errorCode=003001; statusCode=429"), "transient", 60.0),
        (429, "", "transient", 60.0),
        (
            401,
            {"fault": {"error": [{"message": "m", "detail": "d", "code": "3200"}], "type": "AUTHENTICATION"}},
            "human",
            None,
        ),
        (401, {"fault": {"error": [{"message": "m", "code": "1"}], "type": "AUTHENTICATION"}}, "human", None),
        (403, {"Fault": {"Error": []}}, "human", None),
        (400, {"Fault": {"Error": [], "type": "SystemFault"}}, "transient", None),
        (400, {"Fault": {"Error": "x", "type": 3}}, "permanent", None),
        (400, {"Fault": {"Error": [7, None]}}, "permanent", None),
        (400, {"Fault": "x"}, "permanent", None),
        (503, "<html>away</html>", "transient", None),
        (302, "", "permanent", None),
    ],
)
async def test_errors_of_other_forms(vendor: Recorder, status: int, body: Any, fate: str, wait: float | None) -> None:
    vendor.answer(body, status=status)
    with pytest.raises(VendorError) as caught:
        await ask(vendor.url, "fetch_invoice", "130")
    assert (caught.value.fate, caught.value.retry_after) == (fate, wait)


async def test_a_wait_that_intuit_names_goes_before_ours(vendor: Recorder) -> None:
    vendor.answer(fault("3001"), status=429, headers={"Retry-After": "7"})
    with pytest.raises(TransientError) as caught:
        await ask(vendor.url, "fetch_invoice", "130")
    assert caught.value.retry_after == 7


async def test_the_token_is_never_kept(vendor: Recorder) -> None:
    vendor.answer(fault("3200", f"bad {TOKEN}"), status=401)
    with pytest.raises(VendorError) as caught:
        await ask(vendor.url, "fetch_invoice", "130")
    kept = str(caught.value) + "".join(caught.value.__notes__) + repr(settings()) + repr(http_settings(settings()))
    assert TOKEN not in kept


@pytest.mark.parametrize(
    "body",
    [
        None,
        [],
        "text",
        {},
        {"Invoice": None},
        {"Invoice": []},
        {"Invoice": {}},
        {"Invoice": {"Id": 130}},
        {"Invoice": {"Id": "../x"}},
        {"Invoice": {"Id": "130"}},
        {"Invoice": INVOICE | {"TotalAmt": None}},
        {"Invoice": INVOICE | {"TotalAmt": True}},
        {"Invoice": INVOICE | {"Balance": "NaN"}},
        {"Invoice": INVOICE | {"Balance": {}}},
        {"Invoice": INVOICE | {"TotalAmt": 1e300}},
    ],
)
@pytest.mark.parametrize("operation", ["fetch_invoice", "void_invoice", "add_payment"])
async def test_an_answer_of_wrong_types_is_a_clear_error(vendor: Recorder, body: Any, operation: str) -> None:
    vendor.answer(json.dumps(body))
    with pytest.raises(TransientError, match="answer"):
        await ask(vendor.url, operation, "130", *([payment()] if operation == "add_payment" else []))


@pytest.mark.parametrize("found", [None, [], "x", {"Customer": {}}, {"Customer": [None]}, {"Customer": [{"Id": 5}]}])
async def test_a_query_of_wrong_types_is_a_clear_error(vendor: Recorder, found: Any) -> None:
    vendor.answer({"QueryResponse": found})
    with pytest.raises(TransientError, match="no list"):
        await ask(vendor.url, "push_customer", SARAH, "")


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=10)
    | st.sampled_from(["130", "0", "USD"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from([*INVOICE, *CUSTOMER, "value", "Address"]), inner, max_size=4)
    ),
    max_leaves=8,
)


@profile(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.fixed_dictionaries(dict.fromkeys([*INVOICE, *CUSTOMER, "PrimaryEmailAddr", "PrimaryPhone", "MetaData"], JSON))
)
async def test_whatever_a_record_holds_there_is_no_error_of_ours(vendor: Recorder, record: Mapping[str, Any]) -> None:
    whole = {**record, "Id": "130"}
    body = {
        "Invoice": whole,
        "Customer": whole,
        "QueryResponse": {"Customer": [whole], "Invoice": [whole], "Payment": [whole]},
    }

    async def always(_request: web.Request) -> web.StreamResponse:
        return web.json_response(
            body, dumps=lambda value: json.dumps(value).replace("NaN", "null").replace("Infinity", "1")
        )

    for _ in range(60):
        vendor.handle(always)
    for operation, arguments in (
        ("push_customer", (SARAH, "")),
        ("push_customer", (SARAH, "130")),
        ("fetch_invoice", ("130",)),
        ("create_invoice", ("130", invoice())),
        ("void_invoice", ("130",)),
        ("add_payment", ("130", payment())),
    ):
        with suppress(VendorError):
            await ask(vendor.url, operation, *arguments)
    vendor._answers.clear()
