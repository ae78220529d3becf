"""A worker killed while it sends the runs of one order: each is sent once, and at the rate that was given."""

from __future__ import annotations

import signal
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from mainstay.runs import Brake, Chosen
from mainstay.sandbox.client import Sandbox
from tests.faults.fleet import Books, Fleet, until
from tests.faults.sender import open_here, submit

FAILING = Path(__file__).parent / "failing"
LEADS = 5


@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    ("strike", "nth"),
    [
        ("begin: send some", 1),
        ("before commit: send some", 1),
        ("begin: send some", 2),
        ("before commit: send some", 3),
    ],
)
async def test_each_is_sent_once(fleet: Fleet, sandbox: Sandbox, dsn: str, books: Books, strike: str, nth: int) -> None:
    await _failed(fleet, sandbox, dsn, books)
    app = await open_here(dsn, sandbox, stack=FAILING)
    await app.retrier.begin(app.by_slug["acme"].id, Chosen(connection="mail"), Brake(per_second=2), by="dana")
    await app.close()

    victim = fleet.start(dsn, stack=str(FAILING), strike=strike, nth=nth)
    assert await victim.ended() == -signal.SIGKILL, victim.log
    survivor = fleet.start(dsn, stack=str(FAILING))
    try:
        await until(lambda: _is_done(books), "the order is carried out", seconds=40)
        await books.all_done(deliveries=LEADS)
    finally:
        await survivor.kill()

    assert sorted(mail["To"] for mail in sandbox.messages("postmark")) == [f"lead{n}@example.com" for n in range(LEADS)]
    sent = await books.rows("SELECT run_id, at FROM hand_retries ORDER BY at")
    assert len({row["run_id"] for row in sent}) == len(sent) == LEADS
    assert await books.value("SELECT sent FROM bulk_retries") == LEADS
    # Two a second, whoever sends them: never three within one (an instant is left for the clock's own reading).
    spans = [later["at"] - first["at"] for first, later in zip(sent, sent[2:], strict=False)]
    assert min(spans) >= timedelta(seconds=0.9), spans


async def _failed(fleet: Fleet, sandbox: Sandbox, dsn: str, books: Books) -> None:
    """Have five runs fail at the mail, which works from then on."""
    fault = sandbox.set_fault("postmark", "status", status=422)
    worker = fleet.start(dsn, stack=str(FAILING))
    for number in range(LEADS):
        await submit(dsn, sandbox, stack=FAILING, email=f"lead{number}@example.com", name="Sarah Johnson")

    async def have_failed() -> Any:
        return await books.value("SELECT count(*) = $1 FROM runs WHERE state = 'failed'", LEADS)

    await until(have_failed, "all have failed", seconds=40)
    await worker.kill()
    sandbox.clear("postmark", fault)


async def _is_done(books: Books) -> Any:
    return await books.value("SELECT state = 'done' FROM bulk_retries")
