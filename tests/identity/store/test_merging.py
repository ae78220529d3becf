"""R6, R23: merge and un-merge."""

from __future__ import annotations

from itertools import permutations
from uuid import UUID

import pytest

from mainstay.errors import PermanentError
from mainstay.model import new_id
from tests.identity.store.conftest import Book

PHONE = "+13125550147"


async def three(book: Book) -> tuple[UUID, UUID, UUID]:
    """Contacts with every kind of thing that can get lost: values, a shared phone, a weak mailbox, ids elsewhere."""
    one = await book.id("a@example.com", "+13125550141", "Sarah Johnson", at=1, company="A", tags=("vip",),
                        connection="ghl", external_id="x1", custom={"size": "1"})  # fmt: skip
    other = await book.id("b@example.com", PHONE, "Bob Birch", at=2, company="B", tags=("VIP", "new"),
                          connection="ghl", external_id="x2", do_not_contact=True)  # fmt: skip
    third = await book.id("c@example.com", PHONE, "Ann Oak", at=3, company="C", custom={"size": "3"})
    await book.say("info@example.com", name="Ann Oak", connection="hubspot", external_id="h3", at=4)
    await book.say("c@example.com", connection="hubspot", external_id="h4", at=5)
    await book.verbs.edit(book.workspace, third, {"company": "By hand"}, by="Ann")
    return one, other, third


class TestMerge:
    async def test_the_older_id_survives_and_the_other_redirects(self, book: Book) -> None:
        one, other, third = await three(book)
        await book.merge(third, other)
        await book.merge(other, one)
        assert {(await book.get(each)).id for each in (one, other, third)} == {one}
        assert await book.id("c@example.com") == one

    async def test_without_a_choice_the_rules_decide(self, book: Book) -> None:
        one, other, _ = await three(book)
        await book.merge(one, other)
        contact = await book.get(one)
        assert (contact.email, contact.company, contact.tags) == ("b@example.com", "B", ("vip", "new"))
        assert contact.custom == {"size": "1"}

    @pytest.mark.parametrize("side", [0, 1])
    async def test_the_chosen_side_stands_and_gaps_are_filled(self, book: Book, side: int) -> None:
        one, other, third = await three(book)
        kept, given_up = [(one, third), (third, one)][side]
        before = await book.get(kept)
        await book.merge(kept, given_up, keep=kept)
        contact = await book.get(one)
        for field in ("email", "phone", "first_name", "last_name", "company", "source", "custom"):
            assert getattr(contact, field) == getattr(before, field)
        await book.merge(one, other, keep=one)
        assert (await book.get(one)).email == before.email

    async def test_the_chosen_side_stands_against_what_was_set_or_emptied_by_hand(self, book: Book) -> None:
        one = await book.id("a@example.com", name="Sarah Johnson", company="A")
        other = await book.id("b@example.com", name="Bob Birch", company="B")
        await book.verbs.edit(book.workspace, other, {"company": "", "first_name": "Hand"}, by="Ann")
        await book.merge(one, other, keep=one)
        contact = await book.get(one)
        assert (contact.company, contact.first_name) == ("A", "Sarah")
        await book.say("a@example.com", company="C", first_name="Form")
        assert (await book.get(one)).company == "A"  # it was set by hand, and changes only by hand

    async def test_the_chosen_value_gives_way_to_a_later_one(self, book: Book) -> None:
        one = await book.id("a@example.com", company="A", at=1)
        other = await book.id("b@example.com", company="B", at=2)
        await book.merge(one, other, keep=one)
        await book.say("b@example.com", company="older than the merge", at=3)
        assert (await book.get(one)).company == "A"
        await book.say("b@example.com", company="C")
        assert (await book.get(one)).company == "C"

    async def test_a_clear_error_for_what_cannot_be_merged(self, book: Book) -> None:
        one, other, third = await three(book)
        with pytest.raises(PermanentError, match="there is no contact"):
            await book.merge(one, new_id())
        with pytest.raises(PermanentError, match="neither of the two"):
            await book.merge(one, other, keep=third)
        await book.merge(one, other)
        with pytest.raises(PermanentError, match="one contact already"):
            await book.merge(one, other)

    async def test_to_keep_may_be_said_by_an_id_that_redirects(self, book: Book) -> None:
        one, other, third = await three(book)
        await book.merge(one, other)
        await book.merge(third, other, keep=other)
        assert (await book.get(one)).company == "B"

    async def test_created_is_the_earliest_and_updated_the_latest(self, book: Book) -> None:
        one = await book.id("a@example.com", at=5)
        other = await book.id("b@example.com", at=1)
        times = [await book.get(each) for each in (one, other)]
        await book.merge(one, other)
        contact = await book.get(one)
        assert contact.created_at == times[1].created_at
        assert contact.updated_at == times[0].updated_at


class TestUnmerge:
    @pytest.mark.parametrize("keep", [None, 0, 1, 2])
    async def test_merge_then_unmerge_is_the_identity(self, book: Book, keep: int | None) -> None:
        ids = await three(book)
        before = await book.picture()
        merge_id = await book.merge(ids[1], ids[2], keep=ids[keep] if keep in {1, 2} else None)
        outer = await book.merge(ids[0], ids[1], keep=ids[0] if keep == 0 else None)
        await book.unmerge(outer)
        await book.unmerge(merge_id)
        assert await book.picture() == before

    @pytest.mark.parametrize("order", list(permutations(range(3))))
    @pytest.mark.parametrize("shape", ["chain", "star", "tree"])
    async def test_merges_are_undone_in_any_order(self, book: Book, order: tuple[int, ...], shape: str) -> None:
        ids = [*await three(book), await book.id("d@example.com", name="Dan Elm", connection="ghl", external_id="x4")]
        before = await book.picture()
        pairs = {"chain": [(2, 3), (1, 2), (0, 1)], "star": [(0, 1), (0, 2), (0, 3)], "tree": [(0, 1), (2, 3), (0, 2)]}
        merges = [await book.merge(ids[a], ids[b], keep=ids[b]) for a, b in pairs[shape]]
        for place in order:
            await book.unmerge(merges[place])
            assert await book.findings() == []
        assert await book.picture() == before

    async def test_what_was_written_since_goes_where_it_was_said(self, book: Book) -> None:
        one, other, _ = await three(book)
        merge_id = await book.merge(one, other)
        await book.say("a@example.com", company="of one")
        await book.say("b@example.com", last_name="of other", connection="hubspot", external_id="h2")
        await book.say("a@example.com", "+13125550148")
        await book.verbs.edit(book.workspace, other, {"custom.note": "of other"}, by="Ann")
        stayed, restored = await book.unmerge(merge_id)
        assert (stayed.id, restored.id) == (one, other)
        assert (stayed.company, stayed.last_name, stayed.custom) == ("of one", "Johnson", {"size": "1"})
        assert (restored.company, restored.last_name, restored.custom) == ("B", "of other", {"note": "of other"})
        assert await book.id(phone="+13125550148") == one
        assert await book.id(connection="hubspot", external_id="h2") == other

    async def test_a_phone_that_went_with_the_other_side_does_not_stand_here(self, book: Book) -> None:
        one, other = await book.id("a@example.com", name="Sarah"), await book.id(phone=PHONE, name="Sarah")
        outcome = await book.say("a@example.com", PHONE, "Sarah")  # it names both, and merges them
        assert outcome.merged == (other,)
        ((merge_id,),) = await book.rows("SELECT id FROM merges")
        stayed, restored = await book.unmerge(merge_id)
        assert (stayed.email, stayed.phone) == ("a@example.com", "")
        assert (restored.email, restored.phone) == ("", PHONE)
        assert (await book.say("a@example.com", PHONE, "Sarah")).merged == ()  # R24
        assert (await book.get(one)).phone == ""

    async def test_a_second_id_in_a_system_is_kept_and_goes_home(self, book: Book) -> None:
        one, other, _ = await three(book)
        merge_id = await book.merge(one, other)
        for external_id in ("x1", "x2"):
            assert await book.id(connection="ghl", external_id=external_id) == one
        await book.say("b@example.com", connection="ghl", external_id="x3")  # the CRM has one of them twice
        assert await book.id(connection="ghl", external_id="x3") == one
        await book.unmerge(merge_id)
        assert await book.id(connection="ghl", external_id="x1") == one
        assert await book.id(connection="ghl", external_id="x3") == other

    async def test_it_is_undone_once(self, book: Book) -> None:
        one, other, _ = await three(book)
        merge_id = await book.merge(one, other)
        await book.unmerge(merge_id)
        with pytest.raises(PermanentError, match="undone already"):
            await book.unmerge(merge_id)
        with pytest.raises(PermanentError, match="there is no merge"):
            await book.unmerge(new_id())
        await book.merge(one, other)  # a person may change their mind
        assert (await book.get(other)).id == one

    async def test_the_pair_stays_two_also_when_one_is_merged_elsewhere(self, book: Book) -> None:
        one = await book.id("a@example.com")
        other = await book.id(phone=PHONE)
        third = await book.id("c@example.com")
        await book.unmerge(await book.merge(one, other))
        await book.merge(one, third)
        outcome = await book.say("c@example.com", PHONE)
        assert (outcome.contact_id, outcome.merged, outcome.suggestions) == (one, (), ())


class TestSuggestions:
    async def open(self, book: Book) -> tuple[UUID, UUID, UUID]:
        one, other = await book.id("a@example.com", name="Sarah"), await book.id(phone=PHONE, name="Bob")
        (suggestion_id,) = (await book.say("a@example.com", PHONE, "Sarah")).suggestions
        return one, other, suggestion_id

    async def test_to_accept_merges(self, book: Book) -> None:
        one, other, suggestion_id = await self.open(book)
        await book.verbs.accept(book.workspace, suggestion_id, by="Ann", keep=other)
        contact = await book.get(other)
        assert (contact.id, contact.first_name) == (one, "Bob")
        assert await book.rows("SELECT state, decided_by FROM suggestions") == [("accepted", "Ann")]
        for verb in (book.verbs.accept, book.verbs.reject):
            with pytest.raises(PermanentError, match="accepted already"):
                await verb(book.workspace, suggestion_id, by="Ann")

    async def test_a_question_about_one_that_is_merged_is_about_its_survivor(self, book: Book) -> None:
        one, other, _ = await self.open(book)
        third = await book.id("c@example.com")
        await book.merge(third, other)
        rows = await book.rows("SELECT one_id, other_id FROM suggestions WHERE state = 'open'")
        assert rows == [(one, other)]
        oldest = await book.id("d@example.com", at=0)
        await book.merge(one, oldest)
        await book.merge(one, other)
        assert await book.rows("SELECT count(*) FROM suggestions WHERE state = 'open'") == [(0,)]

    async def test_what_was_rejected_is_asked_once_more_by_nobody(self, book: Book) -> None:
        _, _, suggestion_id = await self.open(book)
        await book.verbs.reject(book.workspace, suggestion_id, by="Ann")
        assert (await book.say("a@example.com", PHONE, "Sarah")).suggestions == ()
        with pytest.raises(PermanentError, match="rejected already"):
            await book.verbs.accept(book.workspace, suggestion_id, by="Ann")
