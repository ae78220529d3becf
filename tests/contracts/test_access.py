"""Token endpoints and harmless calls keep their vendors' contracts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import aiohttp
import pytest

from mainstay.access import Connecting, check
from mainstay.sandbox.client import Sandbox
from mainstay.testing import StackUnderTest
from tests.access.walking import BACK, agree
from tests.conftest import MakeStack
from tests.contracts.vendor_specs import specs_folder, validate_recorded, validate_request, validate_response
from tests.sandbox.wire import call

STACK = """
    [connections.hubspot]
    connector = "hubspot"
    client_id = "our app"
    client_secret = "${APP_SECRET}"
    [connections.gohighlevel]
    connector = "gohighlevel"
    client_id = "our app"
    client_secret = "${APP_SECRET}"
    location_id = "loc"
    [connections.slack]
    connector = "slack"
    token = "${SLACK_TOKEN}"
    [connections.postmark]
    connector = "postmark"
    token = "${POSTMARK_TOKEN}"
    from = "hello@example.com"
    [connections.twilio]
    connector = "twilio"
    account_sid = "AC0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a"
    auth_token = "${TWILIO_TOKEN}"
    from = "+13125550100"
    [roles]
    crm = "hubspot"
    email = "postmark"
    [records.contact]
    system_of_record = "hubspot"
"""
WHOSE = {
    "hubspot": "HubSpot account 4712",
    "gohighlevel": "GoHighLevel location loc",
    "slack": "mainstay in the Slack workspace Sandbox",
    "postmark": 'the Postmark server "Sandbox"',
    "twilio": 'the Twilio account "Sandbox"',
}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.fixture(autouse=True)
def _contracts(sandbox: Sandbox) -> Iterator[None]:
    specs_folder()
    yield
    for record in sandbox.requests():
        validate_recorded(record)


async def connect(stack: StackUnderTest, name: str) -> None:
    [workspace] = stack.app.workspaces.values()
    connecting = Connecting(stack.app.tokens)
    started = await connecting.begin(workspace.id, name, workspace.oauth[name], BACK)
    async with aiohttp.ClientSession() as session:
        back = await agree(session, started.address)
    await connecting.finish(back, lambda _id, each: workspace.oauth.get(each))


async def checked(stack: StackUnderTest, name: str) -> Any:
    [workspace] = stack.app.workspaces.values()
    entry = workspace.stack.connections[name]
    return await check(name, entry.connector, entry.settings, stack.app.open_http(workspace.id, name, ""))


@pytest.mark.parametrize("name", list(WHOSE))
async def test_a_check_says_whose_account_it_is(make_stack: MakeStack, sandbox: Sandbox, name: str) -> None:
    stack = await make_stack(STACK)
    if name in {"hubspot", "gohighlevel"}:
        before = await checked(stack, name)
        assert (before.state, before.is_good) == ("failed", False)
        assert f"mainstay connect {name}" in before.text
        await connect(stack, name)

    found = await checked(stack, name)

    assert (found.state, found.text) == ("ok", WHOSE[name])
    assert sandbox.effects(name) == []
    sandbox.set_fault(name, "status", status=503)
    assert (await checked(stack, name)).state == "no answer"


@pytest.mark.parametrize("name", ["slack", "postmark", "twilio"])
async def test_a_check_says_what_is_wrong_with_a_fixed_token(
    make_stack: MakeStack, sandbox: Sandbox, name: str
) -> None:
    stack = await make_stack(STACK)
    sandbox.configure(name, tokens=[])
    found = await checked(stack, name)
    assert (found.state, found.is_good) == ("failed", False)


async def test_the_location_that_a_person_picked_must_be_the_stacks(make_stack: MakeStack, sandbox: Sandbox) -> None:
    stack = await make_stack(STACK)
    sandbox.configure("gohighlevel", oauth_location="other")
    await connect(stack, "gohighlevel")
    found = await checked(stack, "gohighlevel")
    assert found.state == "failed"
    assert "picked the location other, and location_id in stack.toml says loc" in found.text


@pytest.mark.parametrize(("vendor", "path"), [("hubspot", "/oauth/v3/token"), ("gohighlevel", "/oauth/token")])
@pytest.mark.parametrize("wrong", [{"refresh_token": "used"}, {"client_secret": "wrong"}])
async def test_refusals_of_a_token_endpoint(sandbox: Sandbox, vendor: str, path: str, wrong: dict[str, str]) -> None:
    form = {"grant_type": "refresh_token", "client_id": "a", "client_secret": "b", "refresh_token": "c"} | wrong
    url, body = f"{sandbox.base_url}/{vendor}{path}", urlencode(form).encode()
    validate_request(vendor, "POST", url, FORM, body)
    answer = call("POST", url, body, FORM)
    assert answer.status in {400, 401}
    validate_response(vendor, "POST", url, answer.status, answer.headers, answer.body, FORM)
