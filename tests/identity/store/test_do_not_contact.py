"""R12: an opt-out stands until a later, explicit consent, whatever else happens."""

from __future__ import annotations

from typing import Any

import pytest

from tests.identity.store.conftest import Book

EMAIL, PHONE = "sarah@example.com", "+13125550147"


@pytest.mark.parametrize(
    ("wishes", "is_out"),
    [
        ([("out", 1)], True),
        ([("out", 1), ("say", 2)], True),
        ([("say", 5), ("out", 1)], True),
        ([("out", 1), ("consent", 2)], False),
        ([("consent", 2), ("out", 1)], False),
        ([("out", 2), ("consent", 1)], True),
        ([("consent", 1), ("out", 2)], True),
        ([("out", 1), ("consent", 1)], True),
        ([("out", 1), ("consent", 2), ("out", 3)], True),
        ([("out", 3), ("consent", 2), ("out", 1)], True),
    ],
)
async def test_the_last_wish_stands_whatever_the_order(
    book: Book, wishes: list[tuple[str, int]], *, is_out: bool
) -> None:
    contact_id = None
    for wish, at in wishes:
        outcome = await book.say(
            EMAIL, at=at, do_not_contact=wish == "out", consent="form" if wish == "consent" else ""
        )
        contact_id = outcome.contact_id
    assert contact_id is not None
    assert (await book.get(contact_id)).do_not_contact is is_out


@pytest.mark.parametrize("kind", ["form", "import", "crm"])
async def test_an_import_or_the_crm_does_not_lift_it(book: Book, kind: str) -> None:
    contact_id = await book.id(EMAIL, do_not_contact=True)
    await book.say(EMAIL, company="Birch", kind=kind)
    await book.verbs.edit(book.workspace, contact_id, {"company": "Acme"}, by="Ann")
    assert (await book.get(contact_id)).do_not_contact


async def test_it_wins_in_a_merge_and_goes_home_with_its_side(book: Book) -> None:
    one, other = await book.id(EMAIL), await book.id("sj@example.com", do_not_contact=True)
    merge_id = await book.merge(one, other, keep=one)
    assert (await book.get(one)).do_not_contact
    stayed, restored = await book.unmerge(merge_id)
    assert (stayed.do_not_contact, restored.do_not_contact) == (False, True)


async def test_a_consent_of_one_side_is_not_the_others_once_they_are_parted(book: Book) -> None:
    one, other = await book.id(EMAIL), await book.id("sj@example.com", do_not_contact=True)
    merge_id = await book.merge(one, other)
    await book.say(EMAIL, consent="signed")
    assert not (await book.get(one)).do_not_contact
    stayed, restored = await book.unmerge(merge_id)
    assert (stayed.do_not_contact, restored.do_not_contact) == (False, True)


async def test_it_wins_through_a_bridge(book: Book) -> None:
    one, _other = await book.id(EMAIL), await book.id(phone=PHONE, do_not_contact=True)
    assert (await book.say(EMAIL, PHONE)).merged
    assert (await book.get(one)).do_not_contact


@pytest.mark.parametrize("again", [{"email": EMAIL}, {"phone": PHONE}, {"connection": "ghl", "external_id": "x1"}])
async def test_it_outlives_deletion_by_each_identifier(book: Book, again: dict[str, Any]) -> None:
    contact_id = await book.id(EMAIL, PHONE, do_not_contact=True, connection="ghl", external_id="x1")
    await book.delete(contact_id)
    back = await book.id(**again)
    assert back != contact_id
    assert (await book.get(back)).do_not_contact


async def test_it_outlives_deletion_in_digests_alone(book: Book) -> None:
    await book.delete(await book.id(EMAIL, PHONE, "Sarah Johnson", do_not_contact=True))
    for table in ("contacts", "identifiers", "changes", "erased_identifiers", "merges", "suggestions"):
        rows = await book.rows(f"SELECT t::text FROM {table} AS t")  # noqa: S608 - names of this file
        assert not [row for row in rows if "sarah" in str(row).lower() or "5550147" in str(row)]


async def test_a_consent_after_the_deletion_lifts_it_for_good(book: Book) -> None:
    await book.delete(await book.id(EMAIL, do_not_contact=True))
    back = await book.id(EMAIL, consent="signed")
    assert not (await book.get(back)).do_not_contact
    await book.say(EMAIL, company="Birch")
    assert not (await book.get(back)).do_not_contact
    await book.delete(back)
    assert not (await book.get(await book.id(EMAIL))).do_not_contact


async def test_who_shares_the_phone_of_one_who_opted_out_and_was_deleted_is_let_alone(book: Book) -> None:
    sarah = await book.id(EMAIL, PHONE, "Sarah Johnson", do_not_contact=True)
    bob = await book.id("bob@example.com", PHONE, "Bob Birch")
    await book.delete(sarah)
    await book.say("bob@example.com", PHONE, "Bob Birch")
    assert not (await book.get(bob)).do_not_contact
    ann = await book.id("ann@example.com", PHONE, "Ann")
    assert (await book.get(ann)).do_not_contact  # who has the number next may be the one who said no


async def test_a_role_mailbox_that_opted_out_stays_so(book: Book) -> None:
    await book.delete(await book.id("info@example.com", name="Sarah Johnson", do_not_contact=True))
    assert (await book.get(await book.id("info@example.com", name="Bob Birch"))).do_not_contact
