"""Every page and every search of a business's long history: how long each takes, and what PostgreSQL reads for it.

    python bench/pages.py [--runs 1000000] [--contacts 100000] [--asks 40] [--keep FOLDER]

The size it is built for is ``--runs 10000000 --contacts 1000000``: 3.3 million deliveries and 13 million stored calls
(20 GB, about ten minutes to load on two cores). The web process is that of ``mainstay up``, without a worker; it is
asked over HTTP, signed in, each time about another run, contact or word, after one warm-up. The limit is 100 ms at
the median; on a machine that is busy with other things (it says so) it is held against the CPU time of web and
database together.
Then the same pages are made once more in this process, and each statement that they send is explained, planned for its
values and for any: none may read a big table from end to end. A page without an example here is an error. Exits with 1
beyond the limit, or on such a scan.

``--keep`` loads into a folder once, and measures what is there when it is called again.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg
import psutil
from asked import NOT_ASKED, PAGES
from history import DAYS, History, load, samples
from stand import STACK, percentile, tell

from mainstay.app import App, Bundle
from mainstay.cli.session import migrate_all
from mainstay.db import Connection, acquire
from mainstay.db.embedded import EmbeddedServer
from mainstay.model import new_id
from mainstay.settings import Environment, load_stack
from mainstay.web import create_sign_in_link
from mainstay.web.app import create_pages
from mainstay.web.binding import AppBackend
from mainstay.web.security import SESSION_COOKIE
from mainstay.web.sign_in import open_session

LIMIT_MS = 100.0
SECRETS = {"SLACK_TOKEN": "xoxb-bench-token-1234"}
MORE = """
[connections]
slack = { connector = "slack", token = "${SLACK_TOKEN}" }
[sources.website]
kind = "form"
[sources.facebook]
kind = "form"
[sources.calendly]
kind = "form"
"""
BIG = {
    "runs",
    "attempts",
    "deliveries",
    "contacts",
    "identifiers",
    "changes",
    "events",
    "crosswalk",
    "records",
    "tallies",
}


class Recorder:
    """A connection that notes each statement that is sent with values."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self.sent: dict[str, tuple[Any, ...]] = {}

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._connection, name)
        if name not in {"fetch", "fetchrow", "fetchval"}:
            return method

        async def noted(query: str, *values: Any) -> Any:
            self.sent[query] = values
            return await method(query, *values)

        return noted

    @asynccontextmanager
    async def acquire(self) -> AsyncIterator[Recorder]:
        """Lend itself, as a pool does."""
        yield self


def missing_pages(app: Any) -> set[str]:
    """Return the pages that nobody measures here."""
    asked = {template for template, _ in PAGES.values()} | NOT_ASKED
    return {route.path for route in app.routes if "GET" in (getattr(route, "methods", None) or ())} - asked


async def explain(dsn: str, stack: Path, history: History) -> list[str]:
    """Make each page in this process; returns its statements that read a big table from end to end."""
    app = await App.open(dsn, [Bundle(load_stack(stack, Environment.load(stack.parent, SECRETS)), ())])
    bad: list[str] = []
    try:
        async with acquire(app.pool) as connection:
            link = await create_sign_in_link(app.pool, "http://bench")
            session = await open_session(app.pool, link.partition("token=")[2]) or ""
            recorder: Any = Recorder(connection)
            app.pool, pool = recorder, app.pool
            pages = create_pages(AppBackend(app))
            missing = missing_pages(pages)
            if missing:
                bad.append(f"pages without an example: {', '.join(sorted(missing))}")
            for name, (_, ask) in PAGES.items():
                recorder.sent.clear()
                await _call(pages, ask(history, samples(history, 7)[-1]), session)
                for query, values in list(recorder.sent.items()):
                    read = await _scans(connection, query, values)
                    bad += [f"{name}: reads all of {table}: {' '.join(query.split())[:300]}" for table in read]
            app.pool = pool
    finally:
        await app.close()
    return bad


async def _call(pages: Any, address: str, session: str) -> None:
    path, _, query = address.partition("?")
    scope = {
        "type": "http", "method": "GET", "path": path, "raw_path": path.encode(), "query_string": query.encode(),
        "headers": [(b"cookie", f"{SESSION_COOKIE}={session}".encode())], "scheme": "http", "server": ("bench", 80),
        "client": ("127.0.0.1", 1), "root_path": "", "http_version": "1.1", "asgi": {"version": "3.0"},
    }  # fmt: skip
    status = 0

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        nonlocal status
        status = message.get("status", status)

    await pages(scope, receive, send)
    if status != 200:
        raise RuntimeError(f"{address} answered {status}")


async def _scans(connection: Connection, query: str, values: Sequence[Any]) -> set[str]:
    found: set[str] = set()
    # Planned for any parameter too: PostgreSQL may do so after the fifth use of a statement.
    for mode in ("force_custom_plan", "force_generic_plan"):
        await connection.execute(f"SET plan_cache_mode = {mode}")
        (row,) = await connection.fetch(f"EXPLAIN (FORMAT JSON) {query}", *values)
        found |= set(_scanned(json.loads(row[0])[0]["Plan"])) & BIG
    await connection.execute("RESET plan_cache_mode")
    return found


def _scanned(node: dict[str, Any]) -> Iterator[str]:
    if "Seq Scan" in node["Node Type"]:
        yield node["Relation Name"]
    for child in node.get("Plans", ()):
        yield from _scanned(child)


@dataclass(frozen=True)
class Taken:
    """What the asks for a page took, in milliseconds: each by the clock; CPU of the web and the database, a page."""

    times: Sequence[float]
    web: float
    database: float

    @property
    def median(self) -> float:
        """By the clock."""
        return percentile(self.times, 0.5)


def _cpu(processes: Sequence[psutil.Process]) -> float:
    total = 0.0
    for process in processes:
        with suppress(psutil.Error):
            times = process.cpu_times()
            total += times.user + times.system + times.children_user + times.children_system
    return total * 1000


async def measure(url: str, link: str, history: History, asks: int, pid: int, postmaster: int) -> dict[str, Taken]:
    """Ask for each page, each time about something else."""
    taken: dict[str, Taken] = {}
    server = psutil.Process(postmaster)
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
        token = link.partition("token=")[2]
        async with session.post(f"{url}/sign-in", data={"token": token}, headers={"Origin": url}) as answer:
            answer.raise_for_status()
        for name, (_, ask) in PAGES.items():
            times = []
            web, database = 0.0, 0.0
            for place, lead in enumerate(samples(history, asks + 1)):
                if place == 1:
                    web, database = _cpu([psutil.Process(pid)]), _cpu([server, *server.children()])
                began = time.perf_counter()
                async with session.get(url + ask(history, lead)) as answer:
                    text = await answer.text()
                times.append((time.perf_counter() - began) * 1000)
                if answer.status != 200 or "<main>" not in text:
                    raise RuntimeError(f"{name}: {ask(history, lead)} answered {answer.status}")
            web, database = _cpu([psutil.Process(pid)]) - web, _cpu([server, *server.children()]) - database
            taken[name] = Taken(times[1:], web / asks, database / asks)
    return taken


@contextmanager
def web(dsn: str, stack: Path) -> Iterator[tuple[str, str, int]]:
    """Have the web process of ``mainstay up``; gives its address, a sign-in link and its id."""
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "mainstay",
            "up",
            "--port",
            "0",
            "--workers",
            "0",
            "--allow-missing-workflows",
            "--stack",
            str(stack),
        ],
        env={**os.environ, "DATABASE_URL": dsn, **SECRETS},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        told = ""
        for line in process.stdout or ():
            told += line
            if "sign-in?token=" in line:
                break
        (link,) = re.findall(r"http\S+sign-in\?token=\S+", told)
        yield link.partition("/sign-in")[0], link, process.pid
    finally:
        process.terminate()
        process.wait()


@contextmanager
def _folder(kept: str) -> Iterator[Path]:
    if kept:
        Path(kept).mkdir(parents=True, exist_ok=True)
        yield Path(kept)
    else:
        with tempfile.TemporaryDirectory(prefix="mainstay-bench-") as name:
            yield Path(name)


async def _known(dsn: str) -> Any:
    connection = await asyncpg.connect(dsn)
    try:
        return await connection.fetchval("SELECT id FROM workspaces WHERE slug = 'bench'")
    finally:
        await connection.close()


def main() -> int:
    """Load, measure, explain and print; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=1_000_000)
    parser.add_argument("--contacts", type=int, default=100_000)
    parser.add_argument("--asks", type=int, default=40)
    parser.add_argument("--keep", default="", metavar="FOLDER")
    arguments = parser.parse_args()
    with _folder(arguments.keep) as folder:
        stack, memo = folder / "stack.toml", folder / "history.json"
        stack.write_text(STACK.format(slug="bench", more=MORE))
        server = EmbeddedServer(folder / "data")
        dsn = server.start()
        try:
            migrate_all(dsn)
            if memo.exists():
                history = History(asyncio.run(_known(dsn)), *json.loads(memo.read_text()))
            else:
                history = History(new_id(), arguments.runs, arguments.contacts, int(time.time() * 1000))
                began = time.perf_counter()
                for table, seconds in load(dsn, history).items():
                    tell(f"loaded {table}", seconds, "s")
                tell("loaded all", time.perf_counter() - began, "s")
                memo.write_text(json.dumps([history.runs, history.contacts, history.end]))
            print(
                f"{history.runs:,} runs of {DAYS} days, {history.contacts:,} contacts "
                f"(load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores); \n"
                "  ms by the clock: median, 99 %, most; of CPU: web, database"
            )
            postmaster = int((server.home / "data" / "postmaster.pid").read_text().splitlines()[0])
            with web(dsn, stack) as (url, link, pid):
                taken = asyncio.run(measure(url, link, history, arguments.asks, pid, postmaster))
            is_busy = os.getloadavg()[0] > (os.cpu_count() or 1)
            for name, each in sorted(taken.items(), key=lambda item: -item[1].median):
                shown = (each.median, percentile(each.times, 0.99), max(each.times), each.web, each.database)
                tell(name, "".join(f"{value:8.1f}" for value in shown))
            slow = [
                name
                for name, each in taken.items()
                if (each.web + each.database if is_busy else each.median) > LIMIT_MS
            ]
            by = "CPU, as the machine is busy" if is_busy else "the clock"
            tell(f"over the limit of {LIMIT_MS:g} ms, by {by}", ", ".join(slow) or "none")
            bad = asyncio.run(explain(dsn, stack, history))
            for each in bad or ("no statement reads a big table from end to end",):
                print(f"  {each}")
            return 1 if slow or bad else 0
        finally:
            server.stop()


if __name__ == "__main__":
    sys.exit(main())
