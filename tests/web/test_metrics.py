"""Whether it lives, whether it can work, and its figures, as load balancers and Prometheus ask."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families

from mainstay.db import acquire
from mainstay.db.tallies import add_tallies, add_up_hours
from mainstay.kit.http import open_session
from mainstay.testing import StackUnderTest
from mainstay.web import metrics
from mainstay.web.binding import Server
from tests.conftest import MakeStack
from tests.web.serving import listen, serving

TOKEN = "a token that is long enough"
STACK = """
[connections.slack]
connector = "slack"
token = "${SLACK_TOKEN}"

[sources.website]
kind = "json"

[monitors.nightly]
every = "1d"
"""
WORKFLOW = """
    @workflow("welcome.v1", on="contact.created")
    async def welcome(ctx: Context, contact: Contact) -> None:
        await ctx.chat.post("#leads", f"{contact.name}")
"""
DASHBOARD = Path(__file__).parents[2] / "docs/grafana.json"


@dataclass
class Watcher:
    stack: StackUnderTest
    session: aiohttp.ClientSession
    base: str

    async def ask(self, path: str, *, method: str = "GET", token: str = TOKEN) -> tuple[int, str]:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        async with self.session.request(method, self.base + path, headers=headers) as answer:
            return answer.status, await answer.text()

    async def figures(self) -> dict[tuple[str, frozenset[str]], float]:
        """Return each sample by its name and the values of its labels."""
        status, text = await self.ask("/metrics")
        assert status == 200
        return {
            (sample.name, frozenset(sample.labels.values())): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }


@pytest.fixture
async def watcher(make_stack: MakeStack, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Watcher]:
    monkeypatch.setattr(metrics, "_FRESH_SECONDS", 0.0)
    stack = await make_stack(STACK, WORKFLOW)
    listener, base = listen()
    server = Server(stack.app, trust_url=False, metrics_token=TOKEN)
    async with serving(server, listener), open_session() as session:
        yield Watcher(stack, session, base)


async def test_ready_says_what_is_missing_and_a_silent_worker_turns_no_lead_away(watcher: Watcher) -> None:
    status, text = await watcher.ask("/readyz")
    assert (status, text.splitlines()) == (200, ["ready", "database: ok", "schema: ok", "worker: silent"])
    status, text = await watcher.ask("/readyz?worker=required")
    assert (status, text.splitlines()[0]) == (503, "not ready")
    async with acquire(watcher.stack.app.pool) as connection:
        await connection.execute("INSERT INTO workers (id, host, pid, process_start) VALUES ('w', 'h', 1, 1)")
    assert (await watcher.ask("/readyz?worker=required"))[0] == 200
    async with acquire(watcher.stack.app.pool) as connection:
        await connection.execute("UPDATE workers SET heartbeat_at = now() - interval '1 minute'")
        await connection.execute("UPDATE alembic_version SET version_num = '0'")
    status, text = await watcher.ask("/readyz")
    assert status == 503
    assert "schema: not of this version" in text
    assert "worker: silent" in text
    assert (await watcher.ask("/healthz"))[0] == 200


async def test_only_who_shows_the_token_reads_the_metrics(watcher: Watcher) -> None:
    assert (await watcher.ask("/metrics", token=""))[0] == 401
    assert (await watcher.ask("/metrics", token=TOKEN + "x"))[0] == 401
    assert (await watcher.ask("/metrics", method="POST"))[0] == 405
    assert (await watcher.ask("/metrics", method="HEAD")) == (200, "")
    closed = Server(watcher.stack.app, trust_url=False)
    listener, base = listen()
    async with serving(closed, listener):
        for token in ("", TOKEN):
            assert (await Watcher(watcher.stack, watcher.session, base).ask("/metrics", token=token))[0] == 404


async def test_the_figures_are_those_of_what_happened(watcher: Watcher) -> None:
    stack = watcher.stack
    for name in ("Ann", "Bea"):
        await stack.submit("website", email=f"{name.lower()}@example.com", name=name)
    await watcher.ask("/in/acme/nothing", method="POST")
    found = await watcher.figures()
    assert found["mainstay_deliveries_total", frozenset({"acme", "website", "accepted"})] == 2
    assert found["mainstay_runs_ended_total", frozenset({"acme", "welcome.v1", "done"})] == 2
    assert found["mainstay_vendor_calls_total", frozenset({"acme", "slack", "ok"})] == 2
    assert found["mainstay_runs", frozenset({"acme", "queued"})] == 0
    assert found["mainstay_incidents_open", frozenset({"acme"})] == 0
    assert found["mainstay_monitor_up", frozenset({"acme", "ping", "nightly"})] == 1
    assert found["mainstay_database_up", frozenset()] == 1
    assert found["mainstay_workers", frozenset()] == 0
    assert found["mainstay_http_requests_total", frozenset({"intake", "4xx"})] == 1
    assert found["process_resident_memory_bytes", frozenset()] > 0


async def test_totals_stay_the_same_while_hours_are_added_up_by_many(watcher: Watcher) -> None:
    app = watcher.stack.app
    workspace_id = next(iter(app.workspaces))
    key = (workspace_id, "source website", "accepted")
    for hours in (50, 3, 2, 1, 0):
        async with acquire(app.pool) as connection:
            await add_tallies(connection, {key: 10})
            await connection.execute(
                "UPDATE tallies SET hour = hour - $1::interval WHERE hour = date_trunc('hour', now())",
                timedelta(hours=hours),
            )

    async def add_up() -> bool:
        async with acquire(app.pool) as connection, connection.transaction():
            return await add_up_hours(connection)

    async def total() -> float:
        return (await watcher.figures())["mainstay_deliveries_total", frozenset({"acme", "website", "accepted"})]

    assert await total() == 50
    done = await asyncio.gather(*(add_up() for _ in range(6)))
    assert sum(done) == 1, "one of them adds up"
    assert await total() == 50
    async with acquire(app.pool) as connection:
        assert await connection.fetchval("SELECT sum(count) FROM totals") == 30, "ended hours, but for the last"
        await add_tallies(connection, {key: 1})
    assert await total() == 51
    # Another hour is over.
    async with acquire(app.pool) as connection:
        await connection.execute("UPDATE totals_until SET hour = hour - interval '1 hour'")
        await connection.execute("UPDATE totals SET count = count - 10")
    await add_up()
    assert await total() == 51


async def test_a_database_that_is_away_is_a_figure(watcher: Watcher, monkeypatch: pytest.MonkeyPatch) -> None:
    async def hangs(*_: Any, **__: Any) -> Any:
        await asyncio.Event().wait()

    monkeypatch.setattr(metrics, "measure", hangs)
    monkeypatch.setattr(metrics, "_PATIENCE_SECONDS", 0.05)
    found = await watcher.figures()
    assert found["mainstay_database_up", frozenset()] == 0
    assert not any(name == "mainstay_workers" for name, _ in found)


async def test_the_dashboard_uses_exactly_the_figures_that_there_are(watcher: Watcher) -> None:
    await watcher.stack.submit("website", email="ann@example.com", name="Ann")
    async with acquire(watcher.stack.app.pool) as connection:
        await connection.execute("INSERT INTO workers (id, host, pid, process_start) VALUES ('w', 'h', 1, 1)")
    _, text = await watcher.ask("/metrics")
    families = list(text_string_to_metric_families(text))
    ours = {family.name for family in families if family.name.startswith("mainstay_")}
    written = DASHBOARD.read_text()
    used = set(re.findall(r"\b(?:mainstay|process)_[a-z_]+", written))
    known = {sample.name for family in families for sample in family.samples} | ours
    assert used - known - {"mainstay_pulled_changes_total"} == set(), "the dashboard asks for what there is not"
    shown = {re.sub(r"_(?:total|bucket)$", "", name) for name in used}
    assert ours - shown == set(), "there is what the dashboard does not show"
    labels = {label for family in families for sample in family.samples for label in sample.labels}
    grouped = {label for group in re.findall(r"by \(([^)]*)\)", written) for label in group.split(", ")}
    assert grouped <= labels | {"instance"}
    assert json.loads(written)["uid"] == "mainstay"
