from __future__ import annotations

from typing import Any

import pytest

from mainstay.connectors.quickbooks import CONNECTOR
from mainstay.connectors.quickbooks.accounting import record_url
from mainstay.connectors.quickbooks.api import Api, http_settings
from mainstay.kit import Access, Http, NeedsHumanError
from mainstay.kit.http import open_session
from mainstay.sandbox import SandboxProcess
from tests.connectors.quickbooks_accounting import INVOICE, REALM, ask, settings
from tests.kit.recorder import Recorder

NONE: dict[str, Any] = {"QueryResponse": {}}


async def test_the_check_names_the_company(books: SandboxProcess) -> None:
    url = books.sandbox.url("quickbooks")
    assert await ask(url, "check") == f"Acme Plumbing (company {REALM}) at QuickBooks"
    await books.aio.configure("quickbooks", realm_id="1")
    with pytest.raises(NeedsHumanError, match="connect the company again"):
        await ask(url, "check")


def test_the_declaration_of_oauth() -> None:
    assert CONNECTOR.oauth is not None
    assert CONNECTOR.oauth(settings()) is None
    keys: dict[str, Any] = {"access_token": None, "realm_id": None, "client_id": "app", "client_secret": "s"}
    oauth = CONNECTOR.oauth(settings(**keys))
    assert oauth is not None
    assert (oauth.authorize_url, oauth.token_url) == (
        "https://appcenter.intuit.com/connect/oauth2",
        "https://oauth.platform.intuit.com/oauth2/v1/tokens/bearer",
    )
    assert (oauth.grant, oauth.client_auth, oauth.scopes) == (
        "authorization_code", "basic", ("com.intuit.quickbooks.accounting",),
    )  # fmt: skip
    facts = oauth.facts({"token_type": "bearer"}, {"realmId": REALM, "code": "x"})
    assert facts == {"realm_id": REALM}
    assert oauth.base_url(facts) == f"https://quickbooks.api.intuit.com/v3/company/{REALM}"
    assert oauth.facts({}, {"realmId": "../1"}) == {"realm_id": ""}
    of_sandbox = CONNECTOR.oauth(settings(**keys, sandbox=True))
    assert of_sandbox is not None
    assert of_sandbox.base_url(facts) == f"https://sandbox-quickbooks.api.intuit.com/v3/company/{REALM}"
    assert "Authorization" not in http_settings(settings(**keys)).headers
    assert "s" in http_settings(settings(**keys)).secrets


async def test_an_oauth_connection_reaches_the_company_it_was_connected_to(vendor: Recorder) -> None:
    keys: dict[str, Any] = {"access_token": None, "realm_id": None, "client_id": "app", "client_secret": "s"}
    connection = settings(**keys, base_url=vendor.url)
    assert CONNECTOR.oauth is not None
    oauth = CONNECTOR.oauth(connection)
    assert oauth is not None
    facts = {"realm_id": REALM}

    async def authorize(_refused: str) -> Access:
        return Access("token-1", facts, oauth.base_url(facts))

    vendor.answer({"Invoice": INVOICE})
    async with open_session() as session:
        http = Http(session, http_settings(connection))
        http.authorize = authorize
        await Api(http).read("Invoice", "130")
    (request,) = vendor.requests
    assert (request.path, request.headers["authorization"]) == (f"/v3/company/{REALM}/invoice/130", "Bearer token-1")


@pytest.mark.parametrize(
    ("keys", "mend"),
    [
        ({"access_token": None}, "give either access_token, or client_id"),
        ({"access_token": None, "client_id": "x"}, "give either access_token, or client_id"),
        ({"client_id": "x", "client_secret": "y"}, "give either access_token, or client_id"),
        ({"realm_id": None}, "realm_id, the company's id"),
        ({"realm_id": "acme"}, "realm_id"),
        ({"access_token": None, "client_id": "x", "client_secret": "y"}, "realm_id, the company's id"),
        ({"deposit_account": "Bank"}, "deposit_account"),
        ({"colour": "x"}, "colour"),
    ],
)
def test_settings_say_what_is_wrong(keys: dict[str, Any], mend: str) -> None:
    with pytest.raises(ValueError, match=mend):
        settings(**keys)


def test_the_connector() -> None:
    assert CONNECTOR.account is not None
    assert CONNECTOR.account(settings()) == REALM
    assert [(rate.allowed, rate.seconds) for rate in CONNECTOR.rates(settings())] == [(10, 1.0), (500, 60.0)]
    assert record_url(settings(), "58") == "https://app.qbo.intuit.com/app/customerdetail?nameId=58"
    assert http_settings(settings()).base_url == f"https://quickbooks.api.intuit.com/v3/company/{REALM}"
