"""Retries over HTTP: one run, and orders for many."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from mainstay.db import acquire
from tests.web.api.conftest import Client


async def run_of(client: Client, workflow: str = "inbound.v1") -> Any:
    assert client.stack is not None
    async with acquire(client.stack.app.pool) as connection:
        rows = await connection.fetch("SELECT * FROM runs WHERE workflow = $1", workflow)
    return rows[0]


async def failed(client: Client) -> Any:
    """Give a run that is failed, whatever it did."""
    assert client.stack is not None
    await client.stack.submit("website", email="sarah@example.com", name="Sarah")
    async with acquire(client.stack.app.pool) as connection:
        await connection.execute(
            """
            UPDATE runs SET state = 'failed', failed_step = 1, error = '503: away', finished_at = now()
            WHERE workflow = 'push.v1'
            """
        )
        await connection.execute("UPDATE attempts SET state = 'failed', fate = 'permanent' WHERE step = 1")
    return await run_of(client, "push.v1")


async def test_one_run(client: Client) -> None:
    run = await failed(client)
    path = f"/runs/{run['id']}/retry"
    own = await client.post(path, {"from_step": 1})
    assert (own.status, own.problem) == (409, "conflict")
    assert "Mainstay's own" in own.json["detail"]
    assert (await client.post(path, {"from_step": 0})).status == 422
    assert (await client.post(path, {})).json == {"id": str(run["id"])}
    assert (await run_of(client, "push.v1"))["state"] == "queued"
    assert (await client.post(path, {})).problem == "conflict"
    assert (await client.post(f"/runs/{uuid4()}/retry", {})).status == 404


async def test_many_by_one_order(client: Client) -> None:
    run = await failed(client)
    body = {"failed_at": "ghl", "error": "away", "dry_run": True}
    dry = (await client.post("/retries", body)).json
    assert (dry["order_id"], dry["count"], dry["is_more"]) == (None, 1, False)
    assert (dry["first"][0]["id"], dry["first"][0]["step"]) == (str(run["id"]), 1)

    order = (await client.post("/retries", {**body, "dry_run": False, "per_second": 5})).json["order_id"]
    assert (await client.get(f"/retries/{order}")).json["state"] == "running"
    assert (await client.post(f"/retries/{order}/stop")).json["state"] == "stopped"
    assert (await client.post(f"/retries/{order}/resume")).json["state"] == "running"
    assert client.stack is not None
    await client.stack.advance("1s")
    shown = (await client.get(f"/retries/{order}")).json
    assert (shown["state"], shown["sent"], shown["went"]) == ("done", 1, {"done": 1})
    assert (await client.get(f"/retries/{uuid4()}")).status == 404


@pytest.mark.parametrize(
    "body",
    [{}, {"dry_run": True}, {"failed_at": "ghl", "per_second": 0}, {"failed_at": "ghl", "x": 1}, {"since": "noon"}],
)
async def test_what_cannot_be_meant_is_refused(client: Client, body: dict[str, Any]) -> None:
    assert (await client.post("/retries", body)).problem == "invalid"
