"""Every query of insight, as it is really sent, on a seeded database: none may read a big table from end to end."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from mainstay import insight
from mainstay.db import Connection, Pool, acquire
from mainstay.insight import RunFilter
from mainstay.insight.retries import bulk_retry, count_chosen, list_bulk_retries, list_chosen, retries_of
from mainstay.insight.tallies import waiting_by_connection
from mainstay.insight.versions import open_runs
from mainstay.insight.weekly import SAMPLE, weekly_review
from mainstay.insight.weeks import Week
from mainstay.model import first_id_at
from mainstay.runs import Brake, Chosen, begin_bulk
from tests.insight.seed import Seed
from tests.plans import Recorder, scans

BIG = {
    "deliveries", "contacts", "identifiers", "changes", "events", "crosswalk", "runs", "attempts", "incidents",
    "tallies", "merges", "suggestions", "hand_retries",
}  # fmt: skip
ZONE = ZoneInfo("America/Chicago")
CONTACTS, RUNS = 12_000, 30_000


async def _no_big_scan(connection: Connection, recorder: Recorder) -> None:
    assert recorder.sent
    for query, values in recorder.sent:
        # Planned for any parameter too: PostgreSQL may do so after the fifth use of a statement.
        for mode in ("force_custom_plan", "force_generic_plan"):
            await connection.execute(f"SET plan_cache_mode = {mode}")
            rows = await connection.fetch(f"EXPLAIN (FORMAT JSON) {query}", *values)
            plan = json.loads(rows[0][0])[0]["Plan"]
            bad = set(scans(plan)) & BIG
            assert not bad, f"{mode}: reads all of {bad}\n{query}"


CALLS: dict[str, Callable[[Any, Any, Any], Awaitable[Any]]] = {
    "verdict": lambda c, w, _: insight.verdict(c, w, datetime.now(UTC)),
    "runs": lambda c, w, _: insight.list_runs(c, w, RunFilter()),
    "runs before": lambda c, w, i: insight.list_runs(c, w, RunFilter(), before=i["run"]),
    "runs newest": lambda c, w, _: insight.newest_run(c, w),
    "runs newer": lambda c, w, i: insight.count_newer_runs(c, w, "", i["run"]),
    "runs newer of a workflow": lambda c, w, i: insight.count_newer_runs(c, w, "push.v1", i["run"]),
    "runs of a workflow": lambda c, w, _: insight.list_runs(c, w, RunFilter(workflow="push.v1")),
    "runs of a contact": lambda c, w, i: insight.list_runs(c, w, RunFilter(contact_id=i["contact"])),
    "runs of an incident": lambda c, w, i: insight.list_runs(c, w, RunFilter(incident_id=i["incident"])),
    "runs by name": lambda c, w, _: insight.list_runs(c, w, RunFilter(text="johnson77", region="US")),
    "runs by id alone": lambda c, w, i: insight.list_runs(c, w, RunFilter(text=i["run"].hex[-8:], by_id_alone=True)),
    "runs by error": lambda c, w, _: insight.list_runs(c, w, RunFilter(text="out of credit", state="failed")),
    **{
        f"runs {state}": lambda c, w, _, state=state: insight.list_runs(c, w, RunFilter(state=state))  # type: ignore[misc]
        for state in ("queued", "running", "waiting", "failed", "stopped", "done")
    },
    "run": lambda c, w, i: insight.run_detail(c, w, i["run"]),
    "runs of a delivery": lambda c, w, i: insight.runs_of_delivery(c, w, i["delivery"]),
    "workflows": lambda c, w, _: insight.workflows_seen(c, w, datetime.now(UTC)),
    "contacts": lambda c, w, _: insight.list_contacts(c, w),
    "contacts by name": lambda c, w, _: insight.search_contacts(c, w, "Sarah Johnson1"),
    "contacts by e-mail": lambda c, w, _: insight.search_contacts(c, w, "person77@"),
    "contacts by phone": lambda c, w, _: insight.search_contacts(c, w, "(312) 555-00", region="US"),
    "contacts by id": lambda c, w, _: insight.search_contacts(c, w, "abc"),
    "contact": lambda c, w, i: insight.contact_detail(c, w, i["contact"]),
    "contact that was merged": lambda c, w, i: insight.contact_detail(c, w, i["merged"]),
    "timeline of a survivor": lambda c, w, i: insight.timeline(c, w, i["merged"], before=i["run"]),
    "contacts by the id of a merged one": lambda c, w, i: insight.search_contacts(c, w, str(i["merged"])[-8:]),
    "suggestions": lambda c, w, _: insight.list_suggestions(c, w),
    "suggestions before": lambda c, w, i: insight.list_suggestions(c, w, before=i["suggestion"]),
    "suggestions decided": lambda c, w, _: insight.list_decided(c, w),
    "suggestions decided before": lambda c, w, i: insight.list_decided(c, w, before=i["suggestion"]),
    "suggestions waiting": lambda c, w, _: insight.suggestions_waiting(c, w),
    "review": lambda c, w, _: insight.review(c, w),
    "review of one": lambda c, w, i: insight.review(c, w, i["suggestion"]),
    "timeline": lambda c, w, i: insight.timeline(c, w, i["contact"]),
    "deliveries": lambda c, w, _: insight.list_deliveries(c, w),
    "deliveries of a source": lambda c, w, _: insight.list_deliveries(c, w, source="website"),
    **{
        f"deliveries {state}": lambda c, w, _, state=state: insight.list_deliveries(c, w, state=state)  # type: ignore[misc]
        for state in ("accepted", "processed", "ignored", "rejected", "failed")
    },
    "delivery": lambda c, w, i: insight.delivery_detail(c, w, i["delivery"]),
    "deliveries by id": lambda c, w, _: insight.find_deliveries(c, w, "abcd"),
    "incidents": lambda c, w, _: insight.open_incidents(c, w),
    "incidents newer": lambda c, w, _: insight.count_newer_incidents(c, w, datetime.now(UTC)),
    "incidents resolved": lambda c, w, i: insight.resolved_incidents(c, w, before=i["incident"]),
    "incident": lambda c, w, i: insight.incident_detail(c, w, i["incident"]),
    "sources": lambda c, w, _: insight.source_overview(c, w, datetime.now(UTC), timezone="America/Chicago"),
    "connections": lambda c, w, _: insight.connection_overview(c, w, datetime.now(UTC)),
    "waiting": lambda c, w, _: waiting_by_connection(c, w),
    "chosen": lambda c, w, i: list_chosen(c, w, Chosen(), after=i["run"]),
    "chosen by all": lambda c, w, i: list_chosen(
        c, w, Chosen("push.v1", "ghl", i["incident"], datetime.now(UTC), "out of credit")
    ),
    "chosen counted": lambda c, w, _: count_chosen(c, w, Chosen(connection="ghl")),
    "orders": lambda c, w, i: list_bulk_retries(c, w, before=i["run"]),
    "order": lambda c, w, i: bulk_retry(c, w, i["order"]),
    "retries of a run": lambda c, w, i: retries_of(c, w, i["run"]),
    "week": lambda c, w, _: weekly_review(c, w, Week.of(datetime.now(UTC), ZONE), ZONE, datetime.now(UTC)),
    "open runs by workflow": lambda c, w, _: open_runs(c, w, besides=["push.v1"]),
}


async def _order(connection: Connection, workspace_id: Any) -> Any:
    """Give an order that has sent many runs, and is not done."""
    run_id = await connection.fetchval("SELECT id FROM runs LIMIT 1")
    order = await begin_bulk(connection, workspace_id, run_id, Chosen(), Brake(), from_start=False, by="")
    await connection.execute(
        """
        INSERT INTO hand_retries (id, workspace_id, run_id, bulk_id, at)
        SELECT gen_random_uuid(), $1, id, CASE WHEN random() < 0.1 THEN $2::uuid ELSE gen_random_uuid() END, now()
        FROM runs WHERE workspace_id = $1
        """,
        workspace_id,
        order,
    )
    await connection.execute("ANALYZE hand_retries")
    return order


async def _week_is_bounded(connection: Connection, workspace_id: Any) -> None:
    """Require that the review of a week looks at a sample of its runs, though the hours of this one have more."""
    now = datetime.now(UTC)
    recorder: Any = Recorder(connection)
    week = Week.of(now, ZONE).before
    await weekly_review(recorder, workspace_id, week, ZONE, now)
    since, until = (first_id_at(moment) for moment in week.bounds(ZONE))
    runs = await connection.fetchval("SELECT count(*) FROM runs WHERE id >= $1 AND id < $2", since, until)
    most = SAMPLE * 24 * 7
    assert runs > most * 1.2, "there are too few runs to tell a sample from all"
    for query, values in recorder.sent:
        plan = json.loads(await connection.fetchval(f"EXPLAIN (ANALYZE, FORMAT JSON) {query}", *values))[0]["Plan"]
        for table in ("runs", "deliveries", "contacts", "events"):
            assert _looked_at(plan, table) <= most, f"{table}\n{query}"


def _looked_at(node: dict[str, Any], table: str) -> float:
    """Return how many rows of a table a plan has looked at."""
    removed = node.get("Rows Removed by Filter", 0) + node.get("Rows Removed by Index Recheck", 0)
    own = (node["Actual Rows"] + removed) * node["Actual Loops"] if node.get("Relation Name") == table else 0
    return float(own + sum(_looked_at(child, table) for child in node.get("Plans", ())))


@pytest.mark.timeout(240)
async def test_no_query_reads_a_big_table_from_end_to_end(pool: Pool) -> None:
    async with acquire(pool) as connection:
        seed = await Seed.workspace(connection)
        await seed.many(contacts=CONTACTS, runs=RUNS, incidents=3000)
        ids = {
            "run": await connection.fetchval("SELECT id FROM runs ORDER BY id DESC OFFSET 9000 LIMIT 1"),
            "contact": await connection.fetchval("SELECT id FROM contacts ORDER BY id DESC OFFSET 900 LIMIT 1"),
            "merged": await connection.fetchval("SELECT id FROM contacts WHERE merged_into IS NOT NULL LIMIT 1"),
            "suggestion": await connection.fetchval("SELECT id FROM suggestions ORDER BY id OFFSET 900 LIMIT 1"),
            "delivery": await connection.fetchval("SELECT id FROM deliveries ORDER BY id DESC OFFSET 900 LIMIT 1"),
            "incident": await connection.fetchval("SELECT id FROM incidents ORDER BY id DESC OFFSET 100 LIMIT 1"),
            "order": await _order(connection, seed.workspace_id),
        }
        failures = []
        for name, call in CALLS.items():
            recorder = Recorder(connection)
            await call(recorder, seed.workspace_id, ids)
            try:
                await _no_big_scan(connection, recorder)
            except AssertionError as error:
                failures.append(f"{name}: {error}")
        assert not failures, "\n\n".join(failures)
        await _week_is_bounded(connection, seed.workspace_id)
