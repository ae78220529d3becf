"""A person's word, over HTTP, on a call of which nobody else could tell whether it happened."""

from __future__ import annotations

from uuid import uuid4

from mainstay.db import acquire
from mainstay.model import new_id
from tests.web.api.conftest import Client


async def asking_run(client: Client) -> str:
    """Put a run there that asks."""
    assert client.stack is not None
    app = client.stack.app
    (workspace_id,) = app.workspaces
    run_id = new_id()
    async with acquire(app.pool) as connection:
        await connection.execute(
            """
            INSERT INTO runs (id, workspace_id, workflow, state, input, execution_id, created_at, failed_step, fate)
            VALUES ($1, $2, 'welcome.v1', 'failed', '{}', 'x', now(), 1, 'asked')
            """,
            run_id,
            workspace_id,
        )
        await connection.execute(
            """
            INSERT INTO attempts (workspace_id, run_id, step, number, name, connection, state, fate, guard, started_at)
            VALUES ($1, $2, 1, 1, 'chat.post', 'slack', 'failed', 'asked', 'asked', now())
            """,
            workspace_id,
            run_id,
        )
    return str(run_id)


async def test_a_run_that_asks_takes_one_answer(client: Client) -> None:
    run_id = await asking_run(client)
    wrong = await client.ask("POST", f"/runs/{run_id}/answer", json={"happened": "perhaps"})
    assert (wrong.status, wrong.problem) == (422, "invalid")
    first = await client.ask("POST", f"/runs/{run_id}/answer", json={"happened": True})
    assert (first.status, first.json) == (200, {"id": run_id, "happened": True})
    again = await client.ask("POST", f"/runs/{run_id}/answer", json={"happened": True})
    assert (again.status, again.problem) == (404, "not-found")
    unknown = await client.ask("POST", f"/runs/{uuid4()}/answer", json={"happened": False})
    assert unknown.status == 404
