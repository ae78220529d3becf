"""The application behind the pages, as far as they need one: real tables, verbs that note what was asked of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from mainstay.access import Connecting, Keys, Tokens
from mainstay.approving import Approvals
from mainstay.consequences import Routing
from mainstay.contacts import Contacts
from mainstay.db import GroupCommit, Pool, acquire
from mainstay.engine.driver import utc_now
from mainstay.engine.keeping import RunKeeper
from mainstay.engine.retrying import Retrier
from mainstay.errors import MalformedError
from mainstay.gates import Declared, Gates
from mainstay.intake import Receipt
from mainstay.kit import Http, OAuth, Rate, Table
from mainstay.kit.http import Session, open_session
from mainstay.mirrors import Mirror, Mirrors
from mainstay.model import RECORD_TYPES
from mainstay.recording import Recorder
from mainstay.records import Ownership
from mainstay.runs import answer
from mainstay.watch.store import acknowledge
from mainstay.web import ConnectionCard, SourceCard, WorkspaceCard
from mainstay.web.declared import Section, Setting


@dataclass
class PagesBackend:
    pool: Pool
    public_url: str
    cards: list[WorkspaceCard] = field(default_factory=list)
    sources: list[SourceCard] = field(default_factory=list)
    connections: list[ConnectionCard] = field(default_factory=list)
    asked: list[tuple[str, UUID]] = field(default_factory=list)
    record_link: str = "https://crm.example/contacts/"
    refusal: str = ""
    merging: frozenset[str] = frozenset()
    released_as: str = "processed"
    vendors: dict[str, OAuth] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._opened: Session | None = None
        self.gates = Gates(self.pool)
        self.connecting = Connecting(Tokens(self.pool, Keys(), self._session))
        for card in self.cards:
            self.gates.serve(
                card.id, [Declared(card.id, each.name, each.name, (Rate(100, 10),)) for each in self.connections]
            )
        self.contacts = Contacts(self.pool, GroupCommit(self.pool), self)
        reach: Any = self  # answering alone asks nothing of it
        self.approvals = Approvals(self.pool, reach, utc_now)
        self.book = Recorder(self.pool, GroupCommit(self.pool), lambda _: {})
        self.mirrored = {"sheet": Mirror("sheet", "sheet")}
        recorder = Recorder(self.pool, GroupCommit(self.pool), self.ownership)
        self.copies = Mirrors(self.pool, reach, self.contacts, recorder, reach)
        self.keeper = RunKeeper(self.pool, self.routing, own=("push.v1",), clock=utc_now)
        self.retrier = Retrier(self.pool, self.keeper.deadline, own=("push.v1",))

    def routing(self, workspace_id: UUID) -> Routing:
        """What the verbs for contacts ask of a workspace: here its contacts live in Mainstay's own store."""
        return Routing("", {}, next(card.region for card in self.cards if card.id == workspace_id))

    def mirrors(self, _workspace_id: UUID) -> Mapping[str, Mirror]:
        return self.mirrored

    def table(self, _workspace_id: UUID, _connection: str, _http: Http) -> Table:
        raise NotImplementedError

    def workspace_cards(self) -> Sequence[WorkspaceCard]:
        return self.cards

    def source_cards(self, workspace_id: UUID) -> Sequence[SourceCard]:
        return self.sources

    def ownership(self, workspace_id: UUID) -> Mapping[str, Ownership]:
        return {**dict.fromkeys(RECORD_TYPES, Ownership()), "invoice": Ownership("books", {"due": "ghl"})}

    def declared(self, workspace_id: UUID) -> Sequence[Section]:
        return (
            Section("The business", "[workspace]", (Setting("Name", "Acme Plumbing"),)),
            Section("Sources", "[sources.NAME]", (Setting("website", "Form", "/deliveries?source=website"),)),
            Section("Alerts", "[alerts]", (Setting("Critical", "email:sarah@example.com, at once"),)),
            Section("Workflows", "workflows/", (), "None yet."),
        )

    def connection_cards(self, workspace_id: UUID) -> Sequence[ConnectionCard]:
        return self.connections

    def _session(self) -> Session:
        if self._opened is None:
            self._opened = open_session()
        return self._opened

    async def close(self) -> None:
        if self._opened is not None:
            await self._opened.close()

    def oauth(self, workspace_id: UUID, connection: str) -> OAuth | None:
        return self.vendors.get(connection)

    def merging_systems(self, workspace_id: UUID) -> frozenset[str]:
        return self.merging

    def deleting_systems(self, workspace_id: UUID) -> frozenset[str]:
        return self.merging

    def record_url(self, workspace_id: UUID, connection: str, external_id: str) -> str:
        return self.record_link + external_id

    async def retry_run(self, workspace_id: UUID, run_id: UUID, *, by: str = "") -> bool:
        self.asked.append(("retry", run_id))
        return await self._one(
            "UPDATE runs SET state = 'queued', retries = retries + 1, error = '', failed_step = NULL, "
            "finished_at = NULL WHERE workspace_id = $1 AND id = $2 AND state = 'failed' RETURNING id",
            workspace_id,
            run_id,
        )

    async def answer_run(self, workspace_id: UUID, run_id: UUID, *, happened: bool) -> bool:
        self.asked.append((f"answer {happened}", run_id))
        async with acquire(self.pool) as connection, connection.transaction():
            return await answer(connection, workspace_id, run_id, happened=happened)

    async def mark_handled(self, workspace_id: UUID, run_id: UUID) -> bool:
        self.asked.append(("handled", run_id))
        return await self._one(
            "UPDATE runs SET handled_at = now() WHERE workspace_id = $1 AND id = $2 AND state = 'failed' RETURNING id",
            workspace_id,
            run_id,
        )

    async def replay_delivery(self, workspace_id: UUID, delivery_id: UUID) -> UUID:
        self.asked.append(("replay", delivery_id))
        if self.refusal:
            raise MalformedError(self.refusal)
        async with acquire(self.pool) as connection:
            found: UUID | None = await connection.fetchval(
                "SELECT id FROM runs WHERE workspace_id = $1 AND delivery_id = $2", workspace_id, delivery_id
            )
        if found is None:
            raise LookupError(f"there is no delivery {delivery_id}")
        return found

    async def release_quarantined(self, workspace_id: UUID, quarantine_id: UUID) -> Receipt:
        self.asked.append(("release", quarantine_id))
        if self.refusal:
            raise LookupError(self.refusal)
        await self._one(
            "DELETE FROM quarantine WHERE workspace_id = $1 AND id = $2 RETURNING id", workspace_id, quarantine_id
        )
        async with acquire(self.pool) as connection:
            delivery = await connection.fetchval(
                "SELECT id FROM deliveries WHERE workspace_id = $1 AND state = $2 LIMIT 1",
                workspace_id,
                self.released_as,
            )
        return Receipt("rejected" if self.released_as == "rejected" else "accepted", delivery)

    async def acknowledge_incident(self, workspace_id: UUID, incident_id: UUID, *, by: str) -> bool:
        self.asked.append(("acknowledge", incident_id))
        async with acquire(self.pool) as connection:
            return await acknowledge(connection, workspace_id, incident_id, by)

    async def resolve_incident(self, workspace_id: UUID, incident_id: UUID) -> bool:
        self.asked.append(("resolve", incident_id))
        return await self._one(
            "UPDATE incidents SET state = 'resolved', resolved_at = now() "
            "WHERE workspace_id = $1 AND id = $2 AND state = 'open' RETURNING id",
            workspace_id,
            incident_id,
        )

    async def _one(self, query: str, *values: UUID) -> bool:
        async with acquire(self.pool) as connection:
            return await connection.fetchval(query, *values) is not None

    async def ping_url(self, workspace_id: UUID, monitor: str) -> str:
        return f"{self.public_url}/ping/acme/a-key/{monitor}"

    async def renew_ping_url(self, workspace_id: UUID, monitor: str) -> str:
        if monitor == "unknown":
            raise LookupError(monitor)
        self.asked.append((f"renew {monitor}", workspace_id))
        return await self.ping_url(workspace_id, monitor)
