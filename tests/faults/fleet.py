"""Processes to kill, databases to look into, and what must hold after every fault."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import orjson
import psutil

from mainstay.sandbox.client import Sandbox
from tests.faults import invariants
from tests.faults.victim import READY, STRUCK, Orders

STACK = Path(__file__).parent / "stack"
POST = "answer: POST /slack/api/chat.postMessage"
MAIL = "answer: POST /postmark/email"
NOTE = "answer: POST /gohighlevel/contacts/ID/notes"
PUSH = "answer: POST /gohighlevel/contacts/upsert"
# Steps whose vendor takes no key and keeps no state: before a repeat it is asked.
UNKEYED = frozenset({"chat.post", "email.send", "crm.add_note"})
EVERY_STEP = {
    "journey.v1": {
        1: "chat.post",
        2: "crm.add_tag",
        3: "email.send",
        4: "wait_for message.received",
        5: "crm.add_note",
    }
}


# A slow machine is slow at everything: what this cuts off is a hang.
HANGS_SECONDS = 180.0


async def until(is_met: Callable[[], Any], what: str, *, seconds: float = HANGS_SECONDS, pause: float = 0.02) -> Any:
    """Ask until the answer is true, and return it; awaitables are awaited. AssertionError past the deadline."""
    deadline = time.monotonic() + seconds
    while True:
        found = is_met()
        if asyncio.iscoroutine(found):
            found = await found
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds:g} s: {what}")
        await asyncio.sleep(pause)


def postmaster(home: Path) -> int:
    """Return the number of the first process of the server in a folder; ProcessLookupError when none runs."""
    found = next(home.rglob("postmaster.pid"), None)
    if found is None:
        raise ProcessLookupError(home)
    return int(found.read_text("utf-8").split()[0])


async def end_postgres(home: Path, number: int) -> None:
    """End the server in a folder by a signal, and wait until it has ended.

    One that is only about to end still answers, and would be taken for one that runs by whoever starts it anew.
    """
    first = psutil.Process(postmaster(home))
    first.send_signal(number)
    await until(lambda: not first.is_running() or first.status() == psutil.STATUS_ZOMBIE, "PostgreSQL ends")


class Process:
    """One process of the fleet."""

    def __init__(self, pid: int, orders: Orders) -> None:
        self.pid = pid
        self.orders = orders
        self.code: int | None = None

    @property
    def passed(self) -> list[str]:
        """The boundaries it passed, and what else it noted."""
        path = Path(self.orders.passed)
        return path.read_text("utf-8").splitlines() if path.exists() else []

    @property
    def log(self) -> str:
        """What it wrote."""
        path = Path(f"{self.orders.passed}.log")
        return path.read_text("utf-8") if path.exists() else ""

    @property
    def is_struck(self) -> bool:
        """Whether it came to where it was to be struck."""
        return STRUCK in self.passed

    async def ready(self) -> str:
        """Wait until it works; returns a worker's id, or a server's port."""

        def said() -> str:
            assert self.code is None or self.is_struck, f"it ended with {self.code}:\n{self.log}"
            return next((line.partition(" ")[2] for line in self.passed if line.startswith(READY)), "")

        try:
            found: str = await until(said, "ready")
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.log}") from None
        return found

    async def struck(self) -> None:
        """Wait until it came to where it was to be struck."""

        def is_struck() -> bool:
            assert self.is_struck or self.code is None, f"it ended with {self.code}:\n{self.log}"
            return self.is_struck

        try:
            await until(is_struck, f"{self.orders.strike} is passed")
        except AssertionError as error:
            raise AssertionError(f"{error}; so far {self.passed}\n{self.log}") from None

    async def ended(self) -> int:
        """Wait until it is gone; returns its code, negative for a signal."""
        await until(lambda: self.code is not None, f"the process is gone\n{self.log}")
        assert self.code is not None
        return self.code

    async def killed(self) -> None:
        """Wait until SIGKILL has ended it; AssertionError with its log where something else has."""
        code = await self.ended()
        assert code == -signal.SIGKILL, f"it ended with {code}:\n{self.log}"

    def send(self, number: signal.Signals) -> None:
        """Send a signal."""
        os.kill(self.pid, number)

    async def kill(self) -> None:
        """End it by SIGKILL, whatever it does, and wait until it is gone."""
        if self.code is None:
            self.send(signal.SIGKILL)
            await self.ended()


class Fleet:
    """The mother of all processes under test."""

    def __init__(self, folder: Path, sandbox_url: str) -> None:
        self._folder = folder
        self._sandbox_url = sandbox_url
        self._count = 0
        self._processes: dict[int, Process] = {}
        self._ended: dict[int, int] = {}
        self._started: list[int] = []
        self._heard = threading.Condition()
        self._mother = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.victim"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=Path(__file__).parents[2],
        )
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    @property
    def logs(self) -> str:
        """The end of what each process has said."""
        return "\n\n".join(f"{process.pid}:\n{process.log[-4000:]}" for process in self._processes.values())

    def start(self, dsn: str, **orders: Any) -> Process:
        """Start a process; see :class:`Orders`."""
        self._count += 1
        given = Orders(
            dsn=dsn,
            sandbox=orders.pop("sandbox", self._sandbox_url),
            stack=str(orders.pop("stack", STACK)),
            passed=str(self._folder / f"{self._count}"),
            **orders,
        )
        with self._heard:
            assert self._mother.stdin is not None
            self._mother.stdin.write(given.line())
            self._mother.stdin.flush()
            is_heard = self._heard.wait_for(lambda: self._started or self._mother.poll() is not None, HANGS_SECONDS)
            assert is_heard, "the mother process does not answer"
            assert self._started, f"the mother process ended with {self._mother.returncode}"
            process = Process(self._started.pop(), given)
            process.code = self._ended.pop(process.pid, None)
            self._processes[process.pid] = process
        return process

    def close(self) -> None:
        """End every process."""
        assert self._mother.stdin is not None
        assert self._mother.stdout is not None
        self._mother.stdin.close()
        self._mother.wait(HANGS_SECONDS)
        self._listener.join(HANGS_SECONDS)
        self._mother.stdout.close()

    def _listen(self) -> None:
        assert self._mother.stdout is not None
        for line in self._mother.stdout:
            news = json.loads(line)
            with self._heard:
                if "started" in news:
                    self._started.append(news["started"])
                elif news["ended"] in self._processes:
                    self._processes.pop(news["ended"]).code = news["code"]
                else:
                    self._ended[news["ended"]] = news["code"]
                self._heard.notify_all()


class Books:
    """One database under test, read afresh at every question."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self._connection = connection

    @classmethod
    async def open(cls, dsn: str) -> Books:
        """Connect."""
        connection = await asyncpg.connect(dsn)
        await connection.set_type_codec("jsonb", encoder=json.dumps, decoder=orjson.loads, schema="pg_catalog")
        return cls(connection)

    async def close(self) -> None:
        """Leave."""
        await self._connection.close()

    async def rows(self, query: str, *arguments: Any) -> list[dict[str, Any]]:
        """Return what a query finds."""
        return [dict(row) for row in await self._connection.fetch(query, *arguments)]

    async def value(self, query: str, *arguments: Any) -> Any:
        """Return the first column of the first row."""
        return await self._connection.fetchval(query, *arguments)

    @asynccontextmanager
    async def held(self, run_id: Any) -> AsyncIterator[None]:
        """Keep everyone else from writing to a run; what is asked meanwhile goes into one transaction with that."""
        async with self._connection.transaction():
            await self._connection.execute("SELECT FROM runs WHERE id = $1 FOR UPDATE", run_id)
            yield

    async def is_blocking(self) -> bool:
        """Tell whether somebody waits for what is held."""
        found: bool = await self.value(
            "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE pg_backend_pid() = ANY(pg_blocking_pids(pid)))"
        )
        return found

    async def all_done(self, *, seconds: float = HANGS_SECONDS, deliveries: int = 1) -> None:
        """Wait until as many deliveries are kept, no run is open, and whoever is to be told by now was told."""

        async def is_done() -> bool:
            return bool(
                await self.value(
                    """
                    SELECT (SELECT count(*) FROM deliveries) >= $1
                       AND NOT EXISTS (SELECT FROM runs WHERE state IN ('queued', 'running', 'waiting'))
                       AND NOT EXISTS (SELECT FROM incidents WHERE alert_due_at <= now())
                    """,
                    deliveries,
                )
            )

        try:
            await until(is_done, "no run is open", seconds=seconds, pause=0.05)
        except AssertionError:
            runs = await self.rows(
                """
                SELECT id, workflow, state, waiting_for, wake_at, error, execution_id, claim FROM runs
                WHERE state IN ('queued', 'running', 'waiting')
                """
            )
            queue = await self.rows(
                "SELECT workflow_uuid, status, executor_id FROM dbos.workflow_status WHERE status <> 'SUCCESS'"
            )
            waits = await self.rows("SELECT event_type, event FROM waits")
            attempts = await self.rows(
                "SELECT * FROM attempts WHERE run_id IN (SELECT id FROM runs WHERE state IN ('running', 'waiting'))"
            )
            busy = await self.rows(
                """
                SELECT pid, state, wait_event, now() - query_start AS since, pg_blocking_pids(pid) AS blocked_by, query
                FROM pg_stat_activity WHERE datname = current_database() AND state <> 'idle'
                """
            )
            said = f"still open: {runs}\nqueue: {queue}\nwaits: {waits}\nattempts: {attempts}\nserver: {busy}"
            raise AssertionError(said) from None

    async def problems(self, sandbox: Sandbox, *, beside: Collection[str] = ()) -> list[str]:
        """Return what is wrong in the books of a database where all should be done, and with it at the vendors.

        ``beside``: see :func:`tests.faults.invariants.problems`.
        """
        found = [
            f"{row['workflow']} is {row['state']}: {row['error']}"
            for row in await self.rows("SELECT workflow, state, error FROM runs WHERE state <> 'done'")
        ]
        found += [
            f"a delivery is {row['state']}: {row['reason']}"
            for row in await self.rows("SELECT state, reason FROM deliveries WHERE state <> 'processed'")
        ]
        for workflow, names in EVERY_STEP.items():
            rows = await self.rows(
                """
                SELECT id, ARRAY(SELECT step || ' ' || name FROM attempts WHERE run_id = runs.id) AS steps
                FROM runs WHERE workflow = $1
                """,
                workflow,
            )
            expected = {f"{number} {name}" for number, name in names.items()}
            found += [f"the steps of {workflow} are {row}" for row in rows if set(row["steps"]) != expected]
        rows = await self.rows(
            """
            SELECT id FROM runs WHERE workflow = 'push.v1' AND state = 'done'
              AND (SELECT count(DISTINCT step) <> max(step) IS NOT FALSE FROM attempts WHERE run_id = id)
            """
        )
        found += [f"a push did not push: {row}" for row in rows]
        return found + await invariants.problems(self, sandbox, beside=beside)

    async def marked(self) -> list[str]:
        """Return the steps whose attempts say that they may be repeats."""
        return [row["name"] for row in await self.rows("SELECT name FROM attempts WHERE repeated ORDER BY name")]

    async def found(self) -> list[str]:
        """Return the steps that a vendor was found to have done, so that they were not done again."""
        return [row["name"] for row in await self.rows("SELECT name FROM attempts WHERE guard = 'found' ORDER BY name")]


def vendor_copies(sandbox: Sandbox, email: str) -> dict[str, int]:
    """Count what the vendors hold of one lead: contacts, tags, notes, posts and mails."""
    crm = sandbox.state("gohighlevel")
    contacts = [contact for contact in crm["contacts"] if contact.get("email") == email]
    return {
        "contacts": len(contacts),
        "tags": sum(contact["tags"].count("speed-to-lead") for contact in contacts),
        "crm.add_note": sum(email in str(note) for note in crm["notes"]),
        "chat.post": sum(str(message.get("text", "")).endswith(email) for message in sandbox.messages("slack")),
        "email.send": sum(message["To"] == email for message in sandbox.messages("postmark")),
    }


ONCE: Mapping[str, int] = {"contacts": 1, "tags": 1, "crm.add_note": 1, "chat.post": 1, "email.send": 1}
