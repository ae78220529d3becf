"""A web process killed while it takes a delivery: an answered one is kept, and sending again never runs it twice."""

from __future__ import annotations

import aiohttp
import pytest

from mainstay.sandbox.client import Sandbox
from tests.faults.fleet import ONCE, Books, Fleet, vendor_copies
from tests.faults.sender import post

KEPT_BEFORE = {"before commit: keep a delivery": 0, "after commit: keep a delivery": 1}


@pytest.mark.parametrize("strike", KEPT_BEFORE)
async def test_killed_before_the_acknowledgement(
    strike: str, fleet: Fleet, sandbox: Sandbox, dsn: str, books: Books
) -> None:
    email = f"{strike.partition(' ')[0]}@example.com"
    fields = {"email": email, "name": "Sarah Johnson"}
    victim = fleet.start(dsn, kind="web", strike=strike)
    port = await victim.ready()
    async with aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.ClientError):
            await post(session, port, "website", fields, key="d-1")
        await victim.killed()
        assert await books.value("SELECT count(*) FROM deliveries") == KEPT_BEFORE[strike]

        successor = fleet.start(dsn, kind="web")
        port = await successor.ready()
        again = await post(session, port, "website", fields, key="d-1")
        once_more = await post(session, port, "website", fields, key="d-1")
    worker = fleet.start(dsn)
    await books.all_done()
    await worker.kill()
    await successor.kill()

    assert (again.status, once_more.status) == (200 if KEPT_BEFORE[strike] else 202, 200)
    assert again.delivery == once_more.delivery
    assert await books.value("SELECT count(*) FROM deliveries") == 1
    assert await books.value("SELECT count(*) FROM runs WHERE workflow = 'inbound.v1'") == 1
    assert not await books.problems(sandbox)
    assert vendor_copies(sandbox, email) == ONCE
