"""The pages of records: lists by type, one with whose word each value is."""

from __future__ import annotations

from mainstay.db import acquire
from mainstay.model import RECORD_TYPES, new_id
from tests.web.conftest import Browser, Site
from tests.web.records_told import tell


async def test_a_record_and_its_story(site: Site, operator: Browser) -> None:
    root = f"/w/{site.story.card.slug}"
    async with acquire(site.backend.pool) as connection:
        contact = await connection.fetchval(
            "SELECT id FROM contacts WHERE workspace_id = $1 AND merged_into IS NULL LIMIT 1", site.story.card.id
        )
    invoice = await tell(site.backend.pool, site.story.card.id, contact)

    listed = (await operator.get(f"{root}/records/invoice?status=paid")).text
    assert "INV-1045" in listed
    assert "<b>books</b> is right about every invoice" in listed
    assert "<b>ghl</b> is right about due" in listed
    assert "INV-1045" in (await operator.get(f"{root}/records/invoice?q=roof-")).text
    assert "No invoice fits that" in (await operator.get(f"{root}/records/invoice?status=open")).text

    page = (await operator.get(f"{root}/records/invoice/{invoice.record_id}")).text
    assert "2450.00 USD" in page
    assert "Status “void” does not stand: books is right about it" in page
    assert '<span class="none">system of record</span></dt><dd><code>1045</code>' in page
    assert f'href="{root}/contacts/{contact}"' in page

    person = (await operator.get(f"{root}/contacts/{contact}")).text
    assert "Measure the &lt;b&gt;roof&lt;/b&gt;" in person
    assert "Deleted there" in person


async def test_every_type_has_its_list(site: Site, operator: Browser) -> None:
    root = f"/w/{site.story.card.slug}"
    for kind in RECORD_TYPES:
        page = await operator.get(f"{root}/records/{kind}")
        assert page.status == 200
        assert "No system has told of a" in page.text
    assert (await operator.get(f"{root}/records")).status == 303


async def test_what_is_not_there_is_told(site: Site, operator: Browser) -> None:
    root = f"/w/{site.story.card.slug}"
    invoice = await tell(site.backend.pool, new_id())
    for path in (
        "records/quote",
        f"records/invoice/{invoice.record_id}",
        f"records/invoice/{new_id()}",
        "records/deal/x",
    ):
        assert (await operator.get(f"{root}/{path}")).status == 404
