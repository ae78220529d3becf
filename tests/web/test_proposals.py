"""The reviews of what was written into copies, and the page that says what all of it would do."""

from __future__ import annotations

import re
from uuid import UUID

import pytest

from mainstay.db import acquire
from tests.web.conftest import Browser, Site
from tests.web.test_mirrors import drift


async def proposed(site: Site, **fields: str) -> tuple[UUID, UUID, str]:
    drift_id, contact_id = await drift(site, **fields)
    async with acquire(site.backend.pool) as connection:
        await connection.execute("UPDATE drifts SET is_proposed = true")
    return drift_id, contact_id, f"/w/{site.story.card.slug}"


async def company(site: Site, contact_id: UUID) -> str:
    async with acquire(site.backend.pool) as connection:
        found: str = await connection.fetchval("SELECT company FROM contacts WHERE id = $1", contact_id)
    return found


async def test_a_proposal_waits_among_the_reviews(site: Site, operator: Browser) -> None:
    _, _, root = await proposed(site, Company="<b>Acme</b>")
    page = (await operator.get(f"{root}/reviews/proposals")).text
    assert "&lt;b&gt;Acme&lt;/b&gt;" in page
    assert "Take over all" not in page  # of one alone there is no all
    assert "&lt;b&gt;Acme" not in (await operator.get(f"{root}/mirrors")).text
    overview = (await operator.get(root)).text
    assert re.search(r"<b>\d+</b><span>reviews waiting", overview)


async def test_it_is_taken_over_and_undone(site: Site, operator: Browser) -> None:
    drift_id, contact_id, root = await proposed(site, Company="Acme")
    taken = await operator.post(f"{root}/reviews/proposals/{drift_id}/take-over")
    assert (taken.status, await company(site, contact_id)) == (303, "Acme")
    assert "Taken over" in (await operator.get(f"{root}/reviews/proposals")).text
    undone = await operator.post(f"{root}/reviews/proposals/{drift_id}/undo")
    assert (undone.status, await company(site, contact_id)) == (303, "")  # nothing else was ever said of it here
    page = (await operator.get(f"{root}/contacts/{contact_id}")).text
    assert "Taken back" in page
    again = await operator.post(f"{root}/reviews/proposals/{drift_id}/undo")
    assert (again.status, "nothing of it that can be undone" in again.text) == (409, True)


@pytest.mark.parametrize("verb", ["revert", "leave"])
async def test_other_answers_are_undone_too(site: Site, operator: Browser, verb: str) -> None:
    drift_id, _, root = await proposed(site, Company="Acme")
    assert (await operator.post(f"{root}/reviews/proposals/{drift_id}/{verb}")).status == 303
    assert f"/{drift_id}/undo" in (await operator.get(f"{root}/reviews/proposals")).text
    assert (await operator.post(f"{root}/reviews/proposals/{drift_id}/undo")).status == 303


async def test_all_at_once_is_shown_before_it_is_done(site: Site, operator: Browser) -> None:
    _, contact_id, root = await proposed(site, Company="Acme", Tags="vip")
    before = await company(site, contact_id)
    plan = await operator.get(f"{root}/mirrors/sheet/take-over?proposed=1")
    assert plan.status == 200
    assert "nothing is done yet" in plan.text
    assert "Tags goes back: a mirror has no say in it" in plan.text
    assert await company(site, contact_id) == before
    last = re.search(r'name="last" value="([0-9a-f-]{36})"', plan.text)
    assert last is not None
    done = await operator.post(f"{root}/mirrors/sheet/take-over", data={"last": last[1], "proposed": "1"})
    assert (done.status, await company(site, contact_id)) == (303, "Acme")


async def test_what_is_refused_is_said(site: Site, operator: Browser) -> None:
    _, _, root = await proposed(site, **{"E-mail": "no address"})
    plan = await operator.get(f"{root}/mirrors/sheet/take-over?proposed=1")
    assert "is not an e-mail address" in plan.text or "was changed since" in plan.text
    assert "<button" not in plan.text.partition("<main")[2].partition("</main")[0] or "Take over 0" not in plan.text
    done = await operator.post(f"{root}/mirrors/sheet/take-over", data={"proposed": "1"})
    assert (done.status, "0 of 1" in done.text) == (409, True)


async def test_reverting_all_is_shown_before_it_is_done(site: Site, operator: Browser) -> None:
    drift_id, _, root = await proposed(site, Company="Acme")
    plan = await operator.get(f"{root}/mirrors/sheet/revert?proposed=1")
    assert (plan.status, "nothing is written yet" in plan.text) == (200, True)
    done = await operator.post(f"{root}/mirrors/sheet/revert", data={"last": str(drift_id), "proposed": "1"})
    assert done.status == 303
    async with acquire(site.backend.pool) as connection:
        assert await connection.fetchval("SELECT state FROM drifts") == "reverted"
