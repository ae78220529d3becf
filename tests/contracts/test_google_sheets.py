"""The simulated Google Sheets answers as Google's document says, also what our connector never asks."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urlencode

import pytest

from mainstay.sandbox import Sandbox, SandboxProcess
from tests.contracts.vendor_specs import specs_folder, validate_request, validate_response
from tests.sandbox.wire import Answer, call

BOOK = "/v4/spreadsheets/1AbCdEfGhIjKlMnOpQrStUvWxYz0123456789"
HEADERS = {"Content-Type": "application/json", "Authorization": "Bearer ya29.test"}
TYPED = {"valueInputOption": "USER_ENTERED"}


@pytest.fixture(scope="module")
def process() -> Iterator[SandboxProcess]:
    specs_folder()
    with SandboxProcess() as running:
        yield running


@pytest.fixture
def sandbox(process: SandboxProcess) -> Sandbox:
    process.sandbox.reset()
    return process.sandbox


def ask(sandbox: Sandbox, method: str, path: str, body: Any = None, **query: Any) -> Answer:
    url = f"{sandbox.base_url}/google_sheets{BOOK}{path}" + (f"?{urlencode(query, doseq=True)}" if query else "")
    sent = None if body is None else json.dumps(body)
    validate_request("google_sheets", method, url, HEADERS, sent)
    answer = call(method, url, body, HEADERS)
    validate_response("google_sheets", method, url, answer.status, answer.headers, answer.body, HEADERS)
    return answer


def test_values(sandbox: Sandbox) -> None:
    place = quote("Sheet1!A1:C2")
    rows = [["=1+1", "007", "2026-01-31"], ["'=1", "+13125550147", "true"]]
    assert ask(sandbox, "PUT", f"/values/{place}", {"values": rows}, **TYPED).status == 200
    shown = ask(sandbox, "GET", f"/values/{place}").json()["values"]
    assert shown == [["2", "7", "2026-01-31"], ["=1", "13125550147", "TRUE"]]
    raw = {"valueRenderOption": "UNFORMATTED_VALUE"}
    assert ask(sandbox, "GET", f"/values/{place}", **raw).json()["values"][0] == [2, 7, 46053]
    ask(sandbox, "POST", f"/values/{place}:append", {"values": [["x"]]}, valueInputOption="RAW")
    assert ask(sandbox, "GET", "/values:batchGet", ranges=["Sheet1!A3", "Sheet1!A1:A"]).status == 200


@pytest.mark.parametrize(
    ("method", "path", "body", "query", "message"),
    [
        ("GET", "/values/Nowhere!A1", None, {}, "Unable to parse range"),
        ("GET", "/values/Sheet1!A1001", None, {}, "exceeds grid limits"),
        ("PUT", "/values/Sheet1!A1000:A1001", {"values": [["1"], ["2"]]}, TYPED, "exceeds grid limits"),
        ("PUT", "/values/Sheet1!A1", {"values": [["x" * 50_001]]}, TYPED, "more than the maximum of 50000"),
        ("PUT", "/values/Sheet1!A1", {"values": [["1"]]}, {}, "valueInputOption"),
        ("POST", ":batchUpdate", {"requests": []}, {}, "at least one request"),
        ("POST", ":batchUpdate", {"requests": [{"addSheet": {"properties": {"title": "Sheet1"}}}]}, {}, "already"),
    ],
)
def test_what_google_refuses(
    sandbox: Sandbox, method: str, path: str, body: Any, query: dict[str, Any], message: str
) -> None:
    answer = ask(sandbox, method, path, body, **query)
    assert answer.status == 400
    assert message in answer.json()["error"]["message"]


def test_a_change_is_whole_or_not_at_all(sandbox: Sandbox) -> None:
    good = {"addSheet": {"properties": {"title": "New"}}}
    bad = {"deleteDimension": {"range": {"sheetId": 0, "dimension": "ROWS", "startIndex": 0, "endIndex": 5000}}}
    assert ask(sandbox, "POST", ":batchUpdate", {"requests": [good, bad]}).status == 400
    assert len(ask(sandbox, "GET", "").json()["sheets"]) == 1
    huge = {"appendDimension": {"sheetId": 0, "dimension": "ROWS", "length": 400_000}}
    assert "10000000" in ask(sandbox, "POST", ":batchUpdate", {"requests": [huge]}).json()["error"]["message"]


def test_the_minutes_quota(sandbox: Sandbox) -> None:
    sandbox.configure("google_sheets", reads=2, writes=1)
    statuses = [ask(sandbox, "GET", "").status for _ in range(3)]
    add = [{"addSheet": {"properties": {"title": str(number)}}} for number in range(2)]
    writes = [ask(sandbox, "POST", ":batchUpdate", {"requests": [each]}) for each in add]
    assert statuses == [200, 200, 429]
    assert [answer.status for answer in writes] == [200, 429]
    assert writes[1].json()["error"]["status"] == "RESOURCE_EXHAUSTED"


def test_who_may_enter(sandbox: Sandbox) -> None:
    sandbox.configure("google_sheets", read_only=True)
    assert ask(sandbox, "GET", "").status == 200
    assert ask(sandbox, "POST", ":batchUpdate", {"requests": [{}]}).status == 403
    sandbox.configure("google_sheets", spreadsheets=["other"])
    assert ask(sandbox, "GET", "").status in {403, 404}
    sandbox.configure("google_sheets", tokens=["other"])
    assert ask(sandbox, "GET", "").status == 401
