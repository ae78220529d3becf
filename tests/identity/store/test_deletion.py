"""R16: what a deletion leaves, and what comes after it."""

from __future__ import annotations

from typing import Any

import pytest

from mainstay.errors import PermanentError
from tests.identity.store.conftest import Book

EMAIL, PHONE = "sarah@example.com", "+13125550147"


async def test_old_identifiers_keep_matching(book: Book) -> None:
    contact_id = await book.id(EMAIL, PHONE, at=1)
    assert await book.id("sj@example.com", PHONE, at=2) == contact_id
    assert await book.id("sj@example.com", "+13125550148", at=3) == contact_id
    contact = await book.get(contact_id)
    assert (contact.email, contact.phone) == ("sj@example.com", "+13125550148")
    assert await book.id(EMAIL) == await book.id(phone=PHONE) == contact_id


async def test_a_new_write_makes_a_new_contact_without_anything_of_the_old(book: Book) -> None:
    contact_id = await book.id(EMAIL, PHONE, "Sarah Johnson", company="Birch", tags=("vip",))
    await book.delete(contact_id)
    back = await book.id(EMAIL)
    assert back != contact_id
    contact = await book.get(back)
    assert (contact.email, contact.phone, contact.company, contact.tags) == (EMAIL, "", "", ())


@pytest.mark.parametrize("again", [{"email": EMAIL}, {"phone": PHONE}, {"connection": "ghl", "external_id": "x1"}])
async def test_a_write_older_than_the_deletion_is_dropped(book: Book, again: dict[str, Any]) -> None:
    await book.delete(await book.id(EMAIL, PHONE, connection="ghl", external_id="x1"))
    outcome = await book.say(**again, at=5)
    assert (outcome.outcome, outcome.contact_id) == ("dropped", None)
    assert "deleted" in outcome.note
    assert await book.standing() == 0


async def test_an_old_write_is_dropped_even_when_the_person_is_back(book: Book) -> None:
    await book.delete(await book.id(EMAIL))
    await book.say(EMAIL)
    assert (await book.say(EMAIL, at=5, company="Birch")).outcome == "dropped"


async def test_a_phone_that_others_have_does_not_drop_their_writes(book: Book) -> None:
    sarah = await book.id(EMAIL, PHONE, "Sarah Johnson")
    bob = await book.id("bob@example.com", PHONE, "Bob Birch")
    await book.delete(sarah)
    assert await book.id("bob@example.com", PHONE, at=5) == bob


async def test_all_that_was_merged_goes_along(book: Book) -> None:
    one, other = await book.id(EMAIL), await book.id("sj@example.com", PHONE)
    merge_id = await book.merge(one, other)
    await book.delete(other)  # by the id that redirects
    assert await book.standing() == 0
    assert await book.rows("SELECT FROM identifiers") == []
    assert (await book.say("sj@example.com", at=5)).outcome == "dropped"
    with pytest.raises(PermanentError, match="deleted"):
        await book.unmerge(merge_id)


async def test_a_deleted_id_is_gone_for_every_verb(book: Book) -> None:
    gone, other = await book.id(EMAIL), await book.id("sj@example.com")
    await book.delete(gone)
    with pytest.raises(PermanentError, match="there is no contact"):
        await book.verbs.edit(book.workspace, gone, {"company": "Birch"}, by="Ann")
    with pytest.raises(PermanentError, match="there is no contact"):
        await book.merge(gone, other)
    with pytest.raises(PermanentError, match="there is no contact"):
        await book.delete(gone)


async def test_suggestions_about_it_go(book: Book) -> None:
    sarah = await book.id(EMAIL, name="Sarah")
    await book.id(phone=PHONE, name="Bob")
    assert len((await book.say(EMAIL, PHONE, "Sarah")).suggestions) == 1
    await book.delete(sarah)
    assert await book.rows("SELECT FROM suggestions") == []
