"""Real worker and web processes that die, stop or hold at a chosen boundary; the product's code is untouched.

``python -m tests.faults.victim`` imports everything once, then forks a process for each line of JSON on its standard
input (see :class:`Orders`): a start costs a fraction of a second. Each process writes the boundaries it passes, a line
each, to its own file; how it ended is told on standard output.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import re
import select
import signal
import socket
import sys
import traceback
from collections import Counter
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import pytest
import sqlalchemy
import uvicorn
import uvloop

from mainstay.app import App, Bundle
from mainstay.cli.logs import set_up_logging
from mainstay.connectors.gohighlevel import pulling as gohighlevel
from mainstay.connectors.google_sheets import table
from mainstay.connectors.google_sheets.table import GoogleSheetsTable
from mainstay.db import GroupCommit, pool, transact
from mainstay.engine import dbos_engine, driver, retrying
from mainstay.kit import Http
from mainstay.mirrors import comparing, deciding, drifts, giving_back, writing
from mainstay.model import Retry
from mainstay.pulls import pulling
from mainstay.pulls import records as record_pulls
from mainstay.records import push
from mainstay.runs import claim_execution, send_some
from mainstay.runs import look_again as look_for_turn
from mainstay.sandbox.client import Sandbox
from mainstay.settings.stack import Stack, load_stack
from mainstay.settings.workflows import load_workflows
from mainstay.testing.stack import SampleEnvironment, point_at_sandbox
from mainstay.web import intake
from mainstay.web.binding import Server

# A boundary's name is the same in each telling, whatever the vendors number things by.
_AN_ID = re.compile(
    r"(?<=/contacts/)(?!upsert|search|batch)[^/]+|(?<=/spreadsheets/)[\w-]+|(?<=/customer/)\d+|(?<=/invoice/)\d+"
    r"|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
)
# Of commits that every beat makes, those count that wrote.
_IF_WRITTEN = "at "
_HAS_WRITTEN = "SELECT (pg_current_xact_id_if_assigned() IS NOT NULL)::integer"
TAKE = "before commit: take from the queue"
READY = "ready"
STRUCK = "struck"


@dataclass(frozen=True, slots=True)
class Orders:
    """What a process is, and what befalls it.

    ``stack`` is the folder of a stack, or of several, as paths are listed in PATH. ``strike`` names a boundary and
    ``nth`` which passing of it; ``action`` is what then happens: ``kill`` (SIGKILL), ``stop`` (SIGSTOP) or ``hold``
    (the task waits for ever, the process lives on). Times are in seconds. ``rows`` is how many go to a sheet, come
    from a CRM or are written of a pull at once; 0 for as many as ever.
    """

    dsn: str
    sandbox: str
    stack: str
    passed: str
    kind: str = "worker"
    strike: str = ""
    nth: int = 1
    action: str = "kill"
    heartbeat: float = 0.3
    dead_after: float = 12.0
    first_retry: float = 0.2
    lookup_after: float = 0.2
    local_wait: float = 2.0
    patience: float = 60.0
    rows: int = 0

    def line(self) -> bytes:
        """Return the orders as the mother process reads them."""
        return json.dumps(asdict(self)).encode() + b"\n"


class Instrument:
    """Counts boundaries, and strikes at one."""

    def __init__(self, orders: Orders) -> None:
        self._orders = orders
        self._file = os.open(orders.passed, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        self._seen: Counter[str] = Counter()

    def note(self, line: str) -> None:
        """Write a line that outlives the process."""
        os.write(self._file, line.encode() + b"\n")

    async def boundary(self, name: str) -> None:
        """Pass a boundary, or do not."""
        if not self._is_struck(name):
            return
        if self._orders.action == "hold":
            await asyncio.Event().wait()
        self._strike()

    def _is_struck(self, name: str) -> bool:
        self.note(name)
        self._seen[name] += 1
        if (name, self._seen[name]) != (self._orders.strike, self._orders.nth):
            return False
        self.note(STRUCK)
        return True

    def _strike(self) -> None:
        os.kill(os.getpid(), signal.SIGKILL if self._orders.action == "kill" else signal.SIGSTOP)

    def _observe_the_queue(self) -> None:
        # How many are taken at once is chance, so that nobody counts on it.
        if self._orders.strike == TAKE:
            sqlalchemy.event.listen(sqlalchemy.Engine, "after_cursor_execute", self._taken)

    def _taken(self, _connection: Any, cursor: Any, statement: str, *_: Any) -> None:
        """Pass the boundary between DBOS's taking executions from the queue and its commit of that."""
        if (
            "recovery_attempts" in statement
            and "executor_id" in statement
            and cursor.rowcount > 0
            and self._is_struck(TAKE)
        ):
            self._strike()

    def install(self) -> None:
        """Wrap what commits and what hears from vendors."""
        under_way: ContextVar[tuple[str, ...]] = ContextVar("under_way", default=())
        transaction, claim, look_again = GroupCommit._transaction, claim_execution, driver.Driver._after_park
        leave, exchange, ask = asyncpg.transaction.Transaction.__aexit__, Http._exchange, Http.request

        async def grouped(own: GroupCommit, batch: list[tuple[Any, Any, Any]]) -> list[Any]:
            token = under_way.set(tuple(sorted({write.name for write, _, _ in batch})))
            try:
                return await transaction(own, batch)
            except Exception as error:
                self.note(f"failed: {error!r}")
                raise
            finally:
                under_way.reset(token)

        async def claimed(*arguments: Any, **options: Any) -> Any:
            token = under_way.set(("claim an execution",))
            try:
                return await claim(*arguments, **options)
            finally:
                under_way.reset(token)

        async def committed(own: Any, kind: type[BaseException] | None, *rest: Any) -> None:
            names = under_way.get() if kind is None else ()
            if names and names[0].startswith(_IF_WRITTEN):
                names = names * await own._connection.fetchval(_HAS_WRITTEN)
            for name in names:
                await self.boundary(f"before commit: {name}")
            await leave(own, kind, *rest)
            for name in names:
                await self.boundary(f"after commit: {name}")

        async def heard(own: Http, entry: dict[str, Any], method: str, url: str, **options: Any) -> Any:
            response = await exchange(own, entry, method, url, **options)
            await self.boundary(f"answer: {method} {_AN_ID.sub('ID', urlsplit(url).path)}")
            return response

        async def asked(own: Http, method: str, path: str, **options: Any) -> Any:
            # A kill here is one after the commit before; only a pause differs.
            if self._orders.strike.startswith("ask:"):
                await self.boundary(f"ask: {method} {path}")
            return await ask(own, method, path, **options)

        async def sent(*arguments: Any, **options: Any) -> Any:
            await self.boundary("begin: send some")
            next_at = await send_some(*arguments, **options)
            await self.boundary("before commit: send some")
            return next_at

        patch = pytest.MonkeyPatch()
        _name_transactions(patch, under_way)
        patch.setattr(retrying, "send_some", sent)
        patch.setattr(GroupCommit, "_transaction", grouped)
        patch.setattr(driver, "claim_execution", claimed)
        patch.setattr(driver.Driver, "_after_park", _named(under_way, "look again after parking", look_again))
        patch.setattr(driver, "look_again", _named(under_way, "look for a turn", look_for_turn))
        patch.setattr(asyncpg.transaction.Transaction, "__aexit__", committed)
        patch.setattr(Http, "_exchange", heard)
        patch.setattr(Http, "request", asked)
        self._observe_the_queue()


def _name_transactions(patch: pytest.MonkeyPatch, under_way: ContextVar[tuple[str, ...]]) -> None:
    """Let each transaction of mirrors and pulls be named by the function that makes it."""

    def transacted(pool: Any, work: Any, **options: Any) -> Any:
        name = f"{_IF_WRITTEN}{sys._getframe(1).f_code.co_qualname}"
        return _named(under_way, name, transact)(pool, work, **options)

    for module in (comparing, deciding, drifts, giving_back, pulling, record_pulls, writing):
        patch.setattr(module, "transact", transacted)


def _named(
    under_way: ContextVar[tuple[str, ...]], name: str, function: Callable[..., Awaitable[Any]]
) -> Callable[..., Awaitable[Any]]:
    """Return a function whose commits are boundaries of this name."""

    async def named(*arguments: Any, **options: Any) -> Any:
        token = under_way.set((name,))
        try:
            return await function(*arguments, **options)
        finally:
            under_way.reset(token)

    return named


def _hurry(orders: Orders) -> None:
    """Shorten the product's waits, and its batches; nothing else."""
    if orders.rows:
        GoogleSheetsTable.batch = gohighlevel.BATCH = record_pulls._AT_ONCE = orders.rows
        # An empty sheet has a thousand rows.
        vars(table)["ROWS_IN_A_PAGE"] = 600
    dbos_engine.HEARTBEAT_SECONDS = orders.heartbeat
    dbos_engine.DEAD_AFTER_SECONDS = orders.dead_after
    push._LOCAL_WAIT_SECONDS = orders.local_wait
    intake.PATIENCE_SECONDS = orders.patience
    pool.IDLE_IN_TRANSACTION_SECONDS = min(pool.IDLE_IN_TRANSACTION_SECONDS, orders.dead_after)
    pool.TRANSACTION_SECONDS = 5.0 + orders.dead_after


def _in_a_hurry(stack: Stack, orders: Orders) -> Stack:
    """Return the same stack with a short patience, and vendors whose look-ups can be trusted soon."""
    connections = {
        name: replace(entry, connector=replace(entry.connector, lookup_after=orders.lookup_after))
        for name, entry in stack.connections.items()
    }
    retry = Retry(first=orders.first_retry, longest="1s")
    return replace(stack, connections=connections, retries={"default": retry, **stack.retries})


async def open_app(orders: Orders) -> App:
    """Open the stack's app, its vendors simulated."""
    bundles = []
    for folder in map(Path, orders.stack.split(os.pathsep)):
        stack = point_at_sandbox(load_stack(folder, SampleEnvironment.load(folder, {})), Sandbox(orders.sandbox))
        bundles.append(Bundle(_in_a_hurry(stack, orders), tuple(load_workflows(folder))))
    return await App.open(orders.dsn, bundles, pool_size=5)


async def _work(orders: Orders, instrument: Instrument) -> None:
    app = await open_app(orders)
    worker = dbos_engine.Worker(orders.dsn, app.pool, app.driver, on_beat=app.watch_once)
    await worker.start()
    beside = [asyncio.create_task(each) for each in (app.scheduler.run(), app.gates.tend(), app.heart.run())]
    instrument.note(f"{READY} {worker.id}")
    await _terminated()
    for task in beside:
        task.cancel()
    await worker.stop()
    await app.close()


async def _serve(orders: Orders, instrument: Instrument) -> None:
    app = await open_app(orders)
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        Server(app, trust_url=False), loop="none", http="httptools", ws="none", lifespan="off", log_config=None
    )
    instrument.note(f"{READY} {listener.getsockname()[1]}")
    await uvicorn.Server(config).serve(sockets=[listener])
    await app.close()


async def _terminated() -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await stop.wait()


def _live(orders: Orders) -> None:
    """Be the process that the orders describe."""
    log = os.open(f"{orders.passed}.log", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    silence = os.open(os.devnull, os.O_RDONLY)
    for old, new in ((silence, 0), (log, 1), (log, 2)):
        os.dup2(old, new)
    set_up_logging("text")
    logging.captureWarnings(capture=True)
    _hurry(orders)
    instrument = Instrument(orders)
    instrument.install()
    kinds: dict[str, Callable[[Orders, Instrument], Awaitable[None]]] = {"worker": _work, "web": _serve}
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(kinds[orders.kind](orders, instrument))  # type: ignore[arg-type]


def _say(**news: int) -> None:
    os.write(1, json.dumps(news).encode() + b"\n")


def main() -> None:
    """Fork a process for each order, tell how each ended; when nobody listens any more, end all and go."""
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    children: set[int] = set()
    unread = b""
    while True:
        readable, _, _ = select.select([0, woken], [], [])
        if woken in readable:
            os.read(woken, 4096)
            children -= _reap(children)
        if 0 not in readable:
            continue
        chunk = os.read(0, 65536)
        if not chunk:
            break
        *lines, unread = (unread + chunk).split(b"\n")
        for line in lines:
            pid = os.fork()
            if pid == 0:
                signal.set_wakeup_fd(-1)
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                code = 1
                try:
                    _live(Orders(**json.loads(line)))
                    code = 0
                except BaseException:  # noqa: BLE001 - it must not fall into the mother's loop
                    traceback.print_exc()
                finally:
                    sys.stderr.flush()
                    os._exit(code)
            children.add(pid)
            _say(started=pid)
    for pid in children:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def _reap(children: set[int]) -> set[int]:
    gone = set()
    for pid in children:
        found, status = os.waitpid(pid, os.WNOHANG)
        if found:
            gone.add(pid)
            _say(ended=pid, code=os.waitstatus_to_exitcode(status))
    return gone


if __name__ == "__main__":
    main()
