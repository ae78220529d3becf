from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import pytest

from mainstay.sandbox import Sandbox, SandboxError
from mainstay.sandbox.vendors import sender
from mainstay.sandbox.vendors.stripe_events import sender as stripes_sender
from tests.sandbox.wire import Answer, call

HEADERS = {"Authorization": "Bearer rk_test_1", "Content-Type": "application/x-www-form-urlencoded"}
SARAH = {"email": "sarah@example.com", "name": "Sarah"}
DUE = {"collection_method": "send_invoice", "days_until_due": "30"}


def ask(sandbox: Sandbox, method: str, path: str, key: str = "", /, **form: str) -> Answer:
    headers = HEADERS | ({"Idempotency-Key": key} if key else {})
    return call(
        method, f"{sandbox.url('stripe')}{path}", urlencode(form).encode() if method == "POST" else None, headers
    )


def made(sandbox: Sandbox, path: str, **form: str) -> Any:
    answer = ask(sandbox, "POST", path, **form)
    assert answer.status == 200, answer.body
    return answer.json()


def effects(sandbox: Sandbox) -> list[str]:
    return [effect["kind"] for effect in sandbox.effects("stripe")]


def test_a_key_gives_its_first_answer_again_and_does_nothing(sandbox: Sandbox) -> None:
    first = ask(sandbox, "POST", "/v1/customers", "k", **SARAH)
    again = ask(sandbox, "POST", "/v1/customers", "k", **SARAH)
    assert (again.status, again.json()) == (200, first.json())
    assert "Idempotent-Replayed" not in first.headers
    assert again.headers["Idempotent-Replayed"] == "true"
    other = ask(sandbox, "POST", "/v1/customers", "k", email="other@example.com")
    assert (other.status, other.json()["error"]["type"]) == (400, "idempotency_error")
    assert effects(sandbox) == ["customer.created"]
    assert sandbox.effects("stripe")[0]["correlation"] == {"Idempotency-Key": "k"}


def test_keys_are_forgotten(sandbox: Sandbox) -> None:
    sandbox.configure("stripe", key_ms=0)
    for _ in range(2):
        ask(sandbox, "POST", "/v1/customers", "k", **SARAH)
    assert effects(sandbox) == ["customer.created"] * 2


def test_a_call_that_was_refused_leaves_its_key_free(sandbox: Sandbox) -> None:
    assert ask(sandbox, "POST", "/v1/customers", "k", email="x").json()["error"]["code"] == "email_invalid"
    assert ask(sandbox, "POST", "/v1/customers", "k", **SARAH).status == 200


@pytest.mark.parametrize(("breaks", "count"), [("before", 0), ("after", 1)])
def test_a_500_is_kept_for_its_key(sandbox: Sandbox, breaks: str, count: int) -> None:
    sandbox.configure("stripe", breaks=breaks)
    statuses = [ask(sandbox, "POST", "/v1/customers", "k", **SARAH) for _ in range(2)]
    assert [(each.status, each.headers.get("Idempotent-Replayed")) for each in statuses] == [(500, None), (500, "true")]
    assert len(effects(sandbox)) == count
    assert ask(sandbox, "POST", "/v1/customers", "k2", **SARAH).status == 200


def test_a_key_in_use(sandbox: Sandbox) -> None:
    sandbox.configure("stripe", in_use=1)
    assert [ask(sandbox, "POST", "/v1/customers", "k", **SARAH).status for _ in range(2)] == [409, 200]


def test_lists_go_by_page_the_newest_first(sandbox: Sandbox) -> None:
    ids = [made(sandbox, "/v1/customers", email=f"{number}@example.com")["id"] for number in range(5)][::-1]
    seen: list[str] = []
    after = ""
    while True:
        page = ask(sandbox, "GET", "/v1/customers?limit=2" + (f"&starting_after={after}" if after else "")).json()
        seen += [each["id"] for each in page["data"]]
        if not page["has_more"]:
            break
        after = seen[-1]
    assert seen == ids
    assert ask(sandbox, "GET", "/v1/customers?starting_after=cus_none").status == 400


def test_the_list_by_email_is_exact_and_the_search_is_not(sandbox: Sandbox) -> None:
    made(sandbox, "/v1/customers", **SARAH, **{"metadata[mainstay_contact]": "1"})

    def found(query: str) -> int:
        return len(ask(sandbox, "GET", f"/v1/customers/search?{urlencode({'query': query})}").json()["data"])

    assert len(ask(sandbox, "GET", "/v1/customers?email=sarah%40example.com").json()["data"]) == 1
    assert len(ask(sandbox, "GET", "/v1/customers?email=Sarah%40example.com").json()["data"]) == 0
    assert found('email:"SARAH@example.com"') == 1
    assert found('metadata["mainstay_contact"]:"1" OR email:"x@example.com"') == 1
    assert found('metadata["mainstay_contact"]:"1" AND email:"x@example.com"') == 0
    assert ask(sandbox, "GET", "/v1/customers/search?query=sarah").status == 400
    sandbox.configure("stripe", search_lag_ms=60_000)
    made(sandbox, "/v1/customers", email="late@example.com")
    assert found('email:"late@example.com"') == 0
    sandbox.configure("stripe", has_search=False)
    assert ask(sandbox, "GET", "/v1/customers/search?query=x").status == 400


def test_metadata_is_merged(sandbox: Sandbox) -> None:
    customer = made(sandbox, "/v1/customers", **{"metadata[a]": "1", "metadata[b]": "2"})["id"]
    changed = made(sandbox, f"/v1/customers/{customer}", **{"metadata[b]": "", "metadata[c]": "3"})
    assert changed["metadata"] == {"a": "1", "c": "3"}
    assert made(sandbox, f"/v1/customers/{customer}", metadata="")["metadata"] == {}


def invoiced(sandbox: Sandbox, *amounts: str) -> str:
    customer = made(sandbox, "/v1/customers", **SARAH)["id"]
    invoice = str(made(sandbox, "/v1/invoices", customer=customer, **DUE)["id"])
    for amount in amounts:
        made(sandbox, "/v1/invoiceitems", customer=customer, invoice=invoice, amount=amount, currency="usd")
    return invoice


def test_an_invoices_life(sandbox: Sandbox) -> None:
    invoice = invoiced(sandbox, "12050", "-2050")
    open_ = made(sandbox, f"/v1/invoices/{invoice}/finalize")
    assert (open_["status"], open_["total"], open_["amount_due"]) == ("open", 10000, 10000)
    assert open_["number"].endswith("-0001")
    assert open_["hosted_invoice_url"]
    assert ask(sandbox, "POST", f"/v1/invoices/{invoice}/finalize").status == 400
    assert sandbox.seed("stripe", "payments", [{"invoice": invoice}]) == 1
    paid = ask(sandbox, "GET", f"/v1/invoices/{invoice}").json()
    assert (paid["status"], paid["amount_paid"], paid["payment_intent"][:3]) == ("paid", 10000, "pi_")
    assert ask(sandbox, "POST", f"/v1/invoices/{invoice}/void").status == 400
    told = [event["type"] for event in sandbox.state("stripe")["events"]]
    assert told[-3:] == ["invoice.finalized", "payment_intent.succeeded", "invoice.paid"]


@pytest.mark.parametrize(
    ("path", "form", "why"),
    [
        ("/v1/invoices", {"customer": "cus_none"}, "No such customer"),
        ("/v1/invoices", DUE | {"customer": "{nameless}"}, "Missing email"),
        (
            "/v1/invoices",
            {"customer": "{customer}", "collection_method": "send_invoice"},
            "you must specify 'due_date'",
        ),
        ("/v1/invoices", DUE | {"customer": "{customer}", "due_date": "1"}, "you must specify 'due_date'"),
        (
            "/v1/invoices",
            {"customer": "{customer}", "collection_method": "send_invoice", "due_date": "1"},
            "the future",
        ),
        ("/v1/invoices", {"customer": "{customer}", "days_until_due": "x"}, "Invalid integer"),
        ("/v1/invoices", {"customer": "{customer}", "curency": "usd"}, "unknown parameter: curency"),
        ("/v1/invoiceitems", {"customer": "{customer}", "invoice": "in_none"}, "No such invoice"),
    ],
)
def test_what_stripe_refuses(sandbox: Sandbox, path: str, form: dict[str, str], why: str) -> None:
    names = {
        "customer": made(sandbox, "/v1/customers", **SARAH)["id"],
        "nameless": made(sandbox, "/v1/customers")["id"],
    }
    answer = ask(sandbox, "POST", path, **{key: value.format(**names) for key, value in form.items()})
    assert answer.status == 400
    assert why in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    ("form", "why"),
    [
        ({}, "Specify either"),
        ({"amount": "1", "unit_amount_decimal": "1"}, "Specify either"),
        ({"amount": "1", "currency": "eur"}, "currency"),
    ],
)
def test_items_that_stripe_refuses(sandbox: Sandbox, form: dict[str, str], why: str) -> None:
    invoice = invoiced(sandbox)
    customer = ask(sandbox, "GET", f"/v1/invoices/{invoice}").json()["customer"]
    answer = ask(sandbox, "POST", "/v1/invoiceitems", customer=customer, invoice=invoice, **form)
    assert answer.status == 400
    assert why in answer.json()["error"]["message"]
    made(sandbox, f"/v1/invoices/{invoice}/finalize")
    late = ask(sandbox, "POST", "/v1/invoiceitems", customer=customer, invoice=invoice, amount="1")
    assert late.json()["error"]["code"] == "invoice_not_editable"


def test_keys_permissions_and_versions(sandbox: Sandbox) -> None:
    url = f"{sandbox.url('stripe')}/v1/customers"
    assert call("GET", url).status == 401
    assert call("GET", url, headers={"Authorization": "Bearer revoked"}).status == 401
    assert call("GET", url, headers=HEADERS | {"Stripe-Version": "2026-10-28.endive"}).status == 400
    sandbox.configure("stripe", refused=["/v1/customers"])
    refused = ask(sandbox, "GET", "/v1/customers")
    assert (refused.status, refused.json()["error"]["code"]) == (403, "more_permissions_required")
    assert ask(sandbox, "GET", "/v1/account").status == 200
    assert ask(sandbox, "GET", "/v1/nothing").status == 404
    assert ask(sandbox, "GET", "/v2/account").status == 404


def test_settings_and_seeds_that_are_none(sandbox: Sandbox) -> None:
    with pytest.raises(SandboxError, match="breaks is before"):
        sandbox.configure("stripe", breaks="sometimes")
    with pytest.raises(SandboxError, match="no payments to seed"):
        sandbox.seed("stripe", "payments", [{"invoice": "in_none"}])


def test_what_mainstay_send_posts_is_found_by_the_kind_of_source() -> None:
    assert sender("stripe") is stripes_sender
    assert [sender(kind) for kind in ("postmark", "nothing", "../stripe", "")] == [None] * 4
