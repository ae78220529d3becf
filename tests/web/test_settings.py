"""What a stack declares can be looked up on a page, without a secret."""

from __future__ import annotations

from tests.conftest import MakeStack
from tests.journeys.visiting import read, visiting

STACK = """
holidays = "US-TX"
days_off = ["2026-12-24", "2026-12-27..2027-01-02"]
hours = "Mon-Fri 08:00-18:00"
[connections]
hub = { connector = "hubspot", token = "${HUB_TOKEN}" }
slack = { connector = "slack", token = "${SLACK_TOKEN}" }
[roles]
crm = "hub"
[records.contact]
system_of_record = "hub"
[sources.website]
kind = "form"
secret = "${WEBSITE_SECRET}"
expect = "at least 1 in 4 business hours"
[sources.ads]
kind = "json"
expect = "off"
[alerts]
critical = ["slack:#alerts"]
other = ["slack:#digest"]
escalate = ["slack:#boss"]
quiet = "22:00-07:00"
[retention]
runs = "400d"
"""
WORKFLOWS = """
@workflow("welcome.v1", on="contact.created", critical=True)
async def welcome(ctx: Context, contact: Contact) -> None:
    pass
"""


async def test_everything_declared_is_told_and_no_secret(make_stack: MakeStack) -> None:
    stack = await make_stack(STACK, WORKFLOWS)
    async with visiting(stack) as browser:
        page = await read(browser, "/w/acme/settings")
        raw = (await browser.get("/w/acme/settings")).text
        empty = await read(browser, "/w/acme/runs?workflow=welcome.v1")
    for said in (
        "Acme Plumbing (acme)",
        "Open Mon-Fri 08:00-18:00",
        "public holidays of US-TX; 24 Dec 2026; 27 Dec 2026 to 02 Jan 2027",
        "contact hub",
        "invoice Mainstay's own book",
        "website Web form; at least 1 in 4 business hours",
        "may be silent",
        "welcome.v1 on contact.created, its failures alert at once",
        "Critical slack:#alerts, at once",
        "Other slack:#digest, gathered for 4 minutes",
        "22:00-07:00: what is not critical waits",
        "Not acknowledged after 15 minutes slack:#boss",
        "Runs 400 days",
        "Deliveries for ever",
    ):
        assert said in page, said
    assert 'href="/w/acme/deliveries?source=website"' in raw
    assert "token" not in page.lower()
    assert "secret" not in page.lower()
    assert "welcome.v1" in empty


async def test_where_little_is_declared_it_says_so(make_stack: MakeStack) -> None:
    stack = await make_stack("")
    async with visiting(stack) as browser:
        page = await read(browser, "/w/acme/settings")
    assert "on public holidays of US silence is no news" in page
    assert "leads come by a source" in page
    assert "mainstay init writes one to see" in page
    assert "Nobody is told" in page
