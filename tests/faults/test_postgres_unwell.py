"""PostgreSQL is there and unwell: senders are told to come back, what was accepted is kept, all goes on by itself."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from pathlib import Path

import aiohttp
import asyncpg
import psutil
import pytest

from mainstay.db.embedded import EmbeddedServer
from mainstay.sandbox.client import Sandbox
from tests.faults.fleet import ONCE, Books, Fleet, end_postgres, postmaster, until, vendor_copies
from tests.faults.sender import insist, post

LEADS = 12
Trouble = Callable[[EmbeddedServer, Path, str], AbstractAsyncContextManager[None]]


async def end_sessions(connection: asyncpg.Connection) -> None:
    """End everybody else's, so that what is new counts for all."""
    await connection.fetch(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1 AND pid <> pg_backend_pid()",
        await connection.fetchval("SELECT current_database()"),
    )


@asynccontextmanager
async def read_only(_server: EmbeddedServer, _folder: Path, dsn: str) -> AsyncIterator[None]:
    """As a standby is that was not promoted; the sessions of that time end with it."""
    connection = await asyncpg.connect(dsn)
    name = await connection.fetchval("SELECT current_database()")
    await connection.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    await end_sessions(connection)
    yield
    await connection.execute(f"ALTER DATABASE {name} RESET default_transaction_read_only")
    await end_sessions(connection)
    await connection.close()


@asynccontextmanager
async def no_connection_left(_server: EmbeddedServer, _folder: Path, dsn: str) -> AsyncIterator[None]:
    """Somebody else has them all."""
    taken = [await asyncpg.connect(dsn)]
    ours = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'mainstay'"
    is_free = True
    while is_free:
        await taken[0].fetch(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'mainstay'"
        )
        with suppress(asyncpg.TooManyConnectionsError):
            while True:
                taken.append(await asyncpg.connect(dsn))
        # Who was at rest held none, and may have come back meanwhile.
        is_free = await taken[0].fetchval(ours)
    yield
    for each in taken:
        each.terminate()


def mount_small_disk(home: Path) -> Path | None:
    """Make a disk of a few megabytes that the server in a folder may write to; None where that is not allowed."""
    # Not below the test's own folder, which pytest keeps from other users, the server's among them.
    disk = Path(tempfile.mkdtemp())
    disk.chmod(0o711)
    command = ["mount", "-t", "tmpfs", "-o", "size=8m,mode=755", "tmpfs", str(disk)]
    if os.getuid() != 0 or subprocess.run(command, check=False, capture_output=True).returncode:
        disk.rmdir()
        return None
    data = disk / "data"
    data.mkdir()
    os.chown(data, psutil.Process(postmaster(home)).uids().real, -1)
    return data


def unmount(data: Path) -> None:
    """Take the disk away."""
    subprocess.run(["umount", "--lazy", str(data.parent)], check=True)
    data.parent.rmdir()


@asynccontextmanager
async def a_full_disk(_server: EmbeddedServer, folder: Path, dsn: str) -> AsyncIterator[None]:
    """A small disk where one may be made, with the deliveries on it; else what the server says of a full one."""
    data = await asyncio.to_thread(mount_small_disk, folder)
    connection = await asyncpg.connect(dsn)
    if data is None:
        await connection.execute(
            """
            CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN RAISE 'could not extend file: No space left on device' USING ERRCODE = 'disk_full'; END $$;
            CREATE TRIGGER full_disk BEFORE INSERT ON deliveries FOR EACH STATEMENT EXECUTE FUNCTION full_disk();
            """
        )
        yield
        await connection.execute("DROP TRIGGER full_disk ON deliveries")
        await connection.close()
        return
    try:
        await connection.execute(f"CREATE TABLESPACE small LOCATION '{data}'")
        await connection.execute("ALTER TABLE deliveries SET TABLESPACE small")
        await connection.execute("CREATE TABLE filler (what text) TABLESPACE small")
        await connection.execute("ALTER TABLE filler ALTER what SET STORAGE PLAIN")
        with suppress(asyncpg.DiskFullError):
            while True:
                await connection.execute("INSERT INTO filler VALUES (repeat('x', 4000))")
        yield
        await connection.execute("DROP TABLE filler")
        await connection.execute("ALTER TABLE deliveries SET TABLESPACE pg_default")
        await connection.execute("DROP TABLESPACE small")
    finally:
        connection.terminate()
        await asyncio.to_thread(unmount, data)


TROUBLES: dict[str, Trouble] = {
    "read-only": read_only,
    "no connection left": no_connection_left,
    "a full disk": a_full_disk,
}


class Stack:
    """Web and two workers on a server of the test's own."""

    def __init__(self, fleet: Fleet, dsn: str) -> None:
        self.dsn = dsn
        self.web = fleet.start(dsn, kind="web", patience=3.0)
        self.workers = [fleet.start(dsn) for _ in range(2)]

    async def ready(self) -> str:
        for worker in self.workers:
            await worker.ready()
        return await self.web.ready()

    async def finish(self, sandbox: Sandbox, count: int) -> None:
        """Check that everything was done, by those who lived through it."""
        books = await Books.open(self.dsn)
        await books.all_done(deliveries=count)
        assert not await books.problems(sandbox)
        emails = {row["email"] for row in await books.rows("SELECT email FROM contacts")}
        marked = await books.marked()
        await books.close()
        assert emails == {lead(number)["email"] for number in range(count)}
        for process in (self.web, *self.workers):
            assert process.code is None, process.log
            await process.kill()
        for number in range(count):
            copies = vendor_copies(sandbox, lead(number)["email"])
            assert copies == ONCE or marked, copies


def lead(number: int) -> dict[str, str]:
    return {"email": f"lead{number}@example.com", "name": f"Lead Number{number}"}


@pytest.mark.parametrize("trouble", TROUBLES)
async def test_senders_are_told_to_come_back(
    trouble: str, fleet: Fleet, sandbox: Sandbox, own_server: EmbeddedServer, own_dsn: str, tmp_path: Path
) -> None:
    stack = Stack(fleet, own_dsn)
    port = await stack.ready()
    async with aiohttp.ClientSession() as session:
        first = await asyncio.gather(*(post(session, port, "website", lead(n), key=f"{n}") for n in range(LEADS)))
        assert {answer.status for answer in first} == {202}
        heard = set()
        number = LEADS
        async with TROUBLES[trouble](own_server, tmp_path, own_dsn):

            async def is_refused() -> bool:
                # A page of a full table may have room for a few more: each is another lead.
                nonlocal number
                answer = await post(session, port, "website", lead(number), key=f"{number}")
                heard.add((answer.status, answer.retry_after))
                number += answer.status == 202
                return answer.status != 202

            await until(is_refused, "a delivery is refused")
            insisting = [
                asyncio.create_task(insist(session, port, lead(n), key=f"{n}")) for n in range(number, number + LEADS)
            ]
            await asyncio.sleep(2)
        statuses = await asyncio.gather(*insisting)
    assert heard <= {(202, ""), (429, "5")}
    assert {status for tried in statuses for status in tried} <= {200, 202, 429}
    await stack.finish(sandbox, number + LEADS)


async def test_restarted_in_a_loop(
    fleet: Fleet, sandbox: Sandbox, own_server: EmbeddedServer, own_dsn: str, tmp_path: Path
) -> None:
    stack = Stack(fleet, own_dsn)
    port = await stack.ready()
    async with aiohttp.ClientSession() as session:
        sending = asyncio.gather(*(insist(session, port, lead(n), key=f"{n}") for n in range(3 * LEADS)))
        for _ in range(6):
            await end_postgres(tmp_path, signal.SIGQUIT)
            await asyncio.to_thread(own_server.start)
            await asyncio.sleep(0.5)
        statuses = await sending
    assert {status for tried in statuses for status in tried} <= {200, 202, 429}
    await stack.finish(sandbox, 3 * LEADS)


async def test_a_long_transaction_holds_nobody_up(fleet: Fleet, sandbox: Sandbox, dsn: str, books: Books) -> None:
    stack = Stack(fleet, dsn)
    port = await stack.ready()
    report = await asyncpg.connect(dsn)
    async with report.transaction(isolation="repeatable_read"):
        # As a dump or somebody's report does: it sees all as it was, and no vacuum takes away what it may yet read.
        assert await report.fetchval("SELECT count(*) FROM runs") == 0
        async with aiohttp.ClientSession() as session:
            for number in range(LEADS):
                assert (await post(session, port, "website", lead(number), key=f"{number}")).status == 202
        await books.all_done(deliveries=LEADS)
        assert await report.fetchval("SELECT count(*) FROM runs") == 0
    await report.close()
    await stack.finish(sandbox, LEADS)
