"""What Salesforce answers, laid down by hand; and what stack.toml may say of an org."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from mainstay.connectors.salesforce import CONNECTOR
from mainstay.connectors.salesforce.crm import SalesforceCRM
from mainstay.connectors.salesforce.errors import classify_answer
from mainstay.connectors.salesforce.settings import SalesforceConnection, is_salesforce, oauth, record_url
from mainstay.connectors.salesforce.soql import quoted
from mainstay.connectors.salesforce.wire import http_settings
from mainstay.kit import Access, Http, NeedsHumanError, PermanentError, Response, TransientError
from mainstay.sandbox.vendors import salesforce_soql
from tests.connectors.crm_conformance import TOKEN, person
from tests.kit.recorder import Recorder

TAGS = "Mainstay_Tags__c"
ORG = "https://acme.my.salesforce.com"
APP = {"client_id": "key", "client_secret": "app-secret-1"}
MakeCRM = Callable[..., Any]


def connection(**more: Any) -> SalesforceConnection:
    return SalesforceConnection.model_validate({"connector": "salesforce"} | more)


@pytest.fixture
async def attempt(recorder: Recorder) -> AsyncIterator[MakeCRM]:
    async with aiohttp.ClientSession() as session:

        def make(**more: Any) -> SalesforceCRM:
            settings = connection(access_token=TOKEN, base_url=recorder.url, **more)
            return SalesforceCRM(settings, Http(session, http_settings(settings)))

        yield make


@pytest.mark.parametrize("allowed", [True, False])
async def test_a_rule_that_found_somebody_else_is_overridden_where_it_may_be(
    recorder: Recorder, attempt: MakeCRM, *, allowed: bool
) -> None:
    empty = {"totalSize": 0, "done": True, "records": []}
    recorder.answer(empty)
    # The rule stops it because of somebody that no query of ours finds.
    told = {"allowSave": allowed, "matchResults": []}
    problem = {"errorCode": "DUPLICATES_DETECTED", "message": "Use one of these records?", "duplicateResut": told}
    recorder.answer([problem], status=400)
    recorder.answer(empty)
    recorder.answer({"id": "003Hs0000000001AAA", "success": True, "errors": []}, status=201)

    if allowed:
        assert (await attempt().push_contact(person(phone=""), "")).created
        assert recorder.requests[-1].headers["sforce-duplicate-rule-header"] == "allowSave=true"
    else:
        with pytest.raises(PermanentError, match="a duplicate rule of the org blocks it"):
            await attempt().push_contact(person(phone=""), "")


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"records": None, "done": True},
        {"records": [{"Id": 5}], "done": True},
        {"records": [None], "done": True},
        {"records": [], "done": False},
        {"records": [], "done": False, "nextRecordsUrl": "https://evil.example/steal"},
        {"records": [], "done": False, "nextRecordsUrl": ["x"]},
        [],
        b'"text"',
        5,
    ],
)
async def test_an_answer_of_another_form_is_a_clear_error(recorder: Recorder, attempt: MakeCRM, answer: Any) -> None:
    recorder.answer(answer)

    with pytest.raises(TransientError, match=r"the answer (has no|names no|is not one)"):
        await attempt().fetch_contact("003Hs0000000001AAA")


@pytest.mark.parametrize("value", [None, 5, True, ["x"], {"a": 1}, "x" * 5000])
async def test_a_row_with_values_of_any_type_is_read(recorder: Recorder, attempt: MakeCRM, value: Any) -> None:
    names = ["FirstName", "LastName", "Email", "Phone", "MobilePhone", TAGS, "Account", "HasOptedOutOfEmail"]
    row = {"Id": "003Hs0000000001AAA"} | dict.fromkeys(names, value)
    recorder.answer({"records": [row], "done": True})

    read = await attempt().fetch_contact("003Hs0000000001AAA")

    assert read is not None
    assert all(
        isinstance(getattr(read, name), str) for name in ("email", "phone", "first_name", "last_name", "company")
    )


@pytest.mark.parametrize("body", [{}, {"id": None}, {"id": ["x"]}, {"id": "../../x", "success": True}])
async def test_a_create_without_an_id_is_unsure(recorder: Recorder, attempt: MakeCRM, body: Any) -> None:
    recorder.answer({"records": [], "done": True})
    recorder.answer(body, status=201)

    with pytest.raises(TransientError) as caught:
        await attempt().push_contact(person(phone=""), "")

    assert caught.value.unsure


async def test_an_ended_session_is_renewed_once_and_the_call_made_at_the_orgs_own_address(recorder: Recorder) -> None:
    recorder.answer([{"errorCode": "INVALID_SESSION_ID", "message": "Session expired or invalid"}], status=401)
    recorder.answer({"records": [], "done": True})
    settings = connection(**APP)
    refused: list[str] = []

    async def authorize(token: str) -> Access:
        refused.append(token)
        return Access(f"session-{len(refused)}", {"instance_url": recorder.url}, recorder.url)

    async with aiohttp.ClientSession() as session:
        http = Http(session, http_settings(settings))
        http.authorize = authorize
        assert await SalesforceCRM(settings, http).fetch_contact("003Hs0000000001AAA") is None

    assert refused == ["", "session-1"]
    assert [each.headers["authorization"] for each in recorder.requests] == ["Bearer session-1", "Bearer session-2"]


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ([{"Name": "Acme", "OrganizationType": "Enterprise Edition"}], "Acme (Enterprise Edition), 00DHs0000000001MAA"),
        ([{"Name": None, "IsSandbox": True}], "an org without a name (, a sandbox), 00DHs0000000001MAA"),
    ],
)
async def test_the_check_says_whose_org_it_is(recorder: Recorder, rows: list[dict[str, Any]], told: str) -> None:
    recorder.answer({"done": True, "records": [{"Id": "00DHs0000000001MAA"} | row for row in rows]})
    settings = connection(access_token=TOKEN, base_url=recorder.url)
    assert CONNECTOR.check is not None
    async with aiohttp.ClientSession() as session:
        assert await CONNECTOR.check(settings, Http(session, http_settings(settings))) == told


# -------------------------------------------------------------------------------------------------------- errors


@pytest.mark.parametrize(
    ("status", "code", "kind", "wait"),
    [
        (403, "REQUEST_LIMIT_EXCEEDED", TransientError, 900),
        (400, "UNABLE_TO_LOCK_ROW", TransientError, 2),
        (503, "SERVER_UNAVAILABLE", TransientError, 60),
        (500, "UNKNOWN_EXCEPTION", TransientError, None),
        (400, "QUERY_TIMEOUT", TransientError, 60),
        (401, "INVALID_SESSION_ID", NeedsHumanError, None),
        (403, "API_DISABLED_FOR_ORG", NeedsHumanError, None),
        (403, "INSUFFICIENT_ACCESS_OR_READONLY", NeedsHumanError, None),
        (403, "SOMETHING_NEW", NeedsHumanError, None),
        (400, "INVALID_FIELD", NeedsHumanError, None),
        (400, "REQUIRED_FIELD_MISSING", NeedsHumanError, None),
        (400, "STRING_TOO_LONG", PermanentError, None),
        (400, "FIELD_CUSTOM_VALIDATION_EXCEPTION", PermanentError, None),
        (400, "MALFORMED_QUERY", PermanentError, None),
        (404, "NOT_FOUND", PermanentError, None),
    ],
)
def test_each_code_has_its_fate(status: int, code: str, kind: type[Exception], wait: float | None) -> None:
    error = classify_answer(Response(status, {}, b"", [{"errorCode": code, "message": "why"}]))

    assert type(error) is kind
    assert getattr(error, "retry_after", None) == wait
    assert f"{code}: why" in str(error)


def test_too_many_calls_at_once_are_over_in_seconds() -> None:
    problem = {"errorCode": "REQUEST_LIMIT_EXCEEDED", "message": "ConcurrentRequests Limit exceeded."}
    error = classify_answer(Response(403, {}, b"", [problem]))
    assert isinstance(error, TransientError)
    assert error.retry_after == 5


@pytest.mark.parametrize("status", [200, 201, 300, 400, 401, 403, 404, 429, 500, 503])
@pytest.mark.parametrize(
    "data",
    [
        None,
        [],
        {},
        5,
        "x",
        [None],
        [5],
        [{}],
        [{"errorCode": 5}],
        [{"errorCode": "X", "message": ["a"], "fields": "LastName"}],
        [{"errorCode": "X", "message": None, "fields": [5, None, {"a": 1}]}],
        {"error": "invalid_grant", "error_description": "x"},
    ],
)
def test_an_error_of_any_form_is_judged(status: int, data: Any) -> None:
    error = classify_answer(Response(status, {}, b"", data))
    assert error is None or (status >= 300 or isinstance(error, TransientError))


# ------------------------------------------------------------------------------------------------------ settings


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({}, "give either access_token"),
        ({"access_token": "x"}, "access_token needs instance_url"),
        ({"access_token": "x", "instance_url": ORG, **APP}, "give either access_token"),
        ({"client_id": "key"}, "give either access_token"),
        ({"client_secret": "s", "access_token": "x", "instance_url": ORG}, "give either access_token"),
        (APP | {"grant": "client_credentials"}, "the org's own address alone"),
        (APP | {"login_url": "https://login.salesforce.com.evil.example"}, "is no address of Salesforce"),
        (APP | {"instance_url": "http://acme.my.salesforce.com"}, "is no address of Salesforce"),
        (APP | {"tag_field": "Tags__c, Id"}, "is no API name of a field"),
        (APP | {"fields": {"job": "Job type"}}, "is no API name of a field"),
        (APP | {"opt_out_fields": ["x'"]}, "is no API name of a field"),
        (APP | {"account_id": "../x"}, "account_id"),
        (APP | {"record": "account"}, "record"),
        (APP | {"placeholder": ""}, "placeholder"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        connection(**settings)


@pytest.mark.parametrize(
    ("address", "good"),
    [
        (ORG, True),
        (f"{ORG}/", True),
        ("https://acme--dev.sandbox.my.salesforce.com", True),
        ("https://acme.my.salesforce.mil", True),
        ("http://acme.my.salesforce.com", False),
        ("https://acme.my.salesforce.com:8443", False),
        ("https://evil.example", False),
        ("https://evil.example/.salesforce.com", False),
        ("https://evil.example#.salesforce.com", False),
        ("https://evil.example\\.salesforce.com", False),
        ("https://acme.my.salesforce.com@evil.example", False),
        ("https://x@acme.my.salesforce.com", False),
        ("https://evilsalesforce.com", False),
        ("https://salesforce.com.evil.example", False),
        ("https://[::1", False),
        ("https://x.salesforce.com:99999999", False),
        ("ftp://acme.my.salesforce.com", False),
        ("", False),
    ],
)
def test_a_token_goes_to_salesforce_alone(address: str, *, good: bool) -> None:
    assert is_salesforce(address) is good
    declared = oauth(connection(**APP))
    assert declared is not None
    if good:
        facts = declared.facts({"instance_url": address}, {})
        assert declared.base_url(facts) == address.rstrip("/")
        return
    with pytest.raises(NeedsHumanError, match="none of Salesforce's"):
        declared.facts({"instance_url": address}, {})
    with pytest.raises(NeedsHumanError, match="none of Salesforce's"):
        declared.base_url({"instance_url": address})


def test_the_sandboxs_own_host_is_taken() -> None:
    declared = oauth(connection(**APP, login_url="http://127.0.0.1:4010/salesforce"))
    assert declared is not None
    assert declared.token_url == "http://127.0.0.1:4010/salesforce/services/oauth2/token"
    facts = declared.facts({"instance_url": "http://127.0.0.1:4010/salesforce"}, {})
    assert declared.base_url(facts) == "http://127.0.0.1:4010/salesforce"


def test_oauth_by_a_person_and_without_one() -> None:
    person_s = oauth(connection(**APP))
    alone = oauth(connection(**APP, grant="client_credentials", login_url=ORG))
    assert person_s is not None
    assert alone is not None
    assert (person_s.uses_pkce, person_s.scopes) == (True, ("api", "refresh_token"))
    assert (alone.authorize_url, alone.grant) == ("", "client_credentials")
    assert oauth(connection(access_token="x", instance_url=ORG)) is None
    assert "app-secret-1" not in f"{person_s!r} {connection(**APP)!r}"
    assert "Authorization" not in http_settings(connection(**APP)).headers


@pytest.mark.parametrize(
    ("settings", "url"),
    [
        ({"access_token": "x", "instance_url": ORG}, f"{ORG}/lightning/r/Contact/003/view"),
        ({"access_token": "x", "instance_url": ORG, "record": "lead"}, f"{ORG}/lightning/r/Lead/003/view"),
        (APP | {"login_url": ORG}, f"{ORG}/lightning/r/Contact/003/view"),
        (APP, ""),
    ],
)
def test_the_link_to_a_record(settings: dict[str, Any], url: str) -> None:
    assert record_url(connection(**settings), "003") == url
    assert CONNECTOR.record_url is record_url


@given(st.text(max_size=60))
def test_a_text_of_any_kind_stays_one_literal(value: str) -> None:
    query = salesforce_soql.parse(f"SELECT Id FROM Contact WHERE Email = {quoted(value)} LIMIT 7")  # noqa: S608 that is what is tried
    kept = "".join(c for c in value if c >= " " or c in "\t\n\r").replace("\x7f", "")

    assert query.limit == 7
    assert query.names == {"Id", "Email"}
    assert query.run([{"Email": kept}, {"Email": f"{kept}x"}]) == ([{"Email": kept}] if kept else [])
