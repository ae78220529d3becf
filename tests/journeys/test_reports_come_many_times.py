"""A mail vendor reports each bounce many times over a day, in ever other batches: each is heard of once."""

from __future__ import annotations

import base64
import json
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from mainstay.connectors.sendgrid.webhook import SIGNATURE, TIMESTAMP
from mainstay.db import acquire
from mainstay.sandbox.client import Sandbox
from mainstay.testing import StackUnderTest
from tests.conftest import MakeStack
from tests.web.serving import taking_in

KEY = generate_private_key(SECP256R1())
PUBLIC = base64.b64encode(KEY.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()
STACK = f"""
    [connections.slack]
    connector = "slack"
    token = "${{TOKEN}}"
    [roles]
    chat = "slack"
    [sources.mails]
    kind = "sendgrid"
    public_key = "{PUBLIC}"
"""
CODE = """
    @workflow("bounced.v1", on="message.bounced")
    async def bounced(ctx: Context, contact: Contact) -> None:
        await ctx.chat.post("#mail", f"{ctx.event['address']} bounced")
"""
COPIES = 46
HOURS = 29
PEOPLE = [f"person{number}@example.com" for number in range(4)]
Tell = Callable[[Sequence[Any], datetime], Awaitable[int]]


@pytest.fixture
async def stack(make_stack: MakeStack) -> StackUnderTest:
    return await make_stack(STACK, CODE)


@pytest.fixture
async def tell(stack: StackUnderTest) -> AsyncIterator[Tell]:
    """Posts a batch as SendGrid does, signed at a moment; returns the answer's status."""
    async with taking_in(stack) as (session, base):

        async def telling(events: Sequence[Any], at: datetime) -> int:
            body, timestamp = json.dumps(events).encode(), str(int(at.timestamp()))
            signature = base64.b64encode(KEY.sign(timestamp.encode() + body, ECDSA(SHA256()))).decode()
            headers = {SIGNATURE: signature, TIMESTAMP: timestamp, "Content-Type": "application/json"}
            async with session.post(f"{base}/in/acme/mails", data=body, headers=headers) as answer:
                return answer.status

        yield telling


def report(address: str, at: datetime) -> dict[str, Any]:
    return {
        "email": address,
        "event": "bounce",
        "reason": "550 no such user",
        "sg_event_id": f"event-of-{address}",
        "sg_message_id": f"message-of-{address}.filter0001",
        "timestamp": int(at.timestamp()),
    }


async def test_forty_six_copies_over_twenty_nine_hours_are_one_bounce_of_each(
    stack: StackUnderTest, tell: Tell, sandbox: Sandbox
) -> None:
    now, dice = datetime.now(UTC), random.Random(46)
    reports = [report(address, now - timedelta(hours=HOURS)) for address in PEOPLE]
    statuses = [await tell(reports[:2], now)]
    await stack.settle()
    for copy in range(1, COPIES):
        # The first is told alone and in company, the others as it comes; signed anew each time, as a resend is.
        batch = reports[:1] if copy == 1 else dice.sample(reports, dice.randint(1, len(reports)))
        statuses.append(await tell(batch, now))
        # Some meet in one transaction, some come when all is done.
        if copy % 3 == 0:
            await stack.advance(timedelta(hours=HOURS / COPIES * 3))
    await stack.settle()

    assert set(statuses) == {200, 202}
    assert statuses[1] == 200, "what came in a batch is known when it comes alone"
    assert sorted(message["text"] for message in sandbox.messages("slack")) == [f"{each} bounced" for each in PEOPLE]
    async with acquire(stack.app.pool) as connection:
        events = await connection.fetch("SELECT data->>'address' AS address FROM events WHERE type = 'message.bounced'")
        assert sorted(row["address"] for row in events) == PEOPLE
        assert await connection.fetchval("SELECT count(*) FROM contacts") == len(PEOPLE)
        states = {row["state"] for row in await connection.fetch("SELECT DISTINCT state FROM deliveries")}
    assert states <= {"processed", "ignored"}
    assert {state for _, _, state in await stack.runs()} == {"done"}
    assert not stack.alerts


async def test_a_copy_that_was_signed_too_long_ago_is_refused_and_changes_nothing(
    stack: StackUnderTest, tell: Tell, sandbox: Sandbox
) -> None:
    now = datetime.now(UTC)
    told = [report(address, now) for address in PEOPLE]
    assert await tell(told, now) == 202
    assert await tell(told, now - timedelta(hours=HOURS)) == 401
    await stack.settle()
    assert len(sandbox.messages("slack")) == len(PEOPLE)
