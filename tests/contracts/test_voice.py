"""Every answer of the AI callers' simulators keeps the vendor's contract, and what is wrong is seen to be."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from mainstay.sandbox import Sandbox, SandboxProcess
from tests.contracts.vendor_specs import specs_folder, validate_recorded, validate_request, validate_response
from tests.sandbox.wire import Answer, call

KEY = {"Authorization": "Bearer key-1"}
JSON = {"Content-Type": "application/json"}
TO = "+13125550147"
VAPI = {
    "assistantId": "5b0a4a08-133c-4146-9315-0984f8c6be80",
    "phoneNumberId": "42b4b25d-031e-4786-857f-63b346c9580f",
    "customer": {"number": TO, "name": "Zoë 李"},
    "name": "mark",
    "assistantOverrides": {"variableValues": {"a": "ß 👍"}, "metadata": {"mainstay_key": "mark"}},
}
RETELL = {"from_number": "+13125550100", "to_number": TO, "metadata": {"mainstay_key": "mark"}}
BLAND = {"phone_number": TO, "task": "Ask.", "metadata": {"mainstay_key": "mark"}, "max_duration": 5}
OUTCOMES = {
    "vapi": (
        "customer-ended-call", "voicemail", "customer-did-not-answer", "customer-busy", "twilio-failed-to-connect-call",
    ),
    "retell": ("user_hangup", "voicemail_reached", "dial_no_answer", "dial_busy", "dial_failed"),
    "bland": ("human", "voicemail", "no-answer", "busy", "failed"),
}  # fmt: skip


@pytest.fixture(scope="module")
def process() -> Iterator[SandboxProcess]:
    specs_folder()
    with SandboxProcess() as running:
        yield running


@pytest.fixture
def sandbox(process: SandboxProcess) -> Iterator[Sandbox]:
    process.sandbox.reset()
    yield process.sandbox
    for record in process.sandbox.requests():
        if record["status"] < 400 and '"status":"error"' not in record["answer"]["body"]:
            validate_recorded(record)
        else:
            sent = {"content-type": record["answer"]["content_type"]}
            url, body = record["url"], record["answer"]["body"]
            validate_response(record["vendor"], record["method"], url, record["status"], sent, body)


def ask(sandbox: Sandbox, vendor: str, method: str, path: str, body: Any = None) -> Answer:
    return call(method, f"{sandbox.url(vendor)}{path}", body, KEY | JSON)


@pytest.mark.parametrize("outcome", [*OUTCOMES["vapi"], None])
def test_vapi(sandbox: Sandbox, outcome: str | None) -> None:
    sandbox.configure("vapi", outcomes={TO: outcome} if outcome else {}, numbers=[VAPI["phoneNumberId"]])
    made = ask(sandbox, "vapi", "POST", "/call", VAPI)
    path = f"/call/{made.json()['id']}"
    answers = [
        made,
        ask(sandbox, "vapi", "GET", path),
        ask(sandbox, "vapi", "GET", "/call?limit=5&createdAtGe=2026-01-01T00:00:00.000Z"),
    ]
    answers += [ask(sandbox, "vapi", "GET", "/phone-number?limit=10")]
    assert [each.status for each in answers] == [201, 200, 200, 200]
    stopped = call("POST", made.json()["monitor"]["controlUrl"], {"type": "end-call"})
    assert stopped.status == (404 if outcome else 200)
    assert ask(sandbox, "vapi", "GET", path).json()["status"] == "ended"
    bad: list[Any] = [{}, {"assistantId": "x"}, VAPI | {"customer": {"number": "1"}}, VAPI | {"phoneNumberId": "other"}]
    assert [ask(sandbox, "vapi", "POST", "/call", body).status for body in bad] == [400] * 4
    assert ask(sandbox, "vapi", "GET", "/call/7420f27a-30fd-4f49-a995-5549ae7cc00d").status == 404
    sandbox.configure("vapi", tokens=[])
    assert ask(sandbox, "vapi", "GET", path).status == 401


@pytest.mark.parametrize("outcome", [*OUTCOMES["retell"], None])
def test_retell(sandbox: Sandbox, outcome: str | None) -> None:
    sandbox.configure("retell", outcomes={TO: outcome} if outcome else {}, numbers=[RETELL["from_number"]])
    made = ask(sandbox, "retell", "POST", "/v2/create-phone-call", RETELL)
    other = ask(sandbox, "retell", "POST", "/v2/create-phone-call", RETELL | {"override_agent_id": "agent_1"})
    call_id = made.json()["call_id"]
    query = {"filter_criteria": {"to_number": {"type": "string", "op": "eq", "value": TO}}, "limit": 1}
    first = ask(sandbox, "retell", "POST", "/v3/list-calls", query)
    second = ask(
        sandbox, "retell", "POST", "/v3/list-calls", query | {"pagination_key": first.json()["pagination_key"]}
    )
    assert [each["call_id"] for page in (first, second) for each in page.json()["items"]] == [
        other.json()["call_id"],
        call_id,
    ]
    assert (first.json()["has_more"], second.json()["has_more"]) == (True, False)
    assert ask(sandbox, "retell", "GET", f"/v2/get-call/{call_id}").status == 200
    assert ask(sandbox, "retell", "GET", "/list-phone-numbers").json()[0]["phone_number"] == RETELL["from_number"]
    assert ask(sandbox, "retell", "POST", f"/v2/stop-call/{call_id}").status == (400 if outcome else 204)
    assert ask(sandbox, "retell", "GET", f"/v2/get-call/{call_id}").status == 200
    assert ask(sandbox, "retell", "GET", "/v2/get-call/call_0").status == 422
    bad: list[Any] = [{}, RETELL | {"to_number": "1"}, RETELL | {"from_number": "+13125550199"}]
    assert [ask(sandbox, "retell", "POST", "/v2/create-phone-call", body).status for body in bad] == [400, 400, 422]
    sandbox.configure("retell", has_credit=False)
    assert ask(sandbox, "retell", "POST", "/v2/create-phone-call", RETELL).status == 402
    sandbox.configure("retell", tokens=[])
    assert ask(sandbox, "retell", "GET", "/list-phone-numbers").status == 401


@pytest.mark.parametrize("outcome", [*OUTCOMES["bland"], None])
def test_bland(sandbox: Sandbox, outcome: str | None) -> None:
    sandbox.configure("bland", outcomes={TO: outcome} if outcome else {})
    made = ask(sandbox, "bland", "POST", "/v1/calls", BLAND)
    path = f"/v1/calls/{made.json()['call_id']}"
    assert [made.status, ask(sandbox, "bland", "GET", path).status] == [200, 200]
    assert ask(sandbox, "bland", "GET", "/v1/calls?from=0&to=10&limit=10&ascending=false").json()["count"] == 1
    assert ask(sandbox, "bland", "GET", "/v1/calls?from=1&to=10&limit=10&ascending=false").json()["count"] == 0
    assert ask(sandbox, "bland", "POST", f"{path}/stop").status == (400 if outcome else 200)
    assert ask(sandbox, "bland", "GET", path).json()["completed"] is True
    assert ask(sandbox, "bland", "GET", "/v1/calls/none").status == 404
    bad: list[Any] = [{}, BLAND | {"phone_number": "1"}, {"phone_number": TO}]
    assert [ask(sandbox, "bland", "POST", "/v1/calls", body).status for body in bad] == [400] * 3
    sandbox.configure("bland", refuses_politely=True)
    assert ask(sandbox, "bland", "POST", "/v1/calls", {}).json()["status"] == "error"
    sandbox.configure("bland", tokens=[])
    assert ask(sandbox, "bland", "GET", path).status == 401


@pytest.mark.parametrize("vendor", ["vapi", "retell", "bland"])
@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 423, 429, 500, 502, 503, 504])
def test_a_refusal_on_demand_has_the_vendors_form(sandbox: Sandbox, vendor: str, status: int) -> None:
    sandbox.set_fault(vendor, "status", status=status, retry_after=3)
    path = {"vapi": "/call", "retell": "/v2/create-phone-call", "bland": "/v1/calls"}[vendor]
    answer = ask(sandbox, vendor, "POST", path, {"vapi": VAPI, "retell": RETELL, "bland": BLAND}[vendor])
    assert (answer.status, answer.headers["Retry-After"]) == (status, "3")
    assert sandbox.effects(vendor) == []


@pytest.mark.parametrize(
    ("vendor", "method", "path", "body"),
    [
        ("vapi", "POST", "/call", VAPI | {"metadata": {}}),
        ("vapi", "POST", "/call", VAPI | {"name": "x" * 41}),
        ("vapi", "POST", "/call", VAPI | {"customer": {"number": 5}}),
        ("vapi", "GET", "/call?createdSince=1", None),
        ("vapi", "POST", "/7420f27a-30fd-4f49-a995-5549ae7cc00d/control", {"type": "say"}),
        ("retell", "POST", "/v2/create-phone-call", {"to_number": TO}),
        ("retell", "POST", "/v2/create-phone-call", RETELL | {"agent": "x"}),
        ("retell", "POST", "/v3/list-calls", {"limit": 1001}),
        ("retell", "POST", "/v3/list-calls", {"filter_criteria": {"to_number": TO}}),
        ("bland", "POST", "/v1/calls", {"phone_number": TO}),
        ("bland", "POST", "/v1/calls", BLAND | {"pathway_id": "x"}),
        ("bland", "POST", "/v1/calls", BLAND | {"idempotency_key": "x"}),
        ("bland", "GET", "/v1/calls?since=1", None),
        ("bland", "POST", "/v2/calls", BLAND),
    ],
)
def test_a_request_that_breaks_the_contract_is_seen(vendor: str, method: str, path: str, body: Any) -> None:
    specs_folder()
    with pytest.raises(AssertionError):
        validate_request(vendor, method, f"https://vendor.example{path}", KEY | JSON, body)
