"""A business's long history, written straight into the tables by COPY: what the benches of pages and retention read.

A lead is a delivery, three runs (it was taken in, pushed, worked on) and four calls; one contact in three comes again.
It is spread evenly over ``DAYS`` days up to now, and ends in a backlog, as a bad day leaves one: runs that wait, that
are queued, that failed under one incident. Tables are unlogged, and their indexes are built when all rows are there.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing import get_context
from uuid import UUID

import asyncpg

DAYS = 90
_AT_ONCE = 4000
_MASK = (1 << 60) - 1
_FIRST = ("Sarah", "Ahmed", "Zoë", "Björn", "Mary Ann", "Olga", "Jin", "Rosa", "Kofi", "Dana", "Liam", "Noor")
_LAST = ("son", "mann", "berg", "wood", "field", "stein", "ley", "ton", "ham", "ford", "well", "by")
_SOURCES = ("website", "facebook", "calendly", "website", "website", "facebook", "phone")
_ERRORS = ("402: Account out of credit", "422: The number is not valid", "404: There is no such channel", "500: oops")
_EXCHANGE = (
    '[{"method": "POST", "url": "https://api.vendor.example/v1/messages", "status": %d, "ms": %d, '
    '"request": {"to": "+1312•••", "text": "Hi Sarah, it is Acme. When suits you for a call?"}, '
    '"response": {"id": "SM%015x", "status": "queued"}}]'
)


@dataclass(frozen=True)
class History:
    """How much there is. ``end`` is when it ends, in milliseconds since 1970."""

    workspace: UUID
    runs: int
    contacts: int
    end: int

    @property
    def leads(self) -> int:
        """As many as there are deliveries."""
        return self.runs // 3

    def at(self, lead: int) -> int:
        """Return when a lead came, in milliseconds."""
        return self.end - (self.leads - lead) * DAYS * 86_400_000 // self.leads

    def contact_of(self, lead: int) -> int:
        """Return whom a lead is about."""
        return lead * 7919 % self.contacts

    def contact_id(self, contact: int) -> str:
        """Return a contact's id, made at its first lead."""
        return id_of("c", contact, self.end - (self.contacts - contact) * DAYS * 86_400_000 // self.contacts)

    def delivery_id(self, lead: int) -> str:
        """Return the id of what a lead came as."""
        return id_of("d", lead, self.at(lead))

    def run_id(self, lead: int, place: int) -> str:
        """Return the id of one of a lead's three runs."""
        return id_of("r", lead * 3 + place, self.at(lead) + place)

    def state_of(self, lead: int, place: int) -> str:
        """Return how a run stands: of the last leads many wait, are queued or failed."""
        back = self.leads - lead
        if place == 2:
            if back <= 30:
                return "running"
            if back <= 2_000:
                return "queued"
            if lead % 61 == 1:
                return "failed"
            if lead % 151 == 2:
                return "waiting"
        return "waiting" if place == 1 and back <= 4_000 and lead % 2 else "done"

    def incident_of(self, lead: int) -> str:
        """Return the incident of a lead's failure: of the last tenth all have the one that is open."""
        return incident_id(0 if lead > self.leads * 0.9 else 1 + lead % 200)


def id_of(kind: str, number: int, moment: int) -> str:
    """Return an id in the form of UUID 7, always the same for a thing of a kind."""
    low = ((number + ord(kind) * 0x5851F42D4C957F2D) * 0x9E3779B97F4A7C15) & _MASK
    return f"{moment:012x}7{ord(kind):03x}8{low:015x}"


def incident_id(number: int) -> str:
    """Return an incident's id."""
    return id_of("i", number, 1_700_000_000_000 + number)


def moment(at: int) -> str:
    """Return milliseconds as PostgreSQL reads them."""
    seconds, rest = divmod(at, 1000)
    return f"{time.strftime('%Y-%m-%d %H:%M:%S', time.gmtime(seconds))}.{rest:03d}+00"


def name_of(contact: int) -> tuple[str, str]:
    """Return a contact's names: few first ones, many last ones."""
    middle, rest = divmod(contact * 31 % 1_000_003, len(_LAST))
    return _FIRST[contact % len(_FIRST)], f"{chr(65 + middle % 26)}{'aeiou'[middle % 5]}{middle:x}{_LAST[rest]}"


def email_of(contact: int) -> str:
    """Return a contact's e-mail address."""
    return f"{name_of(contact)[1].lower()}.{contact}@example.com"


def phone_of(contact: int) -> str:
    """Return a contact's phone number."""
    return f"+1{2_000_000_000 + contact * 613 % 7_999_999_999}"


def _deliveries(of: History) -> Iterator[str]:
    for lead in range(of.leads):
        at = moment(of.at(lead))
        state = "rejected" if lead % 400 == 3 else "ignored" if lead % 50 == 4 else "processed"
        reason = "no one can be recognised by this" if state == "rejected" else ""
        contact = of.contact_of(lead)
        body = f'{{"Email Address": "{email_of(contact)}", "Phone": "{phone_of(contact)}"}}'.encode().hex()
        yield (
            f"{of.delivery_id(lead)}\t{of.workspace}\t{_SOURCES[lead % 7]}\tform\t{state}\tsecret matched\t{reason}\t"
            f'POST\thttps://acme.example/in/bench/website\t{{"content-type": "application/json"}}\t\\\\x{body}\t{at}\t'
            f"{of.run_id(lead, 0)}\n"
        )


def _runs(of: History) -> Iterator[str]:
    for lead in range(of.leads):
        at = moment(of.at(lead))
        contact, delivery = of.contact_id(of.contact_of(lead)), of.delivery_id(lead)
        email = email_of(of.contact_of(lead))
        for place, workflow in enumerate(("inbound.v1", "push.v1", f"speed_to_lead.v{1 + lead % 3}")):
            run, state = of.run_id(lead, place), of.state_of(lead, place)
            step, fate, error, incident, handled, wait, wake = "\\N", "", "", "\\N", "\\N", "", "\\N"
            if state == "failed":
                step, fate, incident = "2", "permanent", of.incident_of(lead)
                error = f"{_ERRORS[lead % 4]}, case {lead}"
                handled = "\\N" if lead > of.leads * 0.995 else at
            elif state == "waiting":
                wait = "retry of crm.push_contact" if place == 1 else "message.received"
                wake = moment(of.end + 900_000 + lead % 1000) if place == 1 else "\\N"
            ended = at if state in {"done", "failed"} else "\\N"
            began = "\\N" if state == "queued" else at
            yield (
                f'{run}\t{of.workspace}\t{workflow}\t{state}\t{{"contact": {{"email": "{email}"}}}}\t'
                f"e{run}\t{delivery}\t{contact}\t{incident}\t{wake}\t{wait}\t{step}\t{fate}\t{error}\t{at}\t{began}\t"
                f"{ended}\t{handled}\n"
            )


def _attempts(of: History) -> Iterator[str]:
    for lead in range(of.leads):
        at = moment(of.at(lead))
        for place, steps in ((1, 1), (2, 3)):
            state = of.state_of(lead, place)
            if state in {"queued", "running"}:
                continue
            run = of.run_id(lead, place)
            for step in range(1, steps + 1):
                word, status, error = "ok", 200, ""
                if state == "failed" and step == 2:
                    word, status, error = "failed", 402, f"{_ERRORS[lead % 4]}, case {lead}"
                elif state == "waiting" and place == 1:
                    word, status, error = "retry", 503, "503: upstream is busy"
                name, connection = ("crm.push_contact", "crm") if place == 1 else ("chat.post", "slack")
                yield (
                    f"{of.workspace}\t{run}\t{step}\t1\t{name}\t{connection}\t{word}\t"
                    f"{_EXCHANGE % (status, lead % 900, lead * 4 + step)}\t{error}\t{status}\t{at}\t{lead % 900}\n"
                )
                if word == "failed":
                    break


def _contacts(of: History) -> Iterator[str]:
    for contact in range(of.contacts):
        first, last = name_of(contact)
        found, at = of.contact_id(contact), moment(of.at(contact * of.leads // of.contacts))
        yield (
            f"{found}\t{of.workspace}\t{email_of(contact)}\t{phone_of(contact)}\t{first}\t{last}\twebsite\t"
            f'{{"first_name": ["{at}", "form", "{found}", 1]}}\t{at}\t{at}\n'
        )


def _identifiers(of: History) -> Iterator[str]:
    for kind, value_of in (("email", email_of), ("phone", phone_of)):
        for contact in range(of.contacts):
            found = of.contact_id(contact)
            at = moment(of.at(contact * of.leads // of.contacts))
            yield f"{of.workspace}\t{kind}\t{value_of(contact)}\t{found}\t{found}\towner\twebsite\t{at}\n"


def _changes(of: History) -> Iterator[str]:
    for contact in range(of.contacts):
        found, at = of.contact_id(contact), moment(of.at(contact * of.leads // of.contacts))
        first = name_of(contact)[0]
        yield (
            f'{found}\t{of.workspace}\t{found}\t{found}\t1\tnew\twebsite\tform\t{at}\t{{"first_name": "{first}"}}\t'
            f'{{}}\t{{"first_name": "{first}"}}\t{at}\n'
        )


def _events(of: History) -> Iterator[str]:
    for lead in range(0, of.leads, 3):
        at = moment(of.at(lead))
        yield (
            f"{id_of('e', lead, of.at(lead))}\t{of.workspace}\tmessage.received\t{of.contact_id(of.contact_of(lead))}\t"
            f'phone\t{{"text": "Tomorrow at nine"}}\t{at}\n'
        )


def _crosswalk(of: History) -> Iterator[str]:
    for contact in range(of.contacts):
        at = moment(of.at(contact * of.leads // of.contacts))
        yield f"{of.workspace}\tcontact\t{of.contact_id(contact)}\tcrm\tcrm-{contact}\t1\t1\t{at}\n"


def _records(of: History) -> Iterator[str]:
    for number in range(of.contacts // 4):
        found = id_of("o", number, of.at(number * of.leads * 4 // of.contacts))
        at = moment(of.at(number * of.leads * 4 // of.contacts))
        yield (
            f"{found}\t{of.workspace}\tinvoice\t{of.contact_id(number * 4)}\t"
            f'{{"number": "INV-{number:07d}", "reference": "INV-{number:07d}", "status": "paid", "total": "420.00"}}\t'
            f"{at}\t{at}\n"
        )


_Rows = Callable[[History], Iterator[str]]
TABLES: dict[str, tuple[str, _Rows]] = {
    "runs": (
        (
            "id workspace_id workflow state input execution_id delivery_id contact_id incident_id wake_at waiting_for "
            "failed_step fate error created_at started_at finished_at handled_at"
        ),
        _runs,
    ),
    "attempts": (
        "workspace_id run_id step number name connection state exchanges error status started_at duration_ms",
        _attempts,
    ),
    "deliveries": (
        "id workspace_id source kind state verified reason method url headers body received_at run_id",
        _deliveries,
    ),
    "identifiers": ("workspace_id kind value home_id contact_id standing source created_at", _identifiers),
    "contacts": (
        "id workspace_id email phone first_name last_name source origins created_at updated_at",
        _contacts,
    ),
    "changes": (
        "id workspace_id contact_id home_id version rule source kind occurred_at person before after at",
        _changes,
    ),
    "events": ("id workspace_id type contact_id source data at", _events),
    "crosswalk": (
        "workspace_id record_type record_id connection external_id wanted_version pushed_version updated_at",
        _crosswalk,
    ),
    "records": ("id workspace_id type contact_id values created_at updated_at", _records),
}
_SMALL = (
    """
    INSERT INTO incidents (id, workspace_id, fingerprint, state, title, cause, mend, workflow, connection, first_seen,
                           last_seen, resolved_at)
    SELECT t.id, $1, 'f' || n, CASE WHEN n = 1 THEN 'open' ELSE 'resolved' END, 'speed_to_lead.v1 fails at slack',
           '402: Account out of credit', 'Top the account up, then retry.', 'speed_to_lead.v1', 'slack',
           now() - n * interval '10 hours', now() - n * interval '9 hours', CASE WHEN n > 1 THEN now() END
    FROM unnest($2::uuid[]) WITH ORDINALITY AS t (id, n)
    """,
    """
    INSERT INTO suggestions (id, workspace_id, one_id, other_id, state, rule, score, opened_at, decided_at)
    SELECT gen_random_uuid(), $1, least(a.id, b.id), greatest(a.id, b.id),
           (ARRAY['open', 'accepted', 'rejected'])[1 + a.n % 3], 'alike', (a.n % 997) / 997.0, now(), now()
    FROM unnest($2::uuid[]) WITH ORDINALITY AS a (id, n) JOIN unnest($2::uuid[]) WITH ORDINALITY AS b (id, n)
      ON b.n = a.n + 1
    """,
    """
    INSERT INTO tallies (workspace_id, hour, name, label, shard, count)
    SELECT $1, date_trunc('hour', now()) - make_interval(hours => h), name, label, shard, 1 + (h * 7 + shard) % 90
    FROM generate_series(0, 24 * 150) AS h, generate_series(-1, 3) AS shard,
         unnest($2::text[], $3::text[]) AS t (name, label)
    WHERE (shard < 0) = (h > 1)
    """,
)
_COUNTED = [
    *(
        (f"source {source}", label)
        for source in sorted(set(_SOURCES))
        for label in ("accepted", "lead", "repeated", "rejected")
    ),
    *((f"run {name}", label) for name in ("inbound.v1", "push.v1", "speed_to_lead.v1") for label in ("done", "failed")),
    *((f"attempt {name}", label) for name in ("crm", "slack", "mail") for label in ("ok", "retry", "failed")),
]


def load(dsn: str, history: History, *, processes: int = 2) -> dict[str, float]:
    """Write it all; returns the seconds that each table took, and under ``indexes`` those of the indexes."""
    asyncio.run(_prepare(dsn, history))
    taken: dict[str, float] = {}
    with get_context("spawn").Pool(processes) as pool:
        jobs = [(dsn, history, name) for name in TABLES]
        taken |= dict(pool.imap_unordered(_load_table, jobs, chunksize=1))
    return taken


def _load_table(job: tuple[str, History, str]) -> tuple[str, float]:
    return asyncio.run(_copy(*job))


async def _prepare(dsn: str, history: History) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        workspace = history.workspace
        await connection.execute("INSERT INTO workspaces (id, slug, name) VALUES ($1, 'bench', 'Bench')", workspace)
        incidents = [UUID(incident_id(number)) for number in range(201)]
        await connection.execute(_SMALL[0], workspace, incidents)
        pairs = [UUID(history.contact_id(number)) for number in range(0, min(history.contacts, 20_000), 7)]
        await connection.execute(_SMALL[1], workspace, pairs)
        await connection.execute(_SMALL[2], workspace, *map(list, zip(*_COUNTED, strict=True)))
    finally:
        await connection.close()


async def _copy(dsn: str, history: History, table: str) -> tuple[str, float]:
    began = time.perf_counter()
    columns, make = TABLES[table]
    connection = await asyncpg.connect(dsn, command_timeout=7200)
    try:
        # Triggers and foreign keys are for writers; this is what they would have left.
        await connection.execute("SET session_replication_role = replica; SET maintenance_work_mem = '1GB'")
        await connection.execute(f"ALTER TABLE {table} SET UNLOGGED")
        indexes = await connection.fetch(
            "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = $1 AND indexname NOT LIKE '%_pkey'", table
        )
        for row in indexes:
            await connection.execute(f"DROP INDEX {row['indexname']}")
        async with connection.transaction():
            await connection.execute(f"TRUNCATE {table}")
            await connection.copy_to_table(
                table, source=_chunks(make(history)), columns=columns.split(), format="text", freeze=True
            )
        for row in indexes:
            await connection.execute(row["indexdef"])
        await connection.execute(f"ANALYZE {table}")
    finally:
        await connection.close()
    return table, time.perf_counter() - began


async def _chunks(rows: Iterator[str]) -> AsyncIterator[bytes]:
    batch: list[str] = []
    for row in rows:
        batch.append(row)
        if len(batch) == _AT_ONCE:
            yield "".join(batch).encode()
            batch.clear()
    yield "".join(batch).encode()


def samples(history: History, count: int) -> Sequence[int]:
    """Return the numbers of some leads, spread over all."""
    return [(place * 2_654_435_761 + 17) % history.leads for place in range(count)]
