"""HubSpot leaves a deal's time of change as it is when a contact is associated with it: the webhook alone tells."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import aiohttp

from mainstay.connectors.hubspot.records import CHANGED
from mainstay.db import acquire
from mainstay.kit.signature import hmac_base64
from mainstay.sandbox.client import Sandbox
from mainstay.testing import StackUnderTest
from tests.conftest import MakeStack

STACK = """
    [connections.hub]
    connector = "hubspot"
    token = "${TOKEN}"
    [records.contact]
    system_of_record = "hub"
    [sources.website]
    kind = "form"
    [sources.crm]
    kind = "hubspot"
    connection = "hub"
    client_secret = "${HUBSPOT_SECRET}"
"""
SECRET = "sample-hubspot_secret"  # as the test environment gives it


async def tell(stack: StackUnderTest, kind: str, **said: Any) -> str:
    """Deliver a notice as HubSpot does; returns the state of the delivery."""
    at = str(int(datetime.now(UTC).timestamp() * 1000))
    told = {"eventId": 1, "subscriptionId": 2, "portalId": 6, "occurredAt": int(at), "subscriptionType": kind, **said}
    body = json.dumps([told]).encode()
    signature = hmac_base64(SECRET, b"POSThttp://test/in/acme/crm" + body + at.encode())
    headers = {"X-HubSpot-Request-Timestamp": at, "X-HubSpot-Signature-v3": signature}
    return (await stack.deliver("crm", body, headers=headers)).state


async def test_the_association_is_heard_though_the_deal_is_as_old_as_before(
    make_stack: MakeStack, sandbox: Sandbox
) -> None:
    stack = await make_stack(STACK, "")
    lead = await stack.submit("website", email="sarah@example.com", first_name="Sarah")
    (person,) = sandbox.state("hubspot")["contacts"]
    deal = {"id": "77", "properties": {"dealname": "Boiler", "amount": "120.50", "dealstage": "closedwon"}}
    sandbox.seed("hubspot", "deals", [deal])
    assert await tell(stack, "deal.creation", objectId=77) == "accepted"

    async def whose() -> Any:
        async with acquire(stack.app.pool) as connection:
            return await connection.fetchval("SELECT contact_id FROM records WHERE type = 'deal'")

    assert await whose() is None
    (before,) = sandbox.state("hubspot")["deals"]
    between = f"deals/77/associations/default/contacts/{person['id']}"
    async with (
        aiohttp.ClientSession(headers={"Authorization": "Bearer t"}) as session,
        session.put(f"{sandbox.base_url}/hubspot/crm/v4/objects/{between}") as answer,
    ):
        assert answer.status == 200, await answer.text()
    assert sandbox.state("hubspot")["deals"][0]["properties"][CHANGED] == before["properties"][CHANGED]
    said = {"associationType": "DEAL_TO_CONTACT", "fromObjectId": 77, "toObjectId": int(person["id"])}
    assert await tell(stack, "deal.associationChange", **said, associationRemoved=False) == "accepted"
    assert await whose() == lead.contact.id
    assert {state for _, _, state in await stack.runs()} == {"done"}
