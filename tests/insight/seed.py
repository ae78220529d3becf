"""A workspace's history written straight into the tables, small for reading, large for measuring."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from uuid_utils.compat import uuid7

from mainstay.db import Connection
from mainstay.model import first_id_at

NOW = datetime.now(UTC).replace(microsecond=0)


def id_at(moment: datetime) -> UUID:
    """Return an id as one made at ``moment`` would be."""
    return UUID(int=first_id_at(moment).int | (uuid7().int & ((1 << 80) - 1)))


@dataclass
class Seed:
    """Writes rows of one workspace; every method returns the new row's id."""

    connection: Connection
    workspace_id: UUID
    now: datetime = NOW

    @classmethod
    async def workspace(cls, connection: Connection, slug: str = "acme", name: str = "Acme Plumbing") -> Seed:
        workspace_id = uuid7()
        await connection.execute(
            "INSERT INTO workspaces (id, slug, name) VALUES ($1, $2, $3)", workspace_id, slug, name
        )
        return cls(connection, workspace_id)

    def ago(self, **length: float) -> datetime:
        return self.now - timedelta(**length)

    async def insert(self, table: str, **values: Any) -> None:
        names = ", ".join(values)
        places = ", ".join(f"${place}" for place in range(1, len(values) + 1))
        query = f"INSERT INTO {table} ({names}) VALUES ({places})"  # noqa: S608 - names from these tests
        await self.as_identity(query, *values.values())

    async def as_identity(self, query: str, *values: Any) -> None:
        """Write what only identity may write, past its rules."""
        async with self.connection.transaction():
            await self.connection.execute("SELECT set_config('mainstay.writer', 'identity', true)")
            await self.connection.execute(query, *values)

    async def contact(self, *, at: datetime | None = None, identifiers: bool = True, **values: Any) -> UUID:
        moment = at or self.ago(hours=3)
        contact_id = id_at(moment)
        row = {"first_name": "Sarah", "last_name": "Johnson", "source": "website", "tags": [], "custom": {}} | values
        await self.insert(
            "contacts", id=contact_id, workspace_id=self.workspace_id, created_at=moment, updated_at=moment, **row
        )
        for kind in ("email", "phone") if identifiers else ():
            if row.get(kind):
                await self.insert(
                    "identifiers",
                    workspace_id=self.workspace_id,
                    kind=kind,
                    value=row[kind],
                    home_id=contact_id,
                    contact_id=contact_id,
                    standing="owner",
                    source=row["source"],
                    created_at=moment,
                )
        return contact_id

    async def delivery(self, *, at: datetime | None = None, **values: Any) -> UUID:
        moment = at or self.ago(hours=3)
        delivery_id = id_at(moment)
        row = {
            "source": "website",
            "kind": "form",
            "state": "processed",
            "verified": "secret matched",
            "method": "POST",
            "url": "https://acme.example/in/acme/website",
            "headers": {"content-type": "application/json"},
            "body": b'{"email": "sarah@example.com"}',
        } | values
        await self.insert("deliveries", id=delivery_id, workspace_id=self.workspace_id, received_at=moment, **row)
        return delivery_id

    async def quarantined(self, *, at: datetime | None = None, **values: Any) -> UUID:
        moment = at or self.ago(hours=1)
        quarantine_id = id_at(moment)
        row = {
            "source": "website",
            "reason": "the signature does not match",
            "method": "POST",
            "url": "https://acme.example/in/acme/website",
            "headers": {"content-type": "application/json"},
            "body": b"{}",
        } | values
        await self.insert("quarantine", id=quarantine_id, workspace_id=self.workspace_id, received_at=moment, **row)
        return quarantine_id

    async def run(self, *, at: datetime | None = None, **values: Any) -> UUID:
        moment = at or self.ago(hours=2)
        run_id = id_at(moment)
        state = values.get("state", "done")
        row = {
            "workflow": "speed_to_lead.v1",
            "state": state,
            "input": {"contact": {}},
            "execution_id": str(run_id),
            "started_at": None if state == "queued" else moment,
            "finished_at": moment + timedelta(seconds=2) if state in {"done", "failed"} else None,
        } | values
        await self.insert("runs", id=run_id, workspace_id=self.workspace_id, created_at=moment, **row)
        return run_id

    async def attempt(self, run_id: UUID, step: int, number: int = 1, **values: Any) -> None:
        row = {
            "name": "chat.post",
            "connection": "slack",
            "state": "ok",
            "exchanges": [],
            "started_at": self.ago(hours=2),
            "duration_ms": 210,
        } | values
        await self.insert("attempts", workspace_id=self.workspace_id, run_id=run_id, step=step, number=number, **row)

    async def change(self, contact_id: UUID, *, at: datetime | None = None, **values: Any) -> UUID:
        moment = at or self.ago(hours=3)
        change_id = id_at(moment)
        row = {
            "home_id": contact_id,
            "version": 1,
            "rule": "new",
            "source": "website",
            "kind": "form",
            "occurred_at": moment,
            "person": {},
            "before": {},
            "after": {"company": "Acme"},
        } | values
        await self.insert(
            "changes", id=change_id, workspace_id=self.workspace_id, contact_id=contact_id, at=moment, **row
        )
        return change_id

    async def event(self, contact_id: UUID, kind: str, *, at: datetime | None = None, **values: Any) -> UUID:
        moment = at or self.ago(hours=3)
        event_id = id_at(moment)
        row = {"source": "website", "data": {}} | values
        await self.insert(
            "events", id=event_id, workspace_id=self.workspace_id, type=kind, contact_id=contact_id, at=moment, **row
        )
        return event_id

    async def merge(self, survivor_id: UUID, merged_id: UUID, *, at: datetime | None = None, **values: Any) -> UUID:
        """Write a merge into the tables: the id redirects, the identifiers and the story name the survivor."""
        moment = at or self.ago(hours=1)
        merge_id = id_at(moment)
        row = {"rule": "by hand", "by": "by hand"} | values
        await self.insert(
            "merges", id=merge_id, workspace_id=self.workspace_id, survivor_id=survivor_id, merged_id=merged_id,
            at=moment, **row,
        )  # fmt: skip
        await self.as_identity("UPDATE contacts SET merged_into = $2 WHERE id = $1", merged_id, survivor_id)
        await self.as_identity("UPDATE identifiers SET contact_id = $2 WHERE contact_id = $1", merged_id, survivor_id)
        await self.change(
            survivor_id, at=moment, rule="merge", kind="merge", source=row["by"], merge_id=merge_id, after={}
        )
        return merge_id

    async def suggestion(self, one_id: UUID, other_id: UUID, *, at: datetime | None = None, **values: Any) -> UUID:
        moment = at or self.ago(hours=1)
        suggestion_id = id_at(moment)
        row = {"state": "open", "rule": "alike", "score": 0.9, "reasons": ["equal last name"]} | values
        await self.insert(
            "suggestions", id=suggestion_id, workspace_id=self.workspace_id, one_id=min(one_id, other_id),
            other_id=max(one_id, other_id), opened_at=moment, **row,
        )  # fmt: skip
        return suggestion_id

    async def counterpart(self, contact_id: UUID, connection: str = "ghl", **values: Any) -> None:
        row = {"external_id": "ocQHyuzHvysMo5N5VsXc", "wanted_version": 1, "pushed_version": 1} | values
        await self.insert(
            "crosswalk",
            workspace_id=self.workspace_id,
            record_type="contact",
            record_id=contact_id,
            connection=connection,
            updated_at=self.ago(hours=3),
            **row,
        )

    async def incident(self, *, at: datetime | None = None, **values: Any) -> UUID:
        moment = at or self.ago(hours=4)
        incident_id = id_at(moment)
        row = {
            "fingerprint": str(incident_id),
            "state": "open",
            "title": "push.v1 fails at ghl",
            "cause": "401: Invalid JWT",
            "mend": "Check the token, then retry.",
            "last_seen": moment + timedelta(minutes=5),
        } | values
        await self.insert("incidents", id=incident_id, workspace_id=self.workspace_id, first_seen=moment, **row)
        return incident_id

    async def tally(self, name: str, label: str, count: int, *, at: datetime | None = None, shard: int = 0) -> None:
        hour = (at or self.ago(hours=2)).replace(minute=0, second=0)
        await self.insert(
            "tallies",
            workspace_id=self.workspace_id,
            hour=hour,
            name=name,
            label=label,
            shard=shard,
            count=count,
        )

    async def worker(self, *, seen: datetime | None = None) -> None:
        await self.insert(
            "workers",
            id=str(uuid7()),
            host="here",
            pid=1,
            process_start=0.0,
            heartbeat_at=seen or datetime.now(UTC),
        )

    async def many(self, *, contacts: int, runs: int, incidents: int = 200) -> None:
        """Write a large history in a few statements, spread over thirty days, then let the planner know of it."""
        await self.as_identity(_MANY_CONTACTS, self.workspace_id, contacts)
        await self.connection.execute(_MANY_DELIVERIES, self.workspace_id, runs)
        await self.connection.execute(_MANY_RUNS, self.workspace_id, runs, contacts)
        await self.connection.execute(_MANY_INCIDENTS, self.workspace_id, incidents)
        await self.connection.execute(_MANY_TALLIES, self.workspace_id)
        for statement in _DEPENDENT:
            await self.as_identity(statement, self.workspace_id)
        await self.connection.execute("ANALYZE")


_ID = """
    (lpad(to_hex((extract(epoch FROM now() - make_interval(secs => n * 2592000.0 / $2)) * 1000)::bigint), 12, '0')
     || '7' || substr(md5(n || '{salt}'), 1, 3) || '8' || substr(md5(n || '{salt}'), 4, 15))::uuid
"""
_AT = "now() - make_interval(secs => n * 2592000.0 / $2)"
_MANY_CONTACTS = f"""
    INSERT INTO contacts (id, workspace_id, email, phone, first_name, last_name, company, source, created_at,
                          updated_at)
    SELECT {_ID.format(salt="c")}, $1, 'person' || n || '@example.com',
           '+1312555' || lpad((n % 10000)::text, 4, '0') || n,
           (ARRAY['Sarah', 'Ahmed', 'Zoë', 'Björn', 'Mary Ann'])[1 + n % 5], 'Johnson' || n, '', 'website', {_AT}, {_AT}
    FROM generate_series(1, $2::int) AS n
"""  # noqa: S608 - parts from this file
_MANY_DELIVERIES = f"""
    INSERT INTO deliveries (id, workspace_id, source, kind, state, verified, method, url, headers, body, received_at)
    SELECT {_ID.format(salt="d")}, $1, (ARRAY['website', 'facebook', 'calendly'])[1 + n % 3], 'form',
           CASE WHEN n % 200 = 0 THEN 'rejected' WHEN n % 333 = 0 THEN 'failed' WHEN n % 50 = 0 THEN 'ignored'
                ELSE 'processed' END,
           'secret matched', 'POST', 'https://acme.example/in/acme/website', '{{}}', '{{}}', {_AT}
    FROM generate_series(1, $2::int) AS n
"""  # noqa: S608 - parts from this file
_MANY_RUNS = f"""
    INSERT INTO runs (id, workspace_id, workflow, state, input, execution_id, delivery_id, contact_id, error,
                      waiting_for, created_at, started_at, finished_at)
    SELECT {_ID.format(salt="r")}, $1, (ARRAY['inbound.v1', 'push.v1', 'speed_to_lead.v1', 'nurture.v1'])[1 + n % 4],
           CASE WHEN n % 100 = 0 THEN 'failed' WHEN n % 150 = 1 THEN 'waiting' WHEN n % 3000 = 2 THEN 'queued'
                ELSE 'done' END,
           '{{}}', 'e' || n, d.id, c.id,
           CASE WHEN n % 100 = 0 THEN '402: Account out of credit ' || n ELSE '' END,
           CASE WHEN n % 300 = 1 THEN 'retry of chat.post' WHEN n % 150 = 1 THEN 'message.received' ELSE '' END,
           {_AT}, {_AT}, {_AT}
    FROM generate_series(1, $2::int) AS n
    LEFT JOIN (SELECT id, row_number() OVER () AS place FROM contacts WHERE workspace_id = $1) AS c
      ON c.place = 1 + n % $3::int
    LEFT JOIN (SELECT id, row_number() OVER () AS place FROM deliveries WHERE workspace_id = $1) AS d
      ON d.place = 1 + n / 3
"""  # noqa: S608 - parts from this file
_MANY_INCIDENTS = f"""
    INSERT INTO incidents (id, workspace_id, fingerprint, state, title, cause, first_seen, last_seen, resolved_at)
    SELECT {_ID.format(salt="i")}, $1, 'f' || n, CASE WHEN n <= 3 THEN 'open' ELSE 'resolved' END, 'nurture.v1 fails',
           '402: Account out of credit', {_AT}, {_AT}, CASE WHEN n > 3 THEN {_AT} END
    FROM generate_series(1, $2::int) AS n
"""  # noqa: S608 - parts from this file
_MANY_TALLIES = """
    INSERT INTO tallies (workspace_id, hour, name, label, shard, count)
    SELECT $1, date_trunc('hour', now()) - make_interval(hours => h), name, label, shard, 1 + (h * 7 + shard) % 9
    FROM generate_series(0, 24 * 150) AS h, generate_series(0, 1) AS shard,
         (VALUES ('source website', 'accepted'), ('source website', 'repeated'), ('source facebook', 'accepted'),
                 ('source calendly', 'accepted'), ('run inbound.v1', 'done'), ('run push.v1', 'done'),
                 ('run nurture.v1', 'done'), ('run nurture.v1', 'failed'), ('attempt ghl', 'ok'),
                 ('attempt slack', 'ok'), ('attempt slack', 'retry'), ('attempt mail', 'ok')) AS t (name, label)
"""
# One contact in four was merged into the one that came before it, and many pairs may be one person.
_DEPENDENT = (
    """
    UPDATE contacts SET merged_into = older.id
    FROM (SELECT id, row_number() OVER (ORDER BY id) AS place FROM contacts WHERE workspace_id = $1) AS newer
    JOIN (SELECT id, row_number() OVER (ORDER BY id) AS place FROM contacts WHERE workspace_id = $1) AS older
      ON older.place = newer.place - 1
    WHERE newer.place % 4 = 0 AND contacts.id = newer.id
    """,
    """
    INSERT INTO merges (id, workspace_id, survivor_id, merged_id, rule, by, at)
    SELECT gen_random_uuid(), workspace_id, merged_into, id, 'bridge', '', created_at
    FROM contacts WHERE workspace_id = $1 AND merged_into IS NOT NULL
    """,
    """
    INSERT INTO suggestions (id, workspace_id, one_id, other_id, state, rule, score, opened_at, decided_at)
    SELECT gen_random_uuid(), $1, older.id, newer.id,
           (ARRAY['open', 'open', 'accepted', 'rejected', 'stale'])[1 + newer.place % 5],
           'alike', (newer.place % 997) / 997.0, now(), now()
    FROM (SELECT id, row_number() OVER (ORDER BY id) AS place FROM contacts WHERE workspace_id = $1) AS newer
    JOIN (SELECT id, row_number() OVER (ORDER BY id) AS place FROM contacts WHERE workspace_id = $1) AS older
      ON older.place = newer.place - 7
    """,
    """
    INSERT INTO identifiers (workspace_id, kind, value, home_id, contact_id, standing, source, created_at)
    SELECT workspace_id, kind, value, id, coalesce(merged_into, id), 'owner', 'website', created_at FROM contacts
    CROSS JOIN LATERAL (VALUES ('email', email), ('phone', phone)) AS t (kind, value) WHERE workspace_id = $1
    """,
    """
    INSERT INTO changes (id, workspace_id, contact_id, home_id, version, rule, source, kind, occurred_at, person,
                         before, after, at)
    SELECT id, workspace_id, id, id, 1, 'new', 'website', 'form', created_at, '{"first_name": "Sarah"}', '{}',
           '{"first_name": "Sarah"}', created_at
    FROM contacts WHERE workspace_id = $1
    """,
    """
    UPDATE contacts SET origins = jsonb_build_object('first_name', jsonb_build_array(created_at, 'form', id, 1))
    WHERE workspace_id = $1
    """,
    """
    INSERT INTO events (id, workspace_id, type, contact_id, source, data, at)
    SELECT id, workspace_id, 'contact.created', id, 'website', '{}', created_at
    FROM contacts WHERE workspace_id = $1
    """,
    """
    INSERT INTO crosswalk (workspace_id, record_type, record_id, connection, external_id, wanted_version,
                           pushed_version, updated_at)
    SELECT workspace_id, 'contact', id, 'ghl', 'x' || id, 1, 1, created_at FROM contacts WHERE workspace_id = $1
    """,
    """
    INSERT INTO attempts (workspace_id, run_id, step, number, name, connection, state, started_at)
    SELECT workspace_id, id, step, 1, 'chat.post', 'slack', 'ok', created_at
    FROM runs CROSS JOIN generate_series(1, 2) AS step WHERE workspace_id = $1
    """,
)
