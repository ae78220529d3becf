"""What the simulated vendors' OAuth refuses."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest

from mainstay.sandbox import Sandbox, SandboxProcess
from tests.sandbox.wire import Answer, call

BACK = "http://localhost:8976/callback"
APP = {"client_id": "app", "client_secret": "s3cret"}


@pytest.fixture(scope="module")
def process() -> Iterator[SandboxProcess]:
    with SandboxProcess() as running:
        yield running


@pytest.fixture
def sandbox(process: SandboxProcess) -> Sandbox:
    process.sandbox.reset()
    return process.sandbox


def page(sandbox: Sandbox, **asked: str) -> Answer:
    query = urlencode({"response_type": "code", "client_id": "app", "redirect_uri": BACK, "state": "s"} | asked)
    return call("GET", f"{sandbox.url('gohighlevel')}/oauth/chooselocation?{query}", None, {})


def token(sandbox: Sandbox, **form: str) -> Answer:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    url = f"{sandbox.url('gohighlevel')}/oauth/token"
    return call("POST", url, urlencode(APP | form).encode(), headers)


def code_of(answer: Answer) -> str:
    assert answer.status == 302
    back = dict(parse_qsl(urlsplit(answer.headers["Location"]).query))
    assert back["state"] == "s"
    return back["code"]


def by_code(sandbox: Sandbox, code: str, **more: str) -> Answer:
    return token(sandbox, grant_type="authorization_code", code=code, redirect_uri=BACK, **more)


@pytest.mark.parametrize(
    "wrong", [{"client_id": ""}, {"redirect_uri": ""}, {"response_type": "token"}, {"code_challenge": "x"}]
)
def test_a_page_that_is_asked_wrongly_says_so(sandbox: Sandbox, wrong: dict[str, str]) -> None:
    assert page(sandbox, **wrong).status == 400


def test_a_code_is_good_once_for_its_client_and_address(sandbox: Sandbox) -> None:
    assert by_code(sandbox, code_of(page(sandbox))).status == 200
    code = code_of(page(sandbox))
    assert by_code(sandbox, code).status == 200
    assert by_code(sandbox, code).status == 400
    assert by_code(sandbox, code_of(page(sandbox)), client_id="other").status == 400
    elsewhere = code_of(page(sandbox, redirect_uri="http://localhost:1/callback"))
    assert by_code(sandbox, elsewhere).status == 400


def test_a_challenge_is_held_to(sandbox: Sandbox) -> None:
    challenge = {"code_challenge": "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM", "code_challenge_method": "S256"}
    verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"  # of RFC 7636, appendix B
    assert by_code(sandbox, code_of(page(sandbox, **challenge)), code_verifier=verifier).status == 200
    assert by_code(sandbox, code_of(page(sandbox, **challenge)), code_verifier="other").status == 400
    assert by_code(sandbox, code_of(page(sandbox, **challenge))).status == 400


def test_a_refresh_token_is_good_once_but_for_its_grace(sandbox: Sandbox) -> None:
    given = by_code(sandbox, code_of(page(sandbox))).json()
    first = {"grant_type": "refresh_token", "refresh_token": given["refresh_token"]}
    renewed = token(sandbox, **first)
    assert renewed.json()["refresh_token"] != given["refresh_token"]
    assert token(sandbox, **first).status == 400
    sandbox.configure("gohighlevel", refresh_grace=60.0)
    assert token(sandbox, **first).status == 200
    sandbox.configure("gohighlevel", revoked=True)
    assert token(sandbox, grant_type="refresh_token", refresh_token=renewed.json()["refresh_token"]).status == 400


def test_an_access_token_ends(sandbox: Sandbox) -> None:
    given = by_code(sandbox, code_of(page(sandbox))).json()
    headers = {"Authorization": f"Bearer {given['access_token']}", "Version": "2021-07-28"}
    url = f"{sandbox.url('gohighlevel')}/contacts/search/duplicate?locationId=loc&email=a%40b.co"
    assert call("GET", url, None, headers).status == 200
    sandbox.configure("gohighlevel", token_epoch=1)
    assert call("GET", url, None, headers).status == 401


def test_a_grant_type_that_is_none_is_refused(sandbox: Sandbox) -> None:
    assert token(sandbox, grant_type="password").status == 400
