from __future__ import annotations

import re
from uuid import UUID, uuid4

import pytest

from mainstay.contacts import BY_HAND
from mainstay.db import acquire
from tests.web.conftest import Answer, Browser, Site
from tests.web.people import People

FORM = {"was.first_name": "Sarah Ann", "was.company": "Birch & Co", "was.email": "sarah@birch.example"}


@pytest.fixture
async def dana(site: Site) -> Browser:
    """A browser whose person has a name."""
    return await site.sign_in("Dana")


async def follow(browser: Browser, answer: Answer) -> Answer:
    assert answer.status == 303, answer.text
    return await browser.get(answer.headers["location"])


async def column(people: People, name: str, contact_id: UUID) -> object:
    async with acquire(people.backend.pool) as connection:
        return await connection.fetchval(f"SELECT {name} FROM contacts WHERE id = $1", contact_id)  # noqa: S608 - names from here


async def test_what_a_person_must_know_at_once(people: People, operator: Browser) -> None:
    text = (await operator.get(people.contact(people.flagged))).text

    ban, known = text.index("<b>Do not contact.</b>"), text.index("Known by")
    assert ban < text.index("more than 5 e-mails") < known
    assert text.count("Names nobody") == 2
    assert "Shared with others" in text
    assert "(312) 555-0160" in text


async def test_a_merged_id_leads_to_the_survivor_and_says_so(people: People, operator: Browser) -> None:
    answer = await operator.get(people.contact(people.absorbed))
    assert (answer.status, answer.headers["location"]) == (
        303,
        f"{people.contact(people.merged)}?merged={people.absorbed}",
    )

    text = (await operator.get(answer.headers["location"])).text
    assert re.search(rf'Contact .*title="{people.absorbed}".* was merged into this one', text)
    text = (await operator.get(f"{people.contact(people.merged)}?merged={people.plain}")).text
    assert "was merged into this one" not in text


async def test_each_value_tells_where_it_comes_from(people: People, operator: Browser) -> None:
    text = (await operator.get(people.contact(people.plain))).text

    assert "set by hand by Dana" in text
    assert "from crm, " in text
    assert "written “Sarah@Birch.example”" in text
    assert "$5,000" in text


async def test_a_value_is_set_by_hand_and_by_whom(people: People, dana: Browser) -> None:
    path = people.contact(people.plain)

    answer = await dana.post(f"{path}/edit", data={**FORM, "company": "Birch Ltd", "first_name": "Sarah Ann"})

    text = (await follow(dana, answer)).text
    assert "changes only by hand from now on" in text
    async with acquire(people.backend.pool) as connection:
        change = await connection.fetchrow("SELECT * FROM changes WHERE contact_id = $1 ORDER BY id DESC", people.plain)
    assert change is not None
    assert (change["source"], change["kind"], change["after"]) == ("Dana", "manual", {"company": "Birch Ltd"})
    await people.say("crm", kind="crm", email="sarah@birch.example", company="Birch Intl", days=0)
    assert await column(people, "company", people.plain) == "Birch Ltd"


async def test_a_person_without_a_name_did_it_by_hand(people: People, operator: Browser) -> None:
    await operator.post(f"{people.contact(people.plain)}/edit", data={**FORM, "company": "X"})

    async with acquire(people.backend.pool) as connection:
        source = await connection.fetchval(
            "SELECT source FROM changes WHERE contact_id = $1 ORDER BY id DESC LIMIT 1", people.plain
        )
    assert source == "by hand"


async def test_what_the_form_did_not_change_is_left_to_others(people: People, dana: Browser) -> None:
    """Somebody wrote the company while the form was open: it must not be set back."""
    await people.say("crm", kind="crm", email="sarah@birch.example", company="Meanwhile", days=0)

    await dana.post(f"{people.contact(people.plain)}/edit", data={**FORM, "company": "Birch & Co", "first_name": "Sal"})

    assert await column(people, "company", people.plain) == "Meanwhile"
    assert await column(people, "first_name", people.plain) == "Sal"


async def test_an_emptied_field_is_cleared_and_an_unchanged_form_changes_nothing(people: People, dana: Browser) -> None:
    path = f"{people.contact(people.plain)}/edit"
    version = await column(people, "version", people.plain)

    assert (
        "Nothing was changed."
        in (await follow(dana, await dana.post(path, data={**FORM, "company": " Birch & Co "}))).text
    )
    assert await column(people, "version", people.plain) == version
    await dana.post(path, data={**FORM, "company": ""})
    assert await column(people, "company", people.plain) == ""


async def test_a_custom_field_is_set_by_hand(people: People, dana: Browser) -> None:
    form = {"was.custom.Budget": "$5,000", "custom.Budget": "$7,000"}

    await dana.post(f"{people.contact(people.plain)}/edit", data=form)

    assert await column(people, "custom", people.plain) == {"Budget": "$7,000"}


async def test_a_value_that_cannot_be_is_refused_and_stays_typed(people: People, dana: Browser) -> None:
    answer = await dana.post(
        f"{people.contact(people.plain)}/edit", data={**FORM, "email": "not an address", "company": "Kept typed"}
    )

    assert answer.status == 422
    assert "Nothing was saved" in answer.text
    assert 'value="not an address"' in answer.text
    assert 'value="Kept typed"' in answer.text
    assert await column(people, "company", people.plain) == "Birch & Co"


async def test_fields_that_no_form_has_are_refused(people: People, dana: Browser) -> None:
    answer = await dana.post(
        f"{people.contact(people.plain)}/edit", data={"was.workspace_id": "", "workspace_id": str(uuid4())}
    )

    assert answer.status == 422
    assert "is not a field that can be edited" in answer.text


async def test_the_form_offers_every_field_that_a_person_may_edit(people: People, operator: Browser) -> None:
    text = (await operator.get(people.contact(people.plain))).text
    assert set(re.findall(r'name="was\.([^"]+)"', text)) == {*BY_HAND, "custom.Budget"}


async def test_another_is_found_by_typing_compared_and_merged(people: People, dana: Browser) -> None:
    path = f"{people.contact(people.plain)}/merge"
    found = (await dana.get(f"{path}?q=rosa")).text
    assert f"{path}/{people.flagged}" in found
    assert people.contact(people.plain) + "/merge/" + str(people.plain) not in found

    compared = (await dana.get(f"{path}/{people.flagged}")).text
    assert compared.count('name="keep"') == 3
    merged = await dana.post(f"{path}/{people.flagged}", data={"keep": str(people.flagged)})

    text = (await follow(dana, merged)).text
    assert "Merged. If that was a mistake" in text
    assert "<h1>Rosa Diaz</h1>" in text
    assert "Do not contact." in text
    assert await column(people, "merged_into", people.flagged) == people.plain
    again = await dana.post(f"{path}/{people.flagged}", data={"keep": ""})
    assert (again.status, again.headers["location"]) == (303, people.contact(people.plain))


async def test_a_system_that_merges_too_is_named_before(people: People, dana: Browser) -> None:
    path = f"{people.contact(people.plain)}/merge/{people.flagged}"
    assert "will merge its two records too" not in (await dana.get(path)).text

    people.backend.merging = frozenset({"ghl", "hubspot"})

    text = (await dana.get(path)).text
    assert "ghl has both, and will merge its two records too" in text
    assert "hubspot has both" not in text


async def test_un_merge_gives_both_back(people: People, dana: Browser) -> None:
    answer = await dana.post(f"{people.contact(people.merged)}/merges/{people.by_hand}/undo")

    text = (await follow(dana, answer)).text
    assert "the two stay two" in text
    assert f'href="{people.contact(people.absorbed)}"' in text
    assert "Parted from" in text
    theirs = await dana.get(people.contact(people.absorbed))
    assert (theirs.status, "<h1>Bob Miles</h1>" in theirs.text) == (200, True)
    again = await dana.post(f"{people.contact(people.merged)}/merges/{people.by_hand}/undo")
    assert (again.status, "undone already" in again.text) == (422, True)


async def test_deletion_wants_the_name(people: People, dana: Browser) -> None:
    path = people.contact(people.plain)

    for typed in ("", "Sarah", "delete"):
        answer = await dana.post(f"{path}/delete", data={"name": typed})
        assert (answer.status, "Nothing was deleted" in answer.text) == (422, True)
    assert await column(people, "deleted_at", people.plain) is None
    answer = await dana.post(f"{path}/delete", data={"name": "  sarah ann  JOHNSON "})

    assert "The contact is deleted." in (await follow(dana, answer)).text
    assert (await dana.get(path)).status == 404
    assert await column(people, "email", people.plain) == ""
    assert (await dana.post(f"{path}/delete", data={"name": "x"})).status == 404


@pytest.mark.parametrize(
    "path", ["/edit", "/delete", "/merge/{other}", "/merges/{other}/undo"]
)  # fmt: skip
async def test_no_verb_reaches_another_workspaces_contact(people: People, dana: Browser, path: str) -> None:
    wrong = f"/w/acme/contacts/{people.merged}{path.format(other=people.by_hand)}"

    answer = await dana.post(wrong, data={"was.company": "", "company": "Stolen", "name": "Robert Miles"})

    assert answer.status == 404
    assert await column(people, "company", people.merged) == "Pine Dental"
    assert await column(people, "merged_into", people.absorbed) == people.merged


async def test_a_verb_from_another_site_is_not_carried_out(people: People, dana: Browser) -> None:
    answer = await dana.post(
        f"{people.contact(people.merged)}/merges/{people.by_hand}/undo", headers={"Sec-Fetch-Site": "cross-site"}
    )

    assert answer.status == 403
    assert await column(people, "merged_into", people.absorbed) == people.merged
