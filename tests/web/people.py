"""People of one workspace as identity really made them: plain, flagged, merged, and pairs that wait for a review."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from mainstay.db import acquire, transact
from mainstay.identity import open_suggestion
from mainstay.model import Submission
from mainstay.records import Adopted, link
from mainstay.web import WorkspaceCard
from tests.insight.seed import Seed
from tests.web.pages_backend import PagesBackend

NOW = datetime.now(UTC).replace(microsecond=0)


@dataclass(frozen=True)
class People:
    card: WorkspaceCard
    backend: PagesBackend
    plain: UUID
    flagged: UUID
    merged: UUID
    """A survivor of two merges; ``absorbed`` was merged into it by hand."""
    absorbed: UUID
    by_hand: UUID
    """The merge of ``absorbed``."""
    pairs: tuple[tuple[UUID, UUID, UUID], ...]
    """Open suggestions, the likeliest first: (suggestion, one, other)."""

    @property
    def root(self) -> str:
        return f"/w/{self.card.slug}"

    def contact(self, contact_id: UUID) -> str:
        return f"{self.root}/contacts/{contact_id}"

    async def say(self, source: str = "website", **values: Any) -> UUID:
        return await say(self.backend, self.card.id, source, **values)

    async def suggest(self, one: UUID, other: UUID, score: float, *reasons: str, rule: str = "alike") -> UUID:
        return await suggest(self.backend, self.card.id, one, other, score, reasons, rule)


async def say(backend: PagesBackend, workspace_id: UUID, source: str = "website", **values: Any) -> UUID:
    """Write what a source says of a person; ``days`` is how long ago."""
    at = NOW - timedelta(days=values.pop("days", 1))
    kind = values.pop("kind", "form")
    given = Submission(source=source, occurred_at=at, **values)
    outcome = await backend.contacts.write(workspace_id, given, source=source, kind=kind)
    assert outcome.contact_id is not None, outcome
    return outcome.contact_id


async def suggest(
    backend: PagesBackend, workspace_id: UUID, one: UUID, other: UUID, score: float, reasons: tuple[str, ...], rule: str
) -> UUID:
    """Open a suggestion as the search for likely pairs does."""
    opened = await transact(
        backend.pool,
        lambda c: open_suggestion(c, workspace_id, one, other, rule=rule, reasons=reasons, score=score),
    )
    assert opened is not None
    return opened


async def people(backend: PagesBackend, slug: str = "cedar") -> People:
    """Write them; the workspace is added to the backend's cards."""
    async with acquire(backend.pool) as connection:
        seed = await Seed.workspace(connection, slug, "Cedar Heating")
        await seed.worker()
    card = WorkspaceCard(seed.workspace_id, slug, "Cedar Heating", "America/Chicago", "US")
    backend.cards.append(card)

    async def told(source: str = "website", **values: Any) -> UUID:
        return await say(backend, card.id, source, **values)

    plain = await told(
        name="Sarah Johnson", email="Sarah@Birch.example", phone="312 555 0147", company="Birch", days=40
    )
    await told("facebook", email="sarah@birch.example", phone="(312) 555-0199", custom={"Budget": "$5,000"}, days=9)
    await told("crm", kind="crm", email="sarah@birch.example", company="Birch & Co", tags=("vip",), days=3)
    await backend.contacts.edit(card.id, plain, {"first_name": "Sarah Ann"}, by="Dana")
    async with acquire(backend.pool) as connection:
        await link(connection, [(Adopted(card.id, plain, "ghl", "ve9EPM428h8vShlRW1KT"), plain)])

    await told(name="Omar Diaz", email="omar@elm.example", phone="312 555 0160", days=30)
    flagged = await told(name="Rosa Diaz", email="rosa@elm.example", phone="312 555 0160", days=20)
    async with acquire(backend.pool) as connection:
        await link(connection, [(Adopted(card.id, flagged, "ghl", "r1"), flagged)])
    for number in range(3, 8):
        email = f"rosa{number}@elm.example"
        await told("crm", kind="crm", email=email, connection="ghl", external_id="r1", days=19 - number)
    await told("crm", kind="crm", email="info@elm.example", connection="ghl", external_id="r1", days=5)
    await told(email="rosa@elm.example", do_not_contact=True, days=4)

    merged = await told(name="Robert Miles", email="bob@pine.example", company="Pine Dental", days=60)
    absorbed = await told("facebook", name="Bob Miles", phone="+44 20 7183 8750", company="Pine", days=10)
    told_merge = await backend.contacts.merge(card.id, merged, absorbed, by="Dana", keep=merged)
    await told("calendly", name="R. Miles", phone="+44 20 7183 8750", custom={"Reason": "Boiler"}, days=2)
    third = await told("import", kind="import", name="Robert Miles", phone="312 555 0188", days=8)
    await told(name="Robert Miles", email="bob@pine.example", phone="312 555 0188", days=1)
    async with acquire(backend.pool) as connection:
        found = await connection.fetchval("SELECT merged_into FROM contacts WHERE id = $1", third)
    assert found == merged

    pairs = []
    for score, reasons, rule, one, other in _PAIRS:
        first, second = sorted([await told(**one), await told(**other)])
        opened = await suggest(backend, card.id, first, second, score, reasons, rule)
        pairs.append((opened, first, second))
    return People(card, backend, plain, flagged, merged, absorbed, told_merge.merge_id, tuple(pairs))


_PAIRS: tuple[tuple[float, tuple[str, ...], str, dict[str, Any], dict[str, Any]], ...] = (
    (
        0.97, ("equal name, rare", "the e-mails differ only by what follows the plus", "same employer"), "alike",
        {"name": "Wilhelmina Overbeck", "email": "mina+quote@oak.example", "company": "Oak Interiors", "days": 50},
        {
            "name": "Wilhelmina Overbeck", "email": "mina@oak.example", "phone": "312 555 0121",
            "company": "Oak Interiors Ltd", "tags": ("newsletter",), "custom": {"Budget": "$900"}, "days": 3,
        },
    ),
    (
        0.83, ("Liz is short for Elizabeth", "phone numbers differ in one digit"), "alike",
        {"name": "Elizabeth Tanaka", "email": "liz.tanaka@fir.example", "phone": "312 555 0133", "days": 33},
        {"source": "facebook", "name": "Liz Tanaka", "phone": "312 555 0138", "company": "Fir", "days": 6},
    ),
    (
        0.61, ("equal last name", "same street"), "alike",
        {"name": "J. Okafor", "phone": "312 555 0171", "days": 12},
        {"name": "James Okafor", "email": "james@yew.example", "days": 11},
    ),
    (
        0.5, ("one write names both, one by e-mail, the other by phone; the names differ",), "bridge",
        {"name": "Ines Fischer", "email": "ines@alder.example", "days": 15},
        {"name": "Tom Berg", "phone": "312 555 0155", "days": 14},
    ),
)  # fmt: skip
