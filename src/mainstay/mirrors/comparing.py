"""The run that compares a mirror with what was written to it, a page a step."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import UUID

from mainstay.db import acquire, transact
from mainstay.errors import MirrorRefusedError
from mainstay.mirrors import drifts, reading
from mainstay.mirrors.drifts import Found, Page
from mainstay.mirrors.pushing import EXCHANGES_KEPT
from mainstay.mirrors.records import records_by_id
from mainstay.mirrors.rules import KEY, Mirror
from mainstay.mirrors.store import spread
from mainstay.mirrors.writing import Tables, declared, declared_for
from mainstay.model import Lane
from mainstay.runs import begin_run

if TYPE_CHECKING:
    from datetime import datetime

    from mainstay.db import Connection, Pool
    from mainstay.engine import StepRunner
    from mainstay.kit import Http
    from mainstay.model import Run
    from mainstay.runs import Claimed

COMPARE = "compare-mirror.v1"
Result = TypeVar("Result")
OnDrift = Callable[["Connection", UUID, Mirror, int], Awaitable[None]]


class Comparer:
    """Looks whether somebody changed a mirror. ``program`` is what the engine calls for each run.

    ``on_drift`` is told, in the transaction that ends a comparison, how much of a mirror is open and is no proposal.
    """

    def __init__(self, pool: Pool, tables: Tables, on_drift: OnDrift) -> None:
        self._pool = pool
        self._tables = tables
        self._on_drift = on_drift

    async def begin_due(self, workspace_id: UUID) -> None:
        """Begin the comparisons whose time has come."""
        mirrors = [each for each in self._tables.mirrors(workspace_id).values() if not each.is_followed]
        if not mirrors:
            return

        async def work(connection: Connection) -> None:
            names, every = [each.name for each in mirrors], [each.compare_every for each in mirrors]
            for name in await drifts.due(connection, workspace_id, names, every):
                await _begin(connection, workspace_id, name)

        await transact(self._pool, work)

    async def begin(self, workspace_id: UUID, name: str) -> UUID:
        """Begin a comparison now, in place of one that is under way; returns its run's id.

        Raises:
            MirrorRefusedError: not all is in the mirror yet.
        """
        declared(self._tables, workspace_id, name)

        async def work(connection: Connection) -> UUID:
            if not await drifts.is_loaded(connection, workspace_id, name):
                raise MirrorRefusedError(f"{name} is being filled", "Compare it when all records are in it")
            return await _begin(connection, workspace_id, name)

        return await transact(self._pool, work)

    async def program(self, steps: StepRunner) -> Sequence[Claimed]:
        """Read the mirror to its end."""
        workspace_id, name = steps.run.workspace_id, str(steps.run.input["mirror"])
        mirror = await declared_for(self._pool, self._tables, steps)
        if mirror is None:
            return ()
        # Where nothing was written yet there need not be a table either.
        if await self._is_written(workspace_id, name):
            await (self._read_people if mirror.role == "crm" else self._read_rows)(steps, mirror)
        await self._finish(steps.run, mirror)
        return ()

    async def _read_rows(self, steps: StepRunner, mirror: Mirror) -> None:
        cursor, number = "", 0
        while cursor or not number:

            async def call(http: Http, cursor: str = cursor, number: int = number) -> Mapping[str, Any]:
                table = self._tables.table(steps.run.workspace_id, mirror.connection, http)
                began_at = await self._now()
                rows = await table.read_rows(mirror.table, cursor)
                found = await self._compare(steps.run, mirror, rows.rows, number=number, began_at=began_at)
                return {"cursor": rows.cursor, "rows": len(rows.rows), "differ": found}

            read = await steps.step("table.read_rows", call, connection=mirror.connection)
            cursor, number = read["cursor"] if read else "", number + 1

    async def _read_people(self, steps: StepRunner, mirror: Mirror) -> None:
        """Read what a CRM lists as changed, then whoever that did not show to be as pushed, by id."""
        workspace_id = steps.run.workspace_id
        can_list = self._tables.can_pull(workspace_id, mirror.connection)
        cursor = reading.Cursor(reading.LISTED if can_list else reading.BY_ID).write()
        while cursor:
            part = reading.Cursor.read(cursor).part

            async def call(http: Http, cursor: str = cursor) -> Mapping[str, Any]:
                return await self._page(steps.run, mirror, http, reading.Cursor.read(cursor))

            name = "crm.pull_contacts" if part == reading.LISTED else "crm.fetch_contact"
            read = await steps.step(name, call, connection=mirror.connection)
            cursor = read["cursor"] if read else ""

    async def _page(self, run: Run, mirror: Mirror, http: Http, cursor: reading.Cursor) -> Mapping[str, Any]:
        workspace_id, began_at = run.workspace_id, await self._now()
        region = self._tables.routing(workspace_id).region
        if cursor.part == reading.LISTED:
            listing = self._tables.pulling_crm(workspace_id, mirror.connection, http)
            listed = await reading.list_changed(self._pool, workspace_id, mirror, listing, region, cursor.after)
            await self._confirm(run, mirror, listed, began_at)
            return {"cursor": listed.next.write(), "rows": len(listed.rows), "differ": len(listed.double)}
        async with acquire(self._pool) as connection:
            comparison = await drifts.comparison_of(connection, workspace_id, mirror.name, run.id)
            ids = await reading.unseen(connection, workspace_id, mirror, comparison or 0, cursor.after)
        crm = self._tables.crm(workspace_id, mirror.connection, http)
        rows = await reading.read_each(mirror, crm, region, ids)
        del http.exchanges[:-EXCHANGES_KEPT]
        # Each is read once, so that there are no pages on which one could be twice.
        found = await self._compare(run, mirror, list(rows.values()), number=0, began_at=began_at)
        onward = reading.Cursor(reading.BY_ID, str(max(ids))).write() if len(ids) == reading.PAGE else ""
        return {"cursor": onward, "rows": len(rows), "differ": found}

    async def _confirm(self, run: Run, mirror: Mirror, listed: reading.Listed, began_at: datetime) -> None:
        """Note who is as pushed by the list."""
        digests = {record_id: mirror.digest(row) for record_id, row in listed.rows.items()}

        async def work(connection: Connection, workspace_id: UUID, name: str, comparison: int) -> None:
            page = Page(comparison, 0, began_at)
            odd = await drifts.odd(connection, workspace_id, name, page, digests)
            doubtful = {each: listed.rows[each] for each in odd}
            differ = {each.record_id for each in await _differences(connection, workspace_id, mirror, doubtful)}
            alike = [each for each in listed.rows if each not in differ and (each not in odd or odd[each].is_known)]
            await drifts.note(connection, workspace_id, name, page, alike, _once(listed.double))

        await self._unless_replaced(run, mirror, work)

    async def _finish(self, run: Run, mirror: Mirror) -> None:
        last: UUID | None = UUID(int=0)
        while last is not None:
            last = await self._unless_replaced(run, mirror, partial(drifts.note_missing, after=last))
        while await self._unless_replaced(run, mirror, drifts.note_right):
            pass

        async def end(connection: Connection, workspace_id: UUID, name: str, _comparison: int) -> int:
            left = await drifts.finish(connection, workspace_id, name)
            if left and mirror.drift != "revert":
                await self._on_drift(connection, workspace_id, mirror, left)
            return left

        left = await self._unless_replaced(run, mirror, end)
        if left and mirror.drift == "revert":
            await drifts.revert(self._pool, run.workspace_id, mirror.name, by="the stack")

    async def _unless_replaced(
        self, run: Run, mirror: Mirror, work: Callable[[Connection, UUID, str, int], Awaitable[Result]]
    ) -> Result | None:
        """Do it in a transaction, given which comparison this is; not when a later one has taken its place."""

        async def checked(connection: Connection) -> Result | None:
            comparison = await drifts.comparison_of(connection, run.workspace_id, mirror.name, run.id)
            return None if comparison is None else await work(connection, run.workspace_id, mirror.name, comparison)

        return await transact(self._pool, checked)

    async def _is_written(self, workspace_id: UUID, name: str) -> bool:
        async with acquire(self._pool) as connection:
            return await drifts.is_written(connection, workspace_id, name)

    async def _now(self) -> datetime:
        async with acquire(self._pool) as connection:
            now: datetime = await connection.fetchval("SELECT clock_timestamp()")
        return now

    async def _compare(
        self, run: Run, mirror: Mirror, rows: Sequence[Mapping[str, str]], *, number: int, began_at: datetime
    ) -> int:
        found: list[Found] = []
        theirs: dict[UUID, Mapping[str, str]] = {}
        more: list[UUID] = []
        for row in rows:
            if key := row.get(KEY, "").strip():
                record_id = _id_of(key)
                if record_id is None:
                    found.append(Found("unknown", key))
                elif theirs.setdefault(record_id, row) is not row:
                    more.append(record_id)
        digests = {record_id: mirror.digest(row) for record_id, row in theirs.items()}

        if mirror.shows_contacts:
            async with acquire(self._pool) as connection:
                await spread(connection, run.workspace_id, mirror.name)

        async def work(connection: Connection, workspace_id: UUID, name: str, comparison: int) -> int:
            page = Page(comparison, number, began_at)
            odd = await drifts.odd(connection, workspace_id, name, page, digests)
            unknown = {each for each, standing in odd.items() if not standing.is_known}
            elsewhere = {each for each, standing in odd.items() if standing.is_elsewhere}
            seen = theirs.keys() - unknown - elsewhere
            differ = {each: theirs[each] for each in odd if each in seen and not odd[each].is_moving}
            told = [
                *found,
                *(Found("unknown", str(each), each) for each in unknown),
                *(Found("double", str(each), each) for each in elsewhere.union(more) - unknown),
                *await _differences(connection, workspace_id, mirror, differ),
            ]
            await drifts.note(connection, workspace_id, name, page, seen, _once(told))
            return len(told)

        return await self._unless_replaced(run, mirror, work) or 0


def _once(found: Sequence[Found]) -> list[Found]:
    return list({(each.kind, each.key): each for each in found}.values())


async def _differences(
    connection: Connection, workspace_id: UUID, mirror: Mirror, theirs: Mapping[UUID, Mapping[str, str]]
) -> list[Found]:
    if not theirs:
        return []
    records = await records_by_id(connection, workspace_id, mirror.record, list(theirs))
    ours = {record.id: mirror.row(record) for record in records}
    return [
        Found("changed", str(record_id), record_id, fields, is_proposed=mirror.proposes(fields))
        for record_id, texts in theirs.items()
        if (fields := mirror.differences(ours.get(record_id, {}), texts))
    ]


async def _begin(connection: Connection, workspace_id: UUID, name: str) -> UUID:
    run_id = await begin_run(connection, workspace_id, COMPARE, {"mirror": name}, lane=Lane.BACKFILL)
    await drifts.begin(connection, workspace_id, name, run_id)
    return run_id


def _id_of(key: str) -> UUID | None:
    try:
        return UUID(key)
    except ValueError:
        return None
