"""Follows what becomes of leads: each is looked at when its time is over, and again only while something is missing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import takewhile
from typing import TYPE_CHECKING, Protocol
from uuid import UUID

from mainstay.db import transact
from mainstay.db.tallies import add_tallies
from mainstay.model import first_id_at
from mainstay.monitors import store
from mainstay.monitors.looking import Looking
from mainstay.monitors.outcome_rules import OUTCOME, Breach, OutcomeRule, Want, short_name, trouble_of_breaches
from mainstay.monitors.rules import fingerprint_of

if TYPE_CHECKING:
    from mainstay.db import Connection, Pool, Row
    from mainstay.engine.history import Clock
    from mainstay.watch import Alerter

_AT_ONCE = 500
_AGAIN_AT_ONCE = 200
_LOOK_AGAIN = timedelta(seconds=30)
_COMMITS_WITHIN = timedelta(seconds=5)


class Promising(Protocol):
    """What the composition root knows of outcomes."""

    @property
    def workspaces(self) -> Mapping[UUID, object]:
        """The workspaces that this process serves."""
        ...

    def outcome_rules(self, workspace_id: UUID) -> Mapping[str, OutcomeRule]:
        """Return what should become of leads, by name."""
        ...

    def crm_of(self, workspace_id: UUID) -> str:
        """Return the connection where a lead's record should be; empty where that is Mainstay's own store."""
        ...


class Outcomes:
    """The watch over outcomes. Any number of processes may work on one database."""

    def __init__(self, pool: Pool, promising: Promising, alerter: Alerter, clock: Clock | None = None) -> None:
        self._pool = pool
        self._promising = promising
        self._alerter = alerter
        self._due = Looking(pool, OUTCOME, promising.workspaces, clock)

    async def declare(self, workspace_id: UUID) -> None:
        """Let a workspace's outcomes be those of its stack. A new one counts the leads from now on."""
        rules = {name: rule.in_words() for name, rule in self._promising.outcome_rules(workspace_id).items()}

        async def write(connection: Connection) -> None:
            now = await self._due.now(connection)
            for name in await store.declare_kind(connection, workspace_id, OUTCOME, rules, now):
                await _close(connection, workspace_id, name)
                await self._alerter.recover(connection, workspace_id, fingerprint_of(OUTCOME, name))

        await transact(self._pool, write)

    async def look(self) -> int:
        """Look at the leads whose time is over; returns of how many outcomes something new is missing."""
        return await self._due.look(self._look)

    async def _look(self, connection: Connection, row: Row, now: datetime) -> bool:
        workspace_id, name = row["workspace_id"], row["name"]
        rule = self._promising.outcome_rules(workspace_id).get(name)
        if rule is None:
            await store.look_again(connection, workspace_id, OUTCOME, name, now + timedelta(minutes=1))
            return False
        cursor = UUID(row["facts"]["cursor"]) if row["facts"].get("cursor") else first_id_at(now)
        crm = self._promising.crm_of(workspace_id)
        page = await _events(connection, workspace_id, rule, cursor, now)
        # What is passed over moves the cursor too: else each look would read anew what other sources brought.
        passed = list(takewhile(lambda event: not event["counts"] or rule.due_at(event["at"]) <= now, page))
        events = [event for event in passed if event["counts"]]
        breaches = await _missing(connection, workspace_id, rule, crm, events)
        await _count(connection, workspace_id, name, len(events), len(breaches))
        await _keep(connection, workspace_id, name, breaches)
        still = await self._again(connection, workspace_id, rule, crm, is_open=row["state"] == "down" and not breaches)
        if breaches:
            await self._alerter.raise_trouble(connection, workspace_id, trouble_of_breaches(rule, breaches, still))
        elif row["state"] == "down" and not still:
            await self._alerter.recover(connection, workspace_id, fingerprint_of(OUTCOME, name))
        state = "down" if still else "up" if events or row["state"] != "new" else "new"
        seen_at = events[-1]["at"] if events else row["seen_at"]
        next_at = now if len(passed) == _AT_ONCE else now + _LOOK_AGAIN
        facts = {"cursor": str(passed[-1]["id"] if passed else cursor), "missing": still}
        await store.stand_as(connection, workspace_id, OUTCOME, name, store.Place(state, seen_at, None, next_at, facts))
        return bool(breaches)

    @staticmethod
    async def _again(connection: Connection, workspace_id: UUID, rule: OutcomeRule, crm: str, *, is_open: bool) -> int:
        """See which leads have by now what was missing; returns how many still have not."""
        if is_open and not await connection.fetchval(
            """
            SELECT EXISTS (SELECT FROM incidents WHERE workspace_id = $1 AND state <> 'resolved' AND fingerprint = $2)
            """,
            workspace_id,
            fingerprint_of(OUTCOME, rule.name),
        ):
            # Somebody has closed it: they know.
            await _close(connection, workspace_id, rule.name)
            return 0
        rows = await connection.fetch(
            """
            SELECT event_id AS id, contact_id, source, at, missing FROM outcome_breaches
            WHERE workspace_id = $1 AND outcome = $2 AND closed_at IS NULL ORDER BY event_id DESC LIMIT $3
            """,
            workspace_id,
            rule.name,
            _AGAIN_AT_ONCE,
        )
        late = replace(rule, within=timedelta(days=3650), hours=None)
        missing = {each.event_id: each.missing for each in await _missing(connection, workspace_id, late, crm, rows)}
        await connection.executemany(
            """
            UPDATE outcome_breaches SET is_met = true, closed_at = now()
            WHERE workspace_id = $1 AND outcome = $2 AND event_id = $3
            """,
            [(workspace_id, rule.name, row["id"]) for row in rows if row["id"] not in missing],
        )
        still: int = await connection.fetchval(
            """
            SELECT count(*) FROM (SELECT FROM outcome_breaches WHERE workspace_id = $1 AND outcome = $2
                                  AND closed_at IS NULL LIMIT 1000) AS capped
            """,
            workspace_id,
            rule.name,
        )
        return still


async def _events(
    connection: Connection, workspace_id: UUID, rule: OutcomeRule, cursor: UUID, now: datetime
) -> list[Row]:
    """Return the events whose time may be over, oldest first.

    Those count which are leads that one of the rule's sources delivered, and no canary.
    """
    return list(
        await connection.fetch(
            """
            SELECT id, contact_id, source, at,
                   contact_id IS NOT NULL AND delivery_id IS NOT NULL
                   AND (cardinality($5::text[]) = 0 OR source = ANY($5))
                   -- With its limit: as EXISTS a planner may read all canaries for a page.
                   AND (SELECT true FROM canaries WHERE canaries.delivery_id = page.delivery_id LIMIT 1) IS NULL
                   AS counts
            FROM (
                SELECT * FROM events WHERE workspace_id = $1 AND type = $2 AND id > $3 AND id < $4 ORDER BY id LIMIT $6
            ) AS page
            ORDER BY id
            """,
            workspace_id,
            rule.event,
            cursor,
            first_id_at(now - rule.within - _COMMITS_WITHIN),
            list(rule.sources),
            _AT_ONCE,
        )
    )


async def _missing(
    connection: Connection, workspace_id: UUID, rule: OutcomeRule, crm: str, events: Sequence[Row]
) -> list[Breach]:
    """Return the leads of which something was missing when their time was over."""
    if not events:
        return []
    ids = [event["contact_id"] for event in events]
    people = {
        row["id"]: row
        for row in await connection.fetch(
            """
            SELECT asked.id, found.id AS now_id, first_name, last_name, found.deleted_at IS NOT NULL AS is_gone
            FROM unnest($2::uuid[]) AS asked (id)
            CROSS JOIN LATERAL (
                SELECT * FROM contacts WHERE id = surviving(asked.id) AND workspace_id = $1 LIMIT 1
            ) AS found
            """,
            workspace_id,
            ids,
        )
    }
    breaches = []
    for event in events:
        person = people.get(event["contact_id"])
        if person is None or person["is_gone"]:
            continue  # Nobody is promised anything who is forgotten.
        both, due_at = [event["contact_id"], person["now_id"]], rule.due_at(event["at"])
        lead = _Lead(workspace_id, crm, both, event["at"], due_at)
        missing = tuple([want.text for want in rule.wants if not await _is_met(connection, want, lead)])
        if missing:
            who = short_name(person["first_name"], person["last_name"])
            breaches.append(
                Breach(event["id"], event["contact_id"], event["source"], event["at"], due_at, missing, who)
            )
    return breaches


@dataclass(frozen=True, slots=True)
class _Lead:
    """A lead as it is looked at: ``contacts`` are the ids under which it is known, before and after a merge."""

    workspace_id: UUID
    crm: str
    contacts: list[UUID]
    at: datetime
    due_at: datetime


async def _is_met(connection: Connection, want: Want, lead: _Lead) -> bool:
    if want.what == "record":
        return not lead.crm or await connection.fetchval(
            """
            SELECT EXISTS (SELECT FROM crosswalk WHERE workspace_id = $1 AND record_type = 'contact'
                           AND record_id = ANY($2) AND connection = $3 AND external_id IS NOT NULL)
            """,
            lead.workspace_id,
            lead.contacts,
            lead.crm,
        )
    # A lead's runs are begun in the transaction of its event, some just before it.
    since = first_id_at(lead.at - _COMMITS_WITHIN)
    if want.what == "workflow":
        query = """
            SELECT EXISTS (SELECT FROM runs WHERE contact_id = ANY($1) AND id >= $2 AND workflow = ANY($3)
                           AND state = 'done' AND finished_at <= $4)
        """
    else:
        query = """
            SELECT EXISTS (SELECT FROM runs JOIN attempts ON attempts.run_id = runs.id
                           WHERE runs.contact_id = ANY($1) AND runs.id >= $2 AND attempts.name = ANY($3)
                           AND attempts.state = 'ok' AND attempts.started_at <= $4)
        """
    found: bool = await connection.fetchval(query, lead.contacts, since, list(want.names), lead.due_at)
    return found


async def _keep(connection: Connection, workspace_id: UUID, outcome: str, breaches: Sequence[Breach]) -> None:
    await connection.executemany(
        """
        INSERT INTO outcome_breaches (workspace_id, outcome, event_id, contact_id, source, at, due_at, missing)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING
        """,
        [
            (
                workspace_id,
                outcome,
                each.event_id,
                each.contact_id,
                each.source,
                each.at,
                each.due_at,
                list(each.missing),
            )
            for each in breaches
        ],
    )


async def _count(connection: Connection, workspace_id: UUID, outcome: str, looked_at: int, missed: int) -> None:
    name = f"outcome {outcome}"
    counts = {(workspace_id, name, "met"): looked_at - missed, (workspace_id, name, "missed"): missed}
    await add_tallies(connection, {key: count for key, count in counts.items() if count})


async def _close(connection: Connection, workspace_id: UUID, outcome: str) -> None:
    await connection.execute(
        """
        UPDATE outcome_breaches SET closed_at = now() WHERE workspace_id = $1 AND outcome = $2 AND closed_at IS NULL
        """,
        workspace_id,
        outcome,
    )
