"""The page of mirrors: what drifted, and what a person makes of it."""

from __future__ import annotations

from uuid import UUID

import pytest

from mainstay.db import acquire
from mainstay.identity import contact_of
from mainstay.mirrors import Mirror
from mainstay.model import RecordState, RecordType, new_id
from mainstay.records import Ownership, Word, keep
from tests.web.conftest import Browser, Site


async def drift(site: Site, kind: str = "changed", **fields: str) -> tuple[UUID, UUID]:
    """Let a contact of the story differ in the mirror sheet; returns the difference's id and the contact's."""
    drift_id = new_id()
    async with acquire(site.backend.pool) as connection:
        row = await connection.fetchrow(
            "SELECT * FROM contacts WHERE workspace_id = $1 AND merged_into IS NULL LIMIT 1", site.story.card.id
        )
        assert row is not None
        contact_id: UUID = row["id"]
        ours = Mirror("sheet", "sheet").row(contact_of(row))
        said = {title: {"ours": ours[title], "theirs": theirs} for title, theirs in fields.items()}
        await connection.execute(
            "INSERT INTO mirrors (workspace_id, name, layout, loaded_at) VALUES ($1, 'sheet', 'x', now())",
            site.story.card.id,
        )
        await connection.execute(
            """
            INSERT INTO drifts (id, workspace_id, mirror, key, record_id, kind, state, fields, found_in)
            VALUES ($1, $2, 'sheet', $3::uuid::text, $3, $4, 'open', $5, 1)
            """,
            drift_id,
            site.story.card.id,
            contact_id,
            kind,
            said,
        )
    return drift_id, contact_id


async def test_a_difference_is_shown_and_decided(site: Site, operator: Browser) -> None:
    root = f"/w/{site.story.card.slug}"
    drift_id, contact_id = await drift(site, Company="<b>Acme</b>")
    page = await operator.get(f"{root}/mirrors")
    assert "&lt;b&gt;Acme&lt;/b&gt;" in page.text
    assert f'href="{root}/mirrors"' in (await operator.get(f"{root}/connections")).text

    taken = await operator.post(f"{root}/mirrors/drift/{drift_id}/take-over")
    assert taken.status == 303
    async with acquire(site.backend.pool) as connection:
        assert await connection.fetchval("SELECT company FROM contacts WHERE id = $1", contact_id) == "<b>Acme</b>"
    assert "Taken over" in (await operator.get(f"{root}/mirrors")).text

    late = await operator.post(f"{root}/mirrors/drift/{drift_id}/take-over")
    assert late.status == 409
    assert "That was not done: there is no such difference that waits for a decision." in late.text


@pytest.mark.parametrize(("verb", "state"), [("revert", "reverted"), ("leave", "left")])
async def test_other_verbs(site: Site, operator: Browser, verb: str, state: str) -> None:
    drift_id, contact_id = await drift(site, Company="Acme")
    root = f"/w/{site.story.card.slug}"
    assert (await operator.post(f"{root}/mirrors/drift/{drift_id}/{verb}")).status == 303
    async with acquire(site.backend.pool) as connection:
        row = await connection.fetchrow("SELECT state, decided_by FROM drifts")
        stale = await connection.fetchval("SELECT count(*) FROM stale_in_mirror WHERE record_id = $1", contact_id)
    assert row is not None
    assert (row["state"], row["decided_by"] != "", stale) == (state, True, int(verb == "revert"))


async def test_what_is_not_there_is_not_found(site: Site, operator: Browser) -> None:
    drift_id, _ = await drift(site, Company="Acme")
    root = f"/w/{site.story.card.slug}"
    assert (await operator.post(f"/w/bell/mirrors/drift/{drift_id}/leave")).status == 404
    assert (await operator.post(f"{root}/mirrors/drift/{new_id()}/leave")).status == 404
    assert (await operator.post(f"{root}/mirrors/nothing/compare")).status == 404
    compared = await operator.post(f"{root}/mirrors/sheet/compare")
    assert (compared.status, "/runs/" in compared.headers["location"]) == (303, True)
    async with acquire(site.backend.pool) as connection:
        await connection.execute("UPDATE mirrors SET loaded_at = NULL")
    early = await operator.post(f"{root}/mirrors/sheet/compare")
    assert (early.status, "sheet is being filled" in early.text) == (409, True)


async def record_drift(site: Site, kind: RecordType) -> tuple[UUID, UUID]:
    """Let a record differ in the mirror copies; returns the difference's id and the record's."""
    workspace_id, drift_id = site.story.card.id, new_id()
    site.backend.mirrored = {"copies": Mirror("copies", "sheet", record=kind)}
    state = RecordState(kind, "1", {"status": "open", "title" if kind == "deal" else "number": "<i>Roof</i>"})
    async with acquire(site.backend.pool) as connection, connection.transaction():
        [heard] = await keep(connection, [Word(workspace_id, "ghl", state, Ownership(), "ghl")])
        await connection.execute(
            "INSERT INTO mirrors (workspace_id, name, layout, record_type, loaded_at) VALUES ($1, $2, 'x', $3, now())",
            workspace_id,
            "copies",
            kind,
        )
        await connection.execute(
            """
            INSERT INTO drifts (id, workspace_id, mirror, key, record_id, kind, state, fields, found_in)
            VALUES ($1, $2, 'copies', $3::uuid::text, $3, 'changed', 'open', $4, 1)
            """,
            drift_id,
            workspace_id,
            heard.record_id,
            {"Status": {"ours": "open", "theirs": "won" if kind == "deal" else "paid"}},
        )
    return drift_id, heard.record_id


async def test_our_own_deal_takes_over_what_its_copy_says(site: Site, operator: Browser) -> None:
    root = f"/w/{site.story.card.slug}"
    drift_id, record_id = await record_drift(site, "deal")
    page = await operator.get(f"{root}/mirrors")
    assert f'<a href="{root}/records/deal/{record_id}" data-open>&lt;i&gt;Roof&lt;/i&gt;</a>' in page.text

    assert (await operator.post(f"{root}/mirrors/drift/{drift_id}/take-over")).status == 303
    record = await operator.get(f"{root}/records/deal/{record_id}")
    assert "Won" in record.text
    assert "from somebody, in Mainstay" in record.text


async def test_who_is_right_is_told_and_nothing_taken_over(site: Site, operator: Browser) -> None:
    root = f"/w/{site.story.card.slug}"
    drift_id, record_id = await record_drift(site, "invoice")
    page = await operator.get(f"{root}/mirrors")
    assert "<b>books</b> is right about every invoice: change it there, or revert the copy." in page.text
    assert "take-over" not in page.text

    refused = await operator.post(f"{root}/mirrors/drift/{drift_id}/take-over")
    assert refused.status == 409
    assert "another system is right: &#34;books&#34; about status" in refused.text
    assert "Open" in (await operator.get(f"{root}/records/invoice/{record_id}")).text
