"""Cancelling runs over HTTP, and on the pages."""

from __future__ import annotations

from uuid import uuid4

from mainstay.db import acquire
from mainstay.runs import NewRun, add_runs
from tests.web.api.conftest import Client


async def made(client: Client, *, contact_id: str = "", workflow: str = "welcome.v1") -> str:
    """Make a run that waits on the queue."""
    run = NewRun(uuid4(), client.workspace_id, workflow, {}, str(uuid4()), contact_id=contact_id or None)  # type: ignore[arg-type]
    async with acquire(client.app.pool) as connection:
        await add_runs(connection, [run])
    return str(run.id)


async def test_one_run(client: Client) -> None:
    run = await made(client)
    answer = await client.post(f"/runs/{run}/cancel")
    assert (answer.status, answer.json) == (200, {"cancelled": [run]})
    assert (await client.post(f"/runs/{run}/cancel")).json == {"cancelled": []}
    async with acquire(client.app.pool) as connection:
        assert await connection.fetchval("SELECT error FROM runs WHERE id = $1", run) == "cancelled by zapier"
    assert (await client.post(f"/runs/{uuid4()}/cancel")).status == 404


async def test_all_of_a_workflow_or_a_contact(client: Client) -> None:
    contact = (await client.write(email="sarah@example.com"))["contact_id"]
    own = await made(client, contact_id=contact)
    other = await made(client)
    assert (await client.post("/runs/cancel", {"contact_id": contact})).json == {"cancelled": [own]}
    assert (await client.post("/runs/cancel", {"workflow": "welcome.v1"})).json == {"cancelled": [other]}
    assert (await client.post("/runs/cancel", {})).problem == "invalid"
    assert (await client.post("/runs/cancel", {"contact_id": str(uuid4())})).status == 404


async def test_a_token_that_only_reads_cancels_nothing(client: Client, reader: Client) -> None:
    run = await made(client)
    assert (await reader.post(f"/runs/{run}/cancel")).status == 403
