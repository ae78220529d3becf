"""The pages of what is watched without pings: a source's rhythm, an outcome's leads, a canary's flights."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from mainstay.monitors.calendars import DaysOff
from tests.web.conftest import Browser, Site
from tests.web.watched_told import fill


async def test_what_is_watched_has_a_page(site: Site, operator: Browser) -> None:
    root = f"/w/{site.story.card.slug}/monitors"
    await fill(site.backend.pool, site.story.card.id)
    page = (await operator.get(root)).text
    assert page.index("speed-to-lead") < page.index("nightly.v1"), "what is down comes first"
    assert "[monitors.nightly-backup]" in page, "how to watch a job stands there until one is"
    assert "11 a day" in page
    source = (await operator.get(f"{root}/source/website")).text
    assert "Mon 15, Tue 15" in source
    assert source.count('class="level-') == 7 * 24
    assert "A lead is expected by" in source
    declared = (await operator.get(f"{root}/source/ads")).text
    assert "expect</code> in" in declared
    today = datetime.now(UTC).date()
    cards = site.backend.cards
    cards[0] = replace(cards[0], days_off=DaysOff("", ((today + timedelta(days=3), today + timedelta(days=3)),)))
    source = (await operator.get(f"{root}/source/website")).text
    assert "taken from the region" not in source
    assert f"The next: {today + timedelta(days=3):%a %d %b}." in source
    cards[0] = replace(cards[0], days_off=DaysOff("US", is_assumed=True))
    assert "Public holidays are taken from the region, US." in (await operator.get(f"{root}/source/website")).text
    # What is declared in business hours is awaited on a holiday that is only assumed: nobody is closed for it.
    declared = (await operator.get(f"{root}/source/ads")).text
    assert "None is in the next three months. Public holidays count once you say whose" in declared
    cards[0] = replace(cards[0], days_off=DaysOff("AC", is_assumed=True))
    assert "holidays are taken" not in (await operator.get(f"{root}/source/website")).text
    outcome = (await operator.get(f"{root}/outcome/speed-to-lead")).text
    assert "40 of 42 had all of it in time" in outcome
    assert "Came late" in outcome
    assert "Missing" in outcome
    canary = (await operator.get(f"{root}/canary/canary")).text
    assert "chat slack" in canary
    assert "&lt;b&gt;HTTP 503" in canary
    assert "Fired last" in (await operator.get(f"{root}/schedule/nightly.v1")).text
    assert (await operator.get(f"{root}/source/no-such")).status == 404
    assert (await operator.get(f"{root}/ping/website")).status == 404
    assert (await site.stranger.get(f"{root}/source/website")).status == 303
