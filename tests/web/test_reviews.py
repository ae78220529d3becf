from __future__ import annotations

import asyncio
import re

from mainstay.db import acquire
from tests.insight.seed import Seed
from tests.web.conftest import Answer, Browser, Site
from tests.web.people import People


def asked(answer: Answer) -> str:
    """Return the id of the suggestion that a page asks about; empty for none."""
    found = re.search(r'class="review" method="post" action="/w/cedar/reviews/([0-9a-f-]{36})/merge"', answer.text)
    return found[1] if found else ""


async def decide(browser: Browser, page: Answer, verb: str, keep: str = "") -> Answer:
    """Send the form of a page as a browser without scripts does."""
    following = re.search(r'name="following" value="([^"]*)"', page.text)
    assert following is not None
    answer = await browser.post(
        f"/w/cedar/reviews/{asked(page)}/{verb}", data={"keep": keep, "following": following[1]}
    )
    assert answer.status == 303, answer.text
    return await browser.get(answer.headers["location"])


async def test_one_after_the_other_likeliest_first(people: People, operator: Browser) -> None:
    ids = [str(suggestion) for suggestion, _, _ in people.pairs]
    page = await operator.get(f"{people.root}/reviews")
    assert asked(page) == ids[0]
    assert "97 %" in page.text
    assert "the e-mails differ only by what follows the plus" in page.text

    page = await decide(operator, page, "merge")
    assert (asked(page), "are one contact now." in page.text) == (ids[1], True)
    page = await decide(operator, page, "reject")
    assert (asked(page), "Liz Tanaka stay two." in page.text) == (ids[2], True)
    page = await decide(operator, page, "merge")
    assert (asked(page), "One write named both" in page.text) == (ids[3], True)
    page = await decide(operator, page, "reject")

    assert asked(page) == ""
    assert "Nothing waits for a review." in page.text
    assert "Undo" in page.text
    decided = (await operator.get(f"{people.root}/reviews/decided")).text
    assert decided.count("by hand") == 4
    assert decided.count(">Not the same<") == 2


async def test_how_many_decisions_refined_the_probability_is_said(people: People, operator: Browser) -> None:
    assert "of your decisions taught" not in (await operator.get(f"{people.root}/reviews")).text
    async with acquire(people.backend.pool) as connection:
        await connection.execute("INSERT INTO learned_from_reviews VALUES ($1, 1.1, -0.2, 40, now())", people.card.id)
    assert "likely one person, as 40 of your decisions taught" in (await operator.get(f"{people.root}/reviews")).text


async def test_values_as_people_write_them_and_what_agrees(people: People, operator: Browser) -> None:
    text = (await operator.get(f"{people.root}/reviews?at={people.pairs[1][0]}")).text

    assert "(312) 555-0133" in text
    assert "(312) 555-0138" in text
    rows = re.findall(r'<div class="row ([a-z-]+)[^"]*">\s*<span class="field">([^<]+)', text)
    assert dict(map(reversed, rows)) == {
        "Name": "differs", "E-mail": "one-only", "Phone": "differs", "Company": "other-only", "Source": "differs",
    }  # fmt: skip


async def test_the_chosen_sides_values_stay(people: People, operator: Browser) -> None:
    suggestion, one, other = people.pairs[0]
    page = await operator.get(f"{people.root}/reviews?at={suggestion}")

    await decide(operator, page, "merge", keep=str(one))

    async with acquire(people.backend.pool) as connection:
        row = await connection.fetchrow("SELECT * FROM contacts WHERE id = $1", one)
        into = await connection.fetchval("SELECT merged_into FROM contacts WHERE id = $1", other)
    assert row is not None
    assert (row["company"], row["email"], row["phone"]) == ("Oak Interiors", "mina+quote@oak.example", "+13125550121")
    assert into == one


async def test_undo_brings_the_pair_back(people: People, operator: Browser) -> None:
    for verb in ("merge", "reject"):
        page = await decide(operator, await operator.get(f"{people.root}/reviews"), verb)
        undo = re.search(r'action="(/w/cedar/reviews/[0-9a-f-]{36}/undo)"', page.text)
        assert undo is not None
        answer = await operator.post(undo[1])
        page = await operator.get(answer.headers["location"])
        assert asked(page) == str(people.pairs[0][0])
        assert "waits for a decision again" in page.text
        again = await operator.post(undo[1])
        assert (again.status, "there is no answer to take back" in again.text) == (409, True)


async def test_who_decided_is_told(site: Site, people: People) -> None:
    kim = await site.sign_in("Kim  Lee")

    await decide(kim, await kim.get(f"{people.root}/reviews"), "reject")

    assert ">Kim Lee<" in (await kim.get(f"{people.root}/reviews/decided")).text


async def test_two_people_decide_the_same_pair_at_once(site: Site, people: People) -> None:
    kim, dana = await site.sign_in("Kim"), await site.sign_in("Dana")
    suggestion, following = people.pairs[0][0], people.pairs[1][0]
    path, data = f"{people.root}/reviews/{suggestion}", {"following": str(following)}

    answers = await asyncio.gather(
        kim.post(f"{path}/merge", data=data),
        dana.post(f"{path}/reject", data=data),
        kim.post(f"{path}/merge", data=data),
    )

    assert sorted(answer.status for answer in answers) == [303, 409, 409]
    refused = [answer for answer in answers if answer.status == 409]
    for answer in refused:
        assert re.search(r"(They were not merged|Nothing was recorded): .*already", answer.text)
        assert asked(answer) == str(following)
    async with acquire(people.backend.pool) as connection:
        merges = await connection.fetchval(
            "SELECT count(*) FROM merges WHERE survivor_id = $1 AND undone_at IS NULL", people.pairs[0][1]
        )
        state = await connection.fetchval("SELECT state FROM suggestions WHERE id = $1", suggestion)
    assert merges == (1 if state == "accepted" else 0)


async def test_the_count_is_on_every_page_and_stops_at_99(people: People, operator: Browser) -> None:
    assert re.search(r'<b class="count">4<span', (await operator.get(f"{people.root}/runs")).text)
    overview = (await operator.get(people.root)).text
    assert f'<a href="{people.root}/reviews"><b>4</b><span>reviews waiting</span></a>' in overview
    async with acquire(people.backend.pool) as connection:
        seed = Seed(connection, people.card.id)
        for number in range(100):
            one, other = await seed.contact(identifiers=False), await seed.contact(identifiers=False)
            await seed.suggestion(one, other, score=number / 100)

    assert '<b class="count">99+<span' in (await operator.get(f"{people.root}/runs")).text
    assert "<b>99+</b><span>reviews waiting" in (await operator.get(people.root)).text


async def test_an_empty_page_says_what_it_is_for(operator: Browser) -> None:
    assert "Nothing waits for a review." in (await operator.get("/w/acme/reviews")).text
    assert "Nothing was decided yet." in (await operator.get("/w/acme/reviews/decided")).text


async def test_another_workspaces_suggestion_is_out_of_reach(people: People, operator: Browser) -> None:
    suggestion = people.pairs[0][0]

    for verb in ("merge", "reject", "undo"):
        answer = await operator.post(f"/w/acme/reviews/{suggestion}/{verb}")
        assert (answer.status, "there is no suggestion" in answer.text) == (409, True)
    page = await operator.get(f"/w/acme/reviews?at={suggestion}&last={suggestion}")
    assert "Wilhelmina" not in page.text


async def test_an_address_that_names_no_suggestion_shows_what_waits(people: People, operator: Browser) -> None:
    page = await operator.get(f"{people.root}/reviews?at={people.plain}&last={people.plain}")

    assert asked(page) == str(people.pairs[0][0])
