"""A week that really happened, told once, by e-mail."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from mainstay.db import acquire
from mainstay.insight.weekly import weekly_review
from mainstay.insight.weeks import Week
from mainstay.weekly import WEEKLY_REVIEW, WeeklyReviews
from tests.conftest import MakeStack

STACK = """
    [connections]
    mail = { connector = "postmark", token = "${TOKEN}", from = "hello@acme.example" }
    slack = { connector = "slack", token = "${SLACK_TOKEN}" }
    [roles]
    email = "mail"
    chat = "slack"
    [sources.website]
    kind = "form"
    repeat_window = "10m"
    [alerts]
    critical = ["email:ops@acme.example"]
    other = ["slack:#alerts", "email:dana@acme.example"]
    review = "Mon 08:00"
"""
WORKFLOW = """
    @workflow("welcome.v1", on="contact.created")
    async def welcome(ctx: Context, contact: Contact):
        await ctx.chat.post("#leads", contact.first_name)
"""


@pytest.mark.timeout(240)
async def test_a_week_is_told_once_whoever_tries_and_the_letter_is_the_same_after_a_retry(
    make_stack: MakeStack,
) -> None:
    stack = await make_stack(STACK, WORKFLOW)
    app, sandbox = stack.app, stack.sandbox
    (workspace,) = app.workspaces.values()
    # One lead of whom the chat hears at the second try, one repeated, one that nobody can read.
    sandbox.set_fault("slack", "status", status=503, count=1)
    for _ in range(2):
        await stack.deliver("website", b'{"email": "sarah@example.com", "name": "Sarah Jones"}')
    await stack.deliver("website", b"\xff\xfe")
    await stack.advance("1h")

    async with acquire(app.pool) as connection:
        began = await connection.fetchval("SELECT now()")
        zone = workspace.stack.timezone
        week = Week.of(began, zone)
        review = await weekly_review(connection, workspace.id, week, zone, stack.clock.now)
    (source,) = review.sources
    assert (source.leads, source.repeated, source.rejected) == (1, 1, 1)
    assert (review.saved, review.failed, review.prevented, review.contacts) == (1, 0, 1, 1)
    assert any("could not be read" in text for text, _ in review.look)

    # Before its moment nothing is sent; after it, by two at once, one letter to each address.
    stack.clock.now = week.bounds(zone)[1] + timedelta(hours=7)
    await app.weekly.begin_due()
    other = WeeklyReviews(app.pool, app, app.clock)
    stack.clock.now += timedelta(hours=2)
    await asyncio.gather(app.weekly.begin_due(), other.begin_due())
    sandbox.set_fault("postmark", "status", status=503, count=1)
    await stack.settle()
    await stack.submit("website", email="pat@example.com", name="Pat Moore")
    await stack.advance("1h")
    await app.weekly.begin_due()
    await stack.settle()
    letters = [each for each in sandbox.messages("postmark") if "in the week of" in str(each["Subject"])]
    assert sorted(str(each["To"]) for each in letters) == ["dana@acme.example", "ops@acme.example"]
    assert {each["Subject"] for each in letters} == {
        f"Acme Plumbing: 1 lead, 0 failed runs in the week of {week.words}"
    }
    assert all("1  runs saved by retries" in str(each["TextBody"]) for each in letters)
    assert all("<h1" in str(each["HtmlBody"]) for each in letters)
    async with acquire(app.pool) as connection:
        rows = await connection.fetch("SELECT state, retries FROM runs WHERE workflow = $1", WEEKLY_REVIEW)
    assert [(row["state"], row["retries"]) for row in rows] == [("done", 1)]
