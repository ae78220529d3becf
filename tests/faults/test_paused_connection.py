"""A connection that is paused while its queue fills: the others go on, a killed worker loses none, then all go once."""

from __future__ import annotations

from pathlib import Path

from mainstay.gates.store import Pause
from mainstay.sandbox.client import Sandbox
from tests.faults import invariants
from tests.faults.fleet import Books, Fleet, until
from tests.faults.sender import open_here, submit_many
from tests.faults.test_gates import leads, stack_in

COUNT = 300


async def test_what_is_held_outlives_the_worker_and_goes_once(
    fleet: Fleet, sandbox: Sandbox, dsn: str, books: Books, tmp_path: Path
) -> None:
    stack = stack_in(tmp_path)
    app = await open_here(dsn, sandbox, stack=stack)
    workspace = app.by_slug["acme"]

    async def are_held() -> bool:
        return bool(await books.value("SELECT count(*) = $1 FROM runs WHERE held_at = 'slack'", COUNT))

    try:
        assert await app.gates.pause(workspace.id, "slack", Pause())
        worker = fleet.start(dsn, stack=str(stack))
        await worker.ready()
        await submit_many(dsn, sandbox, leads(COUNT), stack=stack)
        await until(lambda: len(sandbox.messages("postmark")) >= COUNT / 3, "the others go on")
        await worker.kill()
        worker = fleet.start(dsn, stack=str(stack))
        await until(lambda: len(sandbox.messages("postmark")) >= COUNT, "the others are done")
        await until(are_held, "all are held")
        assert not sandbox.request_count("slack")
        await worker.kill()
        worker = fleet.start(dsn, stack=str(stack))
        await worker.ready()
        assert await are_held()
        assert await app.gates.resume(workspace.id, "slack")
    finally:
        await app.close()
    await books.all_done(deliveries=COUNT)
    await worker.kill()

    assert sorted(message["text"] for message in sandbox.messages("slack")) == sorted(leads(COUNT))
    assert not await books.rows("SELECT FROM runs WHERE state <> 'done'")
    assert not await invariants.problems(books, sandbox)
