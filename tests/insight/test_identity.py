"""What is told of identity: merged ids, lineage, merges, suggestions; of people that identity itself has written."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest

from mainstay import insight
from mainstay.db import Pool, acquire
from mainstay.errors import PermanentError
from mainstay.insight import ContactChange, ContactDetail, Count
from mainstay.insight.people import person_detail, person_elsewhere
from mainstay.model import short_id
from mainstay.records import Adopted, link
from tests.insight.seed import Seed
from tests.web.pages_backend import PagesBackend
from tests.web.people import NOW, People
from tests.web.people import people as make_people


@pytest.fixture
async def people(pool: Pool) -> People:
    return await make_people(PagesBackend(pool, "http://localhost"))


async def detail(people: People, contact_id: UUID) -> ContactDetail:
    async with acquire(people.backend.pool) as connection:
        found = await insight.contact_detail(connection, people.card.id, contact_id)
    assert found is not None
    return found


async def ids_found(people: People, text: str) -> list[UUID]:
    async with acquire(people.backend.pool) as connection:
        found = await insight.search_contacts(connection, people.card.id, text, region="US")
    return [contact.id for contact in found]


async def ids_listed(people: People) -> set[UUID]:
    async with acquire(people.backend.pool) as connection:
        return {each.id for each in (await insight.list_contacts(connection, people.card.id)).items}


async def rules_told(people: People, contact_id: UUID) -> list[tuple[str, UUID]]:
    async with acquire(people.backend.pool) as connection:
        entries = await insight.timeline(connection, people.card.id, contact_id)
    return [(item.rule, item.home_id) for entry in entries.items if isinstance(item := entry.item, ContactChange)]


async def test_a_merged_contact_is_listed_no_more_and_its_id_leads_to_the_survivor(people: People) -> None:
    listed = await ids_listed(people)
    found = await detail(people, people.absorbed)

    assert people.merged in listed
    assert people.absorbed not in listed
    assert (found.contact.id, found.group[0]) == (people.merged, people.merged)
    assert people.absorbed in found.group
    assert len(found.group) == 3
    assert await ids_found(people, "Bob Miles") == []
    assert await ids_found(people, short_id(people.absorbed)) == [people.merged]
    assert await ids_found(people, "+44 20 7183 8750") == [people.merged]


async def test_a_deleted_contact_is_nowhere(people: People) -> None:
    await people.backend.contacts.delete(people.card.id, people.merged)

    assert people.merged not in await ids_listed(people)
    assert await ids_found(people, "robert") == await ids_found(people, short_id(people.absorbed)) == []
    async with acquire(people.backend.pool) as connection:
        for contact_id in (people.merged, people.absorbed):
            assert await insight.contact_detail(connection, people.card.id, contact_id) is None


async def test_the_timeline_covers_the_group_and_is_parted_again(people: People) -> None:
    before = await rules_told(people, people.merged)
    assert ("new", people.absorbed) in before
    assert ("phone", people.absorbed) in before
    assert [rule for rule, _ in before].count("merge") == 2

    await people.backend.contacts.unmerge(people.card.id, people.by_hand, by="Dana")

    stayed, restored = await rules_told(people, people.merged), await rules_told(people, people.absorbed)
    assert ("un-merge", people.merged) in stayed
    assert all(home_id != people.absorbed for _, home_id in stayed)
    assert restored == [("un-merge", people.absorbed), ("phone", people.absorbed), ("new", people.absorbed)]


async def test_a_merge_is_told_with_the_other_one_and_the_reason(people: People) -> None:
    async with acquire(people.backend.pool) as connection:
        entries = await insight.timeline(connection, people.card.id, people.merged)
    told = {
        item.merge_id: (item.other_id, item.other_name, item.merge_rule, item.source)
        for entry in entries.items
        if isinstance(item := entry.item, ContactChange) and item.rule == "merge"
    }

    assert told[people.by_hand] == (people.absorbed, "Bob Miles", "by hand", "Dana")
    assert {merge_rule for _, _, merge_rule, _ in told.values()} == {"by hand", "bridge"}
    assert not any("merged" in getattr(entry.item, "type", "") for entry in entries.items)


async def test_merges_say_who_and_whether_they_were_undone(people: People) -> None:
    by_rule, by_hand = (await detail(people, people.merged)).merges
    assert (by_hand.id, by_hand.merged_id, by_hand.merged_name) == (people.by_hand, people.absorbed, "Bob Miles")
    assert (by_hand.rule, by_hand.by, by_hand.is_undoable) == ("by hand", "Dana", True)
    assert (by_rule.rule, by_rule.by) == ("bridge", "")

    await people.backend.contacts.unmerge(people.card.id, people.by_hand, by="Kim")

    undone = (await detail(people, people.merged)).merges[1]
    assert (undone.is_undoable, undone.undone_by) == (False, "Kim")
    assert (await detail(people, people.absorbed)).merges == ()


async def test_where_a_value_comes_from_and_what_else_was_said(people: People) -> None:
    found = await detail(people, people.plain)

    first_name = found.lineages["first_name"]
    assert first_name.is_by_hand
    assert first_name.stands is not None
    assert (first_name.stands.value, first_name.stands.source) == ("Sarah Ann", "Dana")
    assert [(each.value, each.source) for each in first_name.history] == [("Sarah Ann", "Dana"), ("Sarah", "website")]
    company = found.lineages["company"]
    assert [each.value for each in company.history] == ["Birch & Co", "Birch"]
    assert company.stands is not None
    assert (company.stands.kind, company.stands.at) == ("crm", NOW - timedelta(days=3))
    email = found.lineages["email"].history[-1]
    assert (email.value, email.raw) == ("sarah@birch.example", "Sarah@Birch.example")
    assert found.lineages["custom.Budget"].stands is not None
    assert found.lineages["phone"].stands is not None
    assert found.lineages["phone"].stands.value == "+13125550199"


async def test_every_value_that_stands_has_its_origin(people: People) -> None:
    for contact_id in (people.plain, people.flagged, people.merged, *(one for _, one, _ in people.pairs)):
        found = await detail(people, contact_id)
        for field in ("email", "phone", "first_name", "last_name", "company", "source"):
            value = getattr(found.contact, field)
            if value:
                stands = found.lineages[field].stands
                assert stands is not None, field
                assert stands.value == value, field


async def test_what_a_person_let_stand_counts_no_more_once_the_merge_is_undone(people: People) -> None:
    kept = (await detail(people, people.merged)).lineages["company"].stands
    assert kept is not None
    assert (kept.kind, kept.source, kept.value) == ("merge", "Dana", "Pine Dental")

    await people.backend.contacts.unmerge(people.card.id, people.by_hand, by="Dana")

    company = (await detail(people, people.merged)).lineages["company"]
    assert [each.kind for each in company.history] == ["form"]
    theirs = (await detail(people, people.absorbed)).lineages["company"]
    assert [each.value for each in theirs.history] == ["Pine"]


async def test_a_cleared_field_is_part_of_its_history(people: People) -> None:
    await people.backend.contacts.edit(people.card.id, people.plain, {"company": ""}, by="Dana")

    history = (await detail(people, people.plain)).lineages["company"].history

    assert [each.value for each in history] == ["", "Birch & Co", "Birch"]


async def test_a_history_is_bounded_and_the_value_that_stands_is_in_it_however_old(seed: Seed) -> None:
    contact = await seed.contact(at=seed.ago(days=9), company="Old")
    first = await seed.change(contact, at=seed.ago(days=9), person={"company": "Old"})
    for minute in range(230):
        await seed.change(contact, at=seed.ago(minutes=minute), person={"email": f"a{minute}@x.example"})
    await seed.as_identity(
        "UPDATE contacts SET origins = $2 WHERE id = $1",
        contact,
        {"company": ["2026-01-01T00:00:00.000000+00:00", "form", str(first), 1]},
    )

    found = await insight.contact_detail(seed.connection, seed.workspace_id, contact)

    assert found is not None
    stands = found.lineages["company"].stands
    assert stands is not None
    assert stands.change_id == first
    assert len(found.lineages["email"].history) == 12


async def test_identifiers_with_their_standing(people: People) -> None:
    found = await detail(people, people.flagged)

    standing = {item.value: item.standing for item in found.identifiers}
    assert standing["+13125550160"] == "shared"
    assert standing["rosa@elm.example"] == "owner"
    assert (standing["rosa7@elm.example"], standing["info@elm.example"]) == ("weak", "weak")
    assert found.contact.do_not_contact
    assert found.opted_out_at == NOW - timedelta(days=4)
    assert set(found.contact.flags) == {"shared phone", "more than 5 e-mails"}
    homes = {item.value: item.home_id for item in (await detail(people, people.merged)).identifiers}
    assert homes["+442071838750"] == people.absorbed


async def test_both_records_of_a_merged_person_in_one_system(people: People) -> None:
    await people.backend.contacts.merge(people.card.id, people.plain, people.flagged, by="Dana")

    own, beside = (await detail(people, people.flagged)).counterparts

    assert (own.external_id, own.home_id, own.is_beside) == ("ve9EPM428h8vShlRW1KT", people.plain, False)
    assert (beside.external_id, beside.home_id, beside.is_beside) == ("r1", people.flagged, True)


async def test_who_may_be_the_same_person(people: People) -> None:
    suggestion, one, other = people.pairs[0]
    bridge, first, _ = people.pairs[3]

    (twin,) = (await detail(people, one)).twins
    (back,) = (await detail(people, other)).twins
    (unscored,) = (await detail(people, first)).twins

    assert (twin.suggestion_id, twin.contact_id, twin.name, twin.score) == (
        suggestion,
        other,
        "Wilhelmina Overbeck",
        0.97,
    )
    assert "same employer" in twin.reasons
    assert (back.suggestion_id, back.contact_id) == (suggestion, one)
    assert (unscored.suggestion_id, unscored.score) == (bridge, None)
    assert (await detail(people, people.plain)).twins == ()


async def test_suggestions_come_likeliest_first_and_page_by_page(people: People) -> None:
    ids = [suggestion for suggestion, _, _ in people.pairs]
    async with acquire(people.backend.pool) as connection:
        first = await insight.list_suggestions(connection, people.card.id, size=3)
        second = await insight.list_suggestions(connection, people.card.id, size=3, before=first.before)
        waiting = await insight.suggestions_waiting(connection, people.card.id)
        at_second = await insight.review(connection, people.card.id, ids[1])
        at_first = await insight.review(connection, people.card.id)

    assert [row.id for row in (*first.items, *second.items)] == ids
    assert (second.before, waiting) == (None, Count(4))
    assert at_second is not None
    assert (at_second.suggestion.id, at_second.previous, at_second.next) == (ids[1], ids[0], ids[2])
    assert at_first is not None
    assert (at_first.suggestion.id, at_first.previous, at_first.next) == (ids[0], None, ids[1])


async def test_suggestions_of_one_score_are_each_seen_once(seed: Seed) -> None:
    ids = set()
    for number in range(7):
        one, other = await seed.contact(), await seed.contact()
        ids.add(await seed.suggestion(one, other, score=0.7, at=seed.ago(minutes=number // 2)))

    seen: list[UUID] = []
    before = None
    while True:
        page = await insight.list_suggestions(seed.connection, seed.workspace_id, before=before, size=2)
        seen += [row.id for row in page.items]
        before = page.before
        if before is None:
            break
    walked: list[UUID] = []
    at = await insight.review(seed.connection, seed.workspace_id)
    while at is not None:
        walked.append(at.suggestion.id)
        at = await insight.review(seed.connection, seed.workspace_id, at.next) if at.next else None

    assert seen == walked
    assert (len(seen), set(seen)) == (7, ids)


async def test_a_review_that_was_decided_meanwhile_gives_the_next_one(people: People) -> None:
    ids = [suggestion for suggestion, _, _ in people.pairs]
    await people.backend.contacts.reject(people.card.id, ids[1], by="Dana")
    await people.backend.contacts.reject(people.card.id, ids[3], by="Dana")

    async with acquire(people.backend.pool) as connection:
        following = await insight.review(connection, people.card.id, ids[1])
        wrapped = await insight.review(connection, people.card.id, ids[3])

    assert following is not None
    assert following.suggestion.id == ids[2]
    assert wrapped is not None
    assert wrapped.suggestion.id == ids[0]


async def test_what_was_decided_by_whom(people: People) -> None:
    ids = [suggestion for suggestion, _, _ in people.pairs]
    await people.backend.contacts.accept(people.card.id, ids[0], by="Dana")
    await people.backend.contacts.reject(people.card.id, ids[1], by="Kim")

    async with acquire(people.backend.pool) as connection:
        found = await insight.list_decided(connection, people.card.id, size=1)
        older = await insight.list_decided(connection, people.card.id, size=1, before=found.before)

    told = [(row.id, row.state, row.decided_by, row.is_undoable) for row in (*found.items, *older.items)]
    assert told == [(ids[1], "rejected", "Kim", True), (ids[0], "accepted", "Dana", True)]


async def test_an_accepted_suggestion_is_taken_back_and_waits_again(people: People) -> None:
    contacts, workspace_id = people.backend.contacts, people.card.id
    suggestion, one, other = people.pairs[0]
    before = [(await detail(people, each)).contact for each in (one, other)]
    await contacts.accept(workspace_id, suggestion, by="Dana", keep=other)
    assert (await detail(people, other)).contact.id == one

    parted = await contacts.reopen(workspace_id, suggestion, by="Dana")

    assert parted is not None
    after = [(await detail(people, each)).contact for each in (one, other)]
    for was, now in zip(before, after, strict=True):
        assert (was.id, was.email, was.phone, was.company, was.tags) == (
            now.id,
            now.email,
            now.phone,
            now.company,
            now.tags,
        )
    assert [twin.suggestion_id for twin in (await detail(people, one)).twins] == [suggestion]
    with pytest.raises(PermanentError, match="open: there is no answer to take back"):
        await contacts.reopen(workspace_id, suggestion, by="Dana")
    await contacts.accept(workspace_id, suggestion, by="Dana")
    assert (await detail(people, other)).contact.id == one


async def test_a_rejected_suggestion_is_taken_back(people: People) -> None:
    suggestion, one, _ = people.pairs[1]
    await people.backend.contacts.reject(people.card.id, suggestion, by="Dana")
    assert (await detail(people, one)).twins == ()

    assert await people.backend.contacts.reopen(people.card.id, suggestion, by="Dana") is None

    assert [twin.suggestion_id for twin in (await detail(people, one)).twins] == [suggestion]


async def test_what_was_un_merged_since_is_not_taken_back_twice(people: People) -> None:
    contacts, workspace_id = people.backend.contacts, people.card.id
    suggestion, one, other = people.pairs[0]
    merged = await contacts.accept(workspace_id, suggestion, by="Dana")
    await contacts.unmerge(workspace_id, merged.merge_id, by="Kim")

    async with acquire(people.backend.pool) as connection:
        (row,) = (await insight.list_decided(connection, workspace_id)).items
    assert (row.state, row.decided_by) == ("rejected", "Kim")
    await contacts.reopen(workspace_id, suggestion, by="Dana")
    assert {(await detail(people, each)).contact.id for each in (one, other)} == {one, other}


async def test_workspaces_do_not_see_each_others_suggestions(people: People) -> None:
    suggestion = people.pairs[0][0]
    async with acquire(people.backend.pool) as connection:
        other = await Seed.workspace(connection, "bell")
        assert (await insight.list_suggestions(connection, other.workspace_id)).items == ()
        assert await insight.review(connection, other.workspace_id, suggestion) is None
        assert await insight.find_suggestion(connection, other.workspace_id, suggestion) is None
        assert await insight.suggestions_waiting(connection, other.workspace_id) == Count(0)
        assert await insight.contact_detail(connection, other.workspace_id, people.absorbed) is None
        assert (await insight.timeline(connection, other.workspace_id, people.merged)).items == ()
    people.backend.cards.append(type(people.card)(other.workspace_id, "bell", "Bell"))
    for verb in ("accept", "reject", "reopen"):
        with pytest.raises(PermanentError, match="there is no suggestion"):
            await getattr(people.backend.contacts, verb)(other.workspace_id, suggestion, by="Dana")


async def test_more_than_a_hundred_reviews_are_not_counted(seed: Seed) -> None:
    for number in range(103):
        one, other = await seed.contact(identifiers=False), await seed.contact(identifiers=False)
        await seed.suggestion(one, other, score=number / 200)

    waiting = await insight.suggestions_waiting(seed.connection, seed.workspace_id)

    assert (waiting, str(waiting)) == (Count(99, is_more=True), "99+")


async def test_programs_are_told_every_id_that_a_system_has_for_a_contact(people: People) -> None:
    contact = await people.say(email="two@records.example", name="Two Records")
    async with acquire(people.backend.pool) as connection, connection.transaction():
        for external_id in ("x1", "x2"):
            await link(connection, [(Adopted(people.card.id, contact, "ghl", external_id), contact)])
        found = await person_detail(connection, people.card.id, contact)
        elsewhere = await person_elsewhere(connection, people.card.id, "ghl", "x2")

    assert found is not None
    assert found.external_ids == (("ghl", "x1"), ("ghl", "x2"))
    assert [each.id for each in elsewhere] == [contact]
