"""Gates of several workers over one database, on its own clock."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from contextlib import suppress
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest

from mainstay.db import Pool, acquire
from mainstay.engine.gating import Held
from mainstay.errors import PermanentError, TransientError, VendorError
from mainstay.gates import Declared, Gates, Pause, pause, resume, store
from mainstay.gates import gate as gate_module
from mainstay.gates.account import Slots
from mainstay.kit import Rate
from mainstay.model import Lane, Run, new_id

OUT = TransientError("503: away", status=503)


@pytest.fixture
async def workspaces(pool: Pool) -> list[UUID]:
    ids = [new_id() for _ in range(3)]
    async with acquire(pool) as connection:
        await connection.executemany(
            "INSERT INTO workspaces (id, slug, name) VALUES ($1, $2, $2)", [(each, f"w{each.hex}") for each in ids]
        )
    return ids


def run_of(workspace_id: UUID, lane: Lane = Lane.LEAD) -> Run:
    return Run(new_id(), workspace_id, "welcome.v1", {}, "execution", lane=lane)


def worker(pool: Pool, *declared: Declared) -> Gates:
    gates = Gates(pool)
    for each in declared:
        gates.serve(each.workspace_id, [each])
    return gates


async def enter(gates: Gates, run: Run, *, has_waited: bool = False) -> Any:
    http: Any = SimpleNamespace(pay=None)
    answer = await gates.enter(run, "ghl", http, has_waited=has_waited)
    return answer if isinstance(answer, Held) else SimpleNamespace(passage=answer, pay=http.pay)


async def call(gates: Gates, run: Run, error: Exception | None = None) -> Held | None:
    """Make one call through the gate, which fails as said; returns the gate's refusal, if it is one."""
    entered = await enter(gates, run)
    if isinstance(entered, Held):
        return entered

    async def work() -> None:
        await entered.pay()
        if error is not None:
            raise error

    with suppress(VendorError):
        await entered.passage.carry(work())
    entered.passage.leave()
    return None


async def fail_until_open(gates: Gates, workspace_id: UUID) -> None:
    for _ in range(5):
        assert await call(gates, run_of(workspace_id), OUT) is None


async def test_workers_and_workspaces_of_one_account_share_its_budget(pool: Pool, workspaces: list[UUID]) -> None:
    rate = Rate(20, 1.0)
    workers = [worker(pool, *(Declared(each, "ghl", "ghl:one", (rate,)) for each in workspaces)) for _ in range(3)]
    used: list[float] = []
    ends = time.monotonic() + 3.0

    async def client(number: int) -> None:
        gates, workspace_id = workers[number % 3], workspaces[number % len(workspaces)]
        lane = Lane.BACKFILL if number % 4 == 0 else Lane.LEAD
        while time.monotonic() < ends:
            entered = await enter(gates, run_of(workspace_id, lane))
            if isinstance(entered, Held):
                continue
            await entered.pay()
            used.append(time.monotonic())
            entered.passage.leave()

    await asyncio.gather(*(client(number) for number in range(24)))

    used.sort()
    assert max(sum(moment - 1.0 < other <= moment for other in used) for moment in used) <= 20
    assert len(used) >= 50  # of the 60 to 80 that three seconds allow, the budget's edges cost some


async def test_accounts_apart_have_budgets_apart(pool: Pool, workspaces: list[UUID]) -> None:
    gates = worker(pool, *(Declared(each, "ghl", f"ghl:{each}", (Rate(1, 30.0),)) for each in workspaces))
    assert [await call(gates, run_of(each)) for each in workspaces] == [None, None, None]
    assert await call(gates, run_of(workspaces[0])) == Held("its turn at ghl")


async def test_a_step_pays_for_each_request_it_makes(pool: Pool, workspaces: list[UUID]) -> None:
    gates = worker(pool, Declared(workspaces[0], "ghl", "ghl:one", (Rate(3, 86_400.0),)))
    entered = await enter(gates, run_of(workspaces[0]))
    for _ in range(3):
        await entered.pay()
    with pytest.raises(TransientError, match="the budget of ghl is used up"):
        await entered.pay()


async def test_steps_of_several_requests_that_used_the_budget_up_together_all_end(
    pool: Pool, workspaces: list[UUID]
) -> None:
    gates = worker(pool, Declared(workspaces[0], "ghl", "ghl:one", (Rate(4, 1.5),)))

    async def step() -> None:
        entered = await enter(gates, run_of(workspaces[0]))
        await entered.pay()
        await all_began.wait()
        await entered.pay()

    all_began = asyncio.Barrier(4)
    await asyncio.gather(*(step() for _ in range(4)))


async def test_what_a_dead_worker_had_leased_is_lost_for_one_window_alone(pool: Pool, workspaces: list[UUID]) -> None:
    rate = Rate(10, 0.5)
    dead, survivor = (worker(pool, Declared(workspaces[0], "ghl", "ghl:one", (rate,))) for _ in range(2))
    async with acquire(pool) as connection:
        await dead.declare()
        assert (await store.lease(connection, "ghl:one", Lane.LEAD, needed=10, ahead=0, at=None)).count == 10
    began = time.monotonic()
    assert await call(survivor, run_of(workspaces[0])) is None  # it waits, in this process
    assert 0.5 <= time.monotonic() - began < 1.5


async def test_leads_go_first_at_a_full_connection() -> None:
    slots, order = Slots(1), []
    await slots.acquire(Lane.LEAD)

    async def take(name: str, lane: Lane) -> None:
        await slots.acquire(lane)
        order.append(name)
        slots.release()

    tasks = [
        asyncio.create_task(take(name, lane))
        for name, lane in [("import", Lane.BACKFILL), ("old", Lane.LEAD), ("gone", Lane.LEAD), ("new", Lane.LEAD)]
    ]
    await asyncio.sleep(0)
    tasks[2].cancel()
    slots.release()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert order == ["old", "new", "import"]
    await asyncio.wait_for(slots.acquire(Lane.LEAD), 1)


async def test_a_place_given_to_one_who_was_cancelled_goes_on_to_the_next() -> None:
    slots = Slots(1)
    await slots.acquire(Lane.LEAD)
    first, second = (asyncio.create_task(slots.acquire(Lane.LEAD)) for _ in range(2))
    await asyncio.sleep(0)
    slots.release()
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    await asyncio.wait_for(second, 1)


async def test_an_accounts_own_limit_is_shared_out_among_the_workers(pool: Pool, workspaces: list[UUID]) -> None:
    gates = worker(pool, Declared(workspaces[0], "ghl", "ghl:one", max_concurrent=5))
    async with acquire(pool) as connection:
        await connection.executemany(
            "INSERT INTO workers (id, host, pid, process_start) VALUES ($1, 'h', 1, 0)", [("a",), ("b",)]
        )
    await gates.tick()
    entered = [await enter(gates, run_of(workspaces[0])) for _ in range(2)]
    third = asyncio.create_task(enter(gates, run_of(workspaces[0])))
    await asyncio.sleep(0.05)
    assert not third.done()
    entered[0].passage.leave()
    await third


async def test_a_breaker_opens_probes_and_closes(
    pool: Pool, workspaces: list[UUID], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gate_module, "probe_pause", lambda failed: 0.2 * 2**failed)
    one, other = (worker(pool, Declared(workspaces[0], "ghl", "ghl:one")) for _ in range(2))
    sent = Counter[str]()

    async def attempt(gates: Gates, error: Exception | None) -> str:
        held = await call(gates, run_of(workspaces[0]), error)
        sent["held" if held else "sent"] += 1
        return held.why if held else ""

    await fail_until_open(one, workspaces[0])
    assert await other.tick()
    for gates in (one, other):
        assert await attempt(gates, OUT) == "ghl to answer again"
    assert (await enter(one, run_of(workspaces[0]))).is_outage

    # Once a pause one call goes and looks, whichever worker it is; while it does, nobody else.
    sent.clear()
    ends = time.monotonic() + 1.3
    while time.monotonic() < ends:
        await asyncio.gather(*(attempt(gates, OUT) for gates in (one, other) for _ in range(4)))
        await other.tick()
        await one.tick()
    assert 1 <= sent["sent"] <= 3, sent

    while (await attempt(one, None)) or (await attempt(other, None)):
        await asyncio.gather(one.tick(), other.tick())
    assert not await one.tick()
    assert [await attempt(gates, None) for gates in (one, other)] == ["", ""]


async def test_one_probe_among_many_that_ask_at_once(pool: Pool, workspaces: list[UUID]) -> None:
    workers = [worker(pool, Declared(workspaces[0], "ghl", "ghl:one")) for _ in range(4)]
    await fail_until_open(workers[0], workspaces[0])
    async with acquire(pool) as connection:
        await connection.execute("UPDATE connections SET probe_at = now()")
    for each in workers:
        await each.tick()
    entered = await asyncio.gather(*(enter(each, run_of(workspaces[0])) for each in workers for _ in range(5)))
    assert sum(not isinstance(each, Held) for each in entered) == 1


async def test_a_probe_whose_worker_died_is_followed_by_another(
    pool: Pool, workspaces: list[UUID], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "PROBE_TIMEOUT_SECONDS", 0.2)
    dead, survivor = (worker(pool, Declared(workspaces[0], "ghl", "ghl:one")) for _ in range(2))
    await fail_until_open(dead, workspaces[0])
    async with acquire(pool) as connection:
        await connection.execute("UPDATE connections SET probe_at = now()")
    await dead.tick()
    assert not isinstance(await enter(dead, run_of(workspaces[0])), Held)
    await survivor.tick()
    assert isinstance(await enter(survivor, run_of(workspaces[0])), Held)
    ends = time.monotonic() + 5
    while isinstance(await enter(survivor, run_of(workspaces[0])), Held):
        assert time.monotonic() < ends
        await survivor.tick()


@pytest.mark.parametrize("error", [PermanentError("404", status=404), TransientError("locked", status=423)])
async def test_a_vendor_that_refuses_is_there(pool: Pool, workspaces: list[UUID], error: Exception) -> None:
    gates = worker(pool, Declared(workspaces[0], "ghl", "ghl:one"))
    for _ in range(40):
        assert await call(gates, run_of(workspaces[0]), error) is None


async def test_some_failures_among_successes_open_nothing(pool: Pool, workspaces: list[UUID]) -> None:
    gates = worker(pool, Declared(workspaces[0], "ghl", "ghl:one"))
    for number in range(60):
        assert await call(gates, run_of(workspaces[0]), OUT if number % 3 == 1 else None) is None


async def test_the_rest_that_a_vendor_asks_for_is_kept_by_all(pool: Pool, workspaces: list[UUID]) -> None:
    declared = [Declared(each, "ghl", "ghl:one", (Rate(1000, 10.0),)) for each in workspaces]
    one, other = (worker(pool, *declared) for _ in range(2))
    # Both have leases in hand.
    assert [await call(each, run_of(workspaces[0])) for each in (one, other)] == [None, None]
    await call(one, run_of(workspaces[0]), TransientError("429", status=429, retry_after=30.0))
    assert await call(one, run_of(workspaces[1])) == Held("its turn at ghl")
    await other.tick()
    assert await call(other, run_of(workspaces[2])) == Held("its turn at ghl")
    async with acquire(pool) as connection:
        assert await resume(connection, workspaces[0], "ghl")
    await one.tick()
    assert await call(one, run_of(workspaces[1])) is None


async def test_paused_and_resumed_by_hand(pool: Pool, workspaces: list[UUID]) -> None:
    one, other = (worker(pool, *(Declared(each, "ghl", "ghl:one") for each in workspaces)) for _ in range(2))
    await one.declare()
    async with acquire(pool) as connection:
        assert await pause(connection, workspaces[0], "ghl", Pause("Dana", "they are moving house"))
        assert not await pause(connection, workspaces[0], "ghl", Pause("Lee"))
        assert not await pause(connection, workspaces[0], "nobody", Pause())
        assert await connection.fetchval("SELECT paused_by FROM connections WHERE paused_at IS NOT NULL") == "Dana"
        for each in (one, other):
            await each.tick()
            assert await call(each, run_of(workspaces[0])) == Held("ghl to be resumed")
            # Of that workspace alone, though the account is the same.
            assert await call(each, run_of(workspaces[1])) is None
        assert await resume(connection, workspaces[0], "ghl")
        assert not await resume(connection, workspaces[0], "ghl")
        for each in (one, other):
            await each.tick()
            assert await call(each, run_of(workspaces[0])) is None


async def test_resuming_lets_an_open_breaker_probe_at_once(pool: Pool, workspaces: list[UUID]) -> None:
    gates = worker(pool, Declared(workspaces[0], "ghl", "ghl:one"))
    await fail_until_open(gates, workspaces[0])
    assert isinstance(await enter(gates, run_of(workspaces[0])), Held)
    async with acquire(pool) as connection:
        assert await resume(connection, workspaces[0], "ghl")
    await gates.tick()
    assert await call(gates, run_of(workspaces[0])) is None


async def test_who_comes_now_is_behind_who_is_held(pool: Pool, workspaces: list[UUID]) -> None:
    gates = worker(pool, Declared(workspaces[0], "ghl", "ghl:one", (Rate(100, 10.0),)))
    async with acquire(pool) as connection:
        await _hold(connection, workspaces[0], Lane.BACKFILL)
        # Its usher has just gone round: they are not let through in this instant.
        await gates.declare()
        await connection.execute("UPDATE accounts SET ushered_at = now() + interval '1 minute'")
    await gates.tick()
    lead, backfill = run_of(workspaces[0]), run_of(workspaces[0], Lane.BACKFILL)
    assert await call(gates, backfill) == Held("its turn at ghl")
    assert not isinstance(await enter(gates, backfill, has_waited=True), Held)
    assert await call(gates, lead) is None
    async with acquire(pool) as connection:
        await _hold(connection, workspaces[0], Lane.LEAD)
    await gates.tick()
    assert await call(gates, lead) == Held("its turn at ghl")
    assert not isinstance(await enter(gates, lead, has_waited=True), Held)


async def test_ushers_let_through_each_run_once(pool: Pool, workspaces: list[UUID]) -> None:
    workers = [worker(pool, *(Declared(each, "ghl", "ghl:one") for each in workspaces)) for _ in range(4)]
    async with acquire(pool) as connection:
        for number in range(450):
            await _hold(connection, workspaces[number % 3], Lane.BACKFILL if number % 5 else Lane.LEAD)
    ends = time.monotonic() + 20
    while True:
        await asyncio.gather(*(each.tick() for each in workers))
        async with acquire(pool) as connection:
            left = await connection.fetchval("SELECT count(*) FROM runs WHERE held_at <> ''")
            leads = await connection.fetchval("SELECT count(*) FROM runs WHERE held_at <> '' AND lane = 'lead'")
            entries = await connection.fetch(
                "SELECT execution_id, count(*) AS runs FROM runs WHERE held_at = '' GROUP BY 1"
            )
            queue = await connection.fetch("SELECT workflow_uuid, queue_name FROM dbos.workflow_status")
        assert not leads or left >= 350  # leads went first
        assert {row["execution_id"] for row in entries} == {row["workflow_uuid"] for row in queue}
        assert all(row["runs"] <= 16 for row in entries)
        if not left:
            break
        assert time.monotonic() < ends
    assert Counter(row["queue_name"] for row in queue).keys() == {"executions", "backfill"}


async def _hold(connection: Any, workspace_id: UUID, lane: Lane) -> None:
    await connection.execute(
        """
        INSERT INTO runs (id, workspace_id, workflow, state, input, execution_id, created_at, lane, held_at, held_since)
        VALUES ($1, $2, 'welcome.v1', 'waiting', '{}', $3, now(), $4, 'ghl', now())
        """,
        new_id(),
        workspace_id,
        str(new_id()),
        lane,
    )
