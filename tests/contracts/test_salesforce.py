"""Salesforce's simulator, and what its checks refuse."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urlencode

import pytest

from mainstay.sandbox import Sandbox, SandboxProcess
from tests.contracts.vendor_specs import specs_folder, validate_recorded, validate_request, validate_response
from tests.sandbox.wire import Answer, call

DATA = "/services/data/v64.0"
CONTACTS = f"{DATA}/sobjects/Contact"
TASKS = f"{DATA}/sobjects/Task"
TOKEN = "/services/oauth2/token"
HEADERS = {"Authorization": "Bearer session-1", "Content-Type": "application/json"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
APP = {"client_id": "key", "client_secret": "secret"}


@pytest.fixture(scope="module")
def process() -> Iterator[SandboxProcess]:
    specs_folder()
    with SandboxProcess() as running:
        yield running


@pytest.fixture
def sandbox(process: SandboxProcess) -> Iterator[Sandbox]:
    process.sandbox.reset()
    yield process.sandbox
    for record in process.sandbox.requests("salesforce"):
        validate_recorded(record)


def ask(sandbox: Sandbox, method: str, path: str, body: Any = None, **headers: str) -> Answer:
    return call(method, sandbox.url("salesforce") + path, body, HEADERS | headers)


def query(sandbox: Sandbox, soql: str, verb: str = "query") -> Answer:
    return ask(sandbox, "GET", f"{DATA}/{verb}?q={quote(soql)}")


def login(sandbox: Sandbox, **form: str) -> Answer:
    return call("POST", sandbox.url("salesforce") + TOKEN, urlencode(APP | form).encode(), FORM)


def test_every_kind_of_answer_keeps_what_is_known_of_the_contract(sandbox: Sandbox) -> None:
    sandbox.configure("salesforce", external_ids=["Key__c"], page=1)
    made = ask(sandbox, "POST", CONTACTS, {"LastName": "Johnson", "Email": "sarah@example.com"})
    record_id = made.json()["id"]
    assert (made.status, len(record_id)) == (201, 18)
    assert ask(sandbox, "PATCH", f"{CONTACTS}/{record_id}", {"FirstName": "Zoë 李"}).status == 204
    assert ask(sandbox, "PATCH", f"{CONTACTS}/Key__c/7", {"LastName": "Lee"}).json()["created"] is True
    assert ask(sandbox, "PATCH", f"{CONTACTS}/Key__c/7", {"LastName": "Li"}).json()["created"] is False
    ask(sandbox, "POST", CONTACTS, {"LastName": "Johnson", "Email": "SARAH@example.com"})
    assert len(ask(sandbox, "PATCH", f"{CONTACTS}/Email/sarah%40example.com", {"Title": "x"}).json()) == 2
    page = query(sandbox, "SELECT Id, LastName FROM Contact WHERE Email = 'sarah@example.com' ORDER BY Id").json()
    assert (page["totalSize"], page["done"], page["records"][0]["LastName"]) == (2, False, "Johnson")
    assert ask(sandbox, "GET", page["nextRecordsUrl"]).json()["done"] is True
    sosl = quote("FIND {3125550147} IN PHONE FIELDS RETURNING Contact(Id)")
    assert ask(sandbox, "GET", f"{DATA}/search?q={sosl}").json() == {"searchRecords": []}
    assert ask(sandbox, "DELETE", f"{CONTACTS}/{record_id}").status == 204
    assert query(sandbox, "SELECT Id FROM Contact WHERE IsDeleted = true", "queryAll").json()["totalSize"] == 1
    assert "api-usage=" in query(sandbox, "SELECT Id FROM Contact").headers["Sforce-Limit-Info"]


@pytest.mark.parametrize(
    ("soql", "code"),
    [
        ("SELECT Id FROM Contact WHERE Email = 'a' OR Email = 'b' AND Phone = 'c'", "MALFORMED_QUERY"),
        ("SELECT Id FROM Contact WHERE Email = 'o'brien'", "MALFORMED_QUERY"),
        ("SELECT Id FROM Contact WHERE", "MALFORMED_QUERY"),
        ("SELECT Id, Nope__c FROM Contact", "INVALID_FIELD"),
        ("SELECT Id FROM Nothing", "INVALID_TYPE"),
    ],
)
def test_a_query_that_salesforce_does_not_take(sandbox: Sandbox, soql: str, code: str) -> None:
    answer = query(sandbox, soql)
    assert (answer.status, answer.json()[0]["errorCode"]) == (400, code)


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"),
    [
        ("POST", CONTACTS, {"FirstName": "Sarah"}, 400, "REQUIRED_FIELD_MISSING"),
        ("POST", CONTACTS, {"LastName": "x" * 81}, 400, "STRING_TOO_LONG"),
        ("POST", CONTACTS, {"LastName": "J", "Email": "nobody"}, 400, "INVALID_EMAIL_ADDRESS"),
        ("POST", CONTACTS, {"LastName": "J", "Tags__c": "x"}, 400, "INVALID_FIELD"),
        ("POST", CONTACTS, {"LastName": 5}, 400, "JSON_PARSER_ERROR"),
        ("POST", CONTACTS, {"LastName": "J", "DoNotCall": "yes"}, 400, "JSON_PARSER_ERROR"),
        ("PATCH", f"{CONTACTS}/003Hs9999999999AAA", {"LastName": "J"}, 404, "NOT_FOUND"),
        ("PATCH", f"{CONTACTS}/Email/sarah%40acme.inc", {"LastName": "J"}, 404, "NOT_FOUND"),
        ("PATCH", f"{CONTACTS}/Nope__c/1", {"LastName": "J"}, 404, "NOT_FOUND"),
        ("POST", TASKS, {"Status": "x", "WhoId": "003Hs9999999999AAA"}, 400, "INVALID_CROSS_REFERENCE_KEY"),
    ],
)
def test_a_write_that_salesforce_does_not_take(
    sandbox: Sandbox, method: str, path: str, body: Any, status: int, code: str
) -> None:
    answer = ask(sandbox, method, path, body)
    assert (answer.status, answer.json()[0]["errorCode"]) == (status, code)
    assert [each["kind"] for each in sandbox.state("salesforce")["effects"]] == []


def test_a_refused_session_and_used_up_calls(sandbox: Sandbox) -> None:
    refused = ask(sandbox, "POST", CONTACTS, {"LastName": "J"}, Authorization="Bearer expired")
    assert (refused.status, refused.json()[0]["errorCode"]) == (401, "INVALID_SESSION_ID")
    sandbox.configure("salesforce", api_limit=1)
    query(sandbox, "SELECT Id FROM Contact")
    exhausted = query(sandbox, "SELECT Id FROM Contact")
    assert (exhausted.status, exhausted.json()[0]["errorCode"]) == (403, "REQUEST_LIMIT_EXCEEDED")
    assert "Retry-After" not in exhausted.headers


@pytest.mark.parametrize("status", [401, 403, 423, 429, 500, 503])
def test_status_faults_have_salesforces_shape(sandbox: Sandbox, status: int) -> None:
    sandbox.set_fault("salesforce", "status", status=status, retry_after=1)
    answer = query(sandbox, "SELECT Id FROM Contact")
    validate_response("salesforce", "GET", f"{DATA}/query", status, answer.headers, answer.body)
    assert (answer.status, answer.headers["Retry-After"]) == (status, "1")


def test_a_code_is_good_once_and_with_its_verifier_alone(sandbox: Sandbox) -> None:
    # RFC 7636, appendix B.
    challenge, verifier = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM", "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    back = "https://mainstay.example/oauth"
    asked = {
        "response_type": "code",
        "client_id": "key",
        "redirect_uri": back,
        "code_challenge": challenge,
        "state": "s",
    }

    def code() -> str:
        page = call("GET", f"{sandbox.url('salesforce')}/services/oauth2/authorize?{urlencode(asked)}", None, {})
        assert page.headers["Location"].startswith(f"{back}?code=")
        assert page.headers["Location"].endswith("&state=s")
        return page.headers["Location"].removeprefix(f"{back}?code=").removesuffix("&state=s")

    given = {"grant_type": "authorization_code", "redirect_uri": back}
    assert login(sandbox, **given, code=code(), code_verifier="wrong").json()["error"] == "invalid_grant"
    taken = code()
    first = login(sandbox, **given, code=taken, code_verifier=verifier).json()
    assert first["instance_url"] == sandbox.url("salesforce")
    assert "expires_in" not in first
    assert login(sandbox, **given, code=taken, code_verifier=verifier).status == 400

    sandbox.configure("salesforce", rotate_refresh_tokens=True)
    renew = {"grant_type": "refresh_token", "refresh_token": first["refresh_token"]}
    renewed = login(sandbox, **renew).json()
    assert renewed["refresh_token"] != first["refresh_token"]
    assert login(sandbox, **renew).json()["error"] == "invalid_grant"
    assert login(sandbox, grant_type="client_credentials").json()["access_token"]
    assert login(sandbox, grant_type="client_credentials", client_secret="wrong").json()["error"] == "invalid_client"


@pytest.mark.parametrize(
    ("method", "path", "body", "reason"),
    [
        ("POST", f"{DATA}/objects/Contact", {"LastName": "J"}, "no such operation"),
        ("GET", f"{DATA}/query?soql=x", None, "query .*soql.* not in the contract"),
        ("GET", f"{DATA}/query?q=x", None, "q is no SELECT"),
        ("POST", CONTACTS, [], "the body is one record"),
        ("POST", CONTACTS, {"Id": "003"}, "an id never stands in the body"),
        ("PATCH", f"{CONTACTS}/Email/a%40b.co", {"Email": "a@b.co"}, "an id never stands in the body"),
        ("POST", CONTACTS, {"Account": {"Name": "x"}}, "a record is flat"),
        ("POST", TOKEN, b"grant_type=password", "a token is asked for by a form"),
    ],
)
def test_a_request_outside_the_contract_is_refused(method: str, path: str, body: Any, reason: str) -> None:
    specs_folder()
    with pytest.raises(AssertionError, match=reason):
        validate_request("salesforce", method, path, HEADERS, body)


@pytest.mark.parametrize(
    ("path", "status", "body"),
    [
        (CONTACTS, 400, {"errorCode": "X", "message": "x"}),
        (CONTACTS, 400, [{"errorCode": "X"}]),
        (CONTACTS, 201, {"id": "003"}),
        (f"{DATA}/query", 200, {"records": [], "done": False, "totalSize": 0}),
        (CONTACTS, 300, {"id": "003"}),
    ],
)
def test_an_answer_outside_the_contract_is_refused(path: str, status: int, body: Any) -> None:
    specs_folder()
    with pytest.raises(AssertionError, match="salesforce"):
        validate_response("salesforce", "POST", path, status, {"Content-Type": "application/json"}, body)
