"""What a write finds: R3 to R5, R14, R17, R19 to R22, R24."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from mainstay.db import acquire
from mainstay.errors import ConflictError
from mainstay.identity import Policy
from tests.identity.store.conftest import Book

EMAIL, PHONE = "sarah@example.com", "+13125550147"


class TestBridge:
    async def two(self, book: Book, name: str = "Sarah Johnson") -> None:
        self.one = await book.id(EMAIL, name="Sarah Johnson", at=1)
        self.other = await book.id(phone=PHONE, name=name, company="Birch", at=2)

    async def test_it_merges_and_the_older_id_survives(self, book: Book) -> None:
        await self.two(book, "S. Johnson")
        outcome = await book.say(EMAIL, PHONE, "Sarah")
        assert (outcome.contact_id, outcome.rule, outcome.merged) == (self.one, "email", (self.other,))
        contact = await book.get(self.other)
        assert (contact.id, contact.email, contact.phone, contact.company) == (self.one, EMAIL, PHONE, "Birch")

    async def test_the_older_id_survives_also_when_it_has_the_phone(self, book: Book) -> None:
        one = await book.id(phone=PHONE)
        other = await book.id(EMAIL)
        outcome = await book.say(EMAIL, PHONE)
        assert (outcome.contact_id, outcome.merged) == (one, (other,))

    async def _asks(self, book: Book) -> None:
        outcome = await book.say(EMAIL, PHONE, "Sarah")
        assert (outcome.contact_id, outcome.merged, len(outcome.suggestions)) == (self.one, (), 1)
        assert outcome.flags == ("phone of another contact",)
        assert f"{PHONE} belongs to another contact and stays there" in outcome.note
        assert (await book.get(self.one)).phone == ""
        ((owner,),) = await book.rows(
            "SELECT DISTINCT contact_id FROM identifiers WHERE value = $1 AND standing = 'owner'", PHONE
        ) or ((None,),)
        assert owner in {self.other, None}
        raw = await book.rows("SELECT raw ->> 'phone' FROM changes WHERE raw ? 'phone' AND home_id = $1", self.one)
        assert (PHONE,) in raw  # nothing is lost
        again = await book.say(EMAIL, PHONE, "Sarah")
        assert (again.suggestions, await book.rows("SELECT count(*) FROM suggestions")) == ((), [(1,)])

    async def test_it_asks_when_the_names_differ(self, book: Book) -> None:
        await self.two(book, "Bob Johnson")
        await self._asks(book)

    async def test_it_asks_when_several_have_the_phone(self, book: Book) -> None:
        await self.two(book)
        await book.say("bob@example.com", PHONE, "Bob Birch")
        await self._asks(book)

    async def test_it_asks_when_one_system_has_them_as_two(self, book: Book) -> None:
        await self.two(book)
        await book.say(EMAIL, connection="ghl", external_id="x1")
        await book.say(phone=PHONE, connection="ghl", external_id="x2")
        await self._asks(book)

    async def test_ids_of_two_systems_do_not_keep_them_apart(self, book: Book) -> None:
        await self.two(book)
        await book.say(EMAIL, connection="ghl", external_id="x1")
        await book.say(phone=PHONE, connection="hubspot", external_id="1")
        assert (await book.say(EMAIL, PHONE)).merged == (self.other,)

    async def test_it_asks_when_the_stack_says_so(self, book: Book) -> None:
        book.policy = replace(book.policy, bridges="suggest")
        await self.two(book)
        await self._asks(book)

    async def test_it_does_not_ask_again_what_a_person_answered(self, book: Book) -> None:
        await self.two(book, "Bob Johnson")
        (suggestion_id,) = (await book.say(EMAIL, PHONE, "Sarah")).suggestions
        await book.verbs.reject(book.workspace, suggestion_id, by="Ann")
        await book.verbs.edit(book.workspace, self.other, {"first_name": "Sarah"}, by="Ann")
        outcome = await book.say(EMAIL, PHONE, "Sarah")
        assert (outcome.merged, outcome.suggestions) == ((), ())

    async def test_an_external_id_and_an_email_bridge_too(self, book: Book) -> None:
        one = await book.id(name="Sarah Johnson", connection="ghl", external_id="x1")
        other = await book.id(EMAIL, name="Sarah Johnson")
        outcome = await book.say(EMAIL, connection="ghl", external_id="x1")
        assert (outcome.contact_id, outcome.rule, outcome.merged) == (one, "external id", (other,))

    async def test_an_external_id_an_email_and_a_phone_make_three_one(self, book: Book) -> None:
        one = await book.id(connection="ghl", external_id="x1")
        others = (await book.id(EMAIL), await book.id(phone=PHONE))
        outcome = await book.say(EMAIL, PHONE, connection="ghl", external_id="x1")
        assert (outcome.contact_id, outcome.merged) == (one, others)


class TestSharedPhone:
    async def test_what_could_be_several_is_new_once(self, book: Book) -> None:
        await book.say("a@example.com", PHONE, "Sarah Johnson")
        await book.say("b@example.com", PHONE, "Sarah Birch")
        first = await book.say(phone=PHONE, name="Sarah")
        assert (first.outcome, first.flags) == ("created", ("shared phone",))
        assert await book.id(phone=PHONE, name="Sarah") == first.contact_id
        bare = await book.id(phone=PHONE)
        assert await book.id(phone=PHONE) == bare

    async def test_two_in_one_transaction_share_it(self, book: Book) -> None:
        await asyncio.gather(book.say("a@example.com", PHONE, "Sarah"), book.say("b@example.com", PHONE, "Bob"))
        rows = await book.rows("SELECT standing, count(*) FROM identifiers WHERE value = $1 GROUP BY 1", PHONE)
        assert rows == [("shared", 2)]


class TestWhatDoesNotIdentify:
    async def test_a_role_mailbox_finds_nobody_and_is_kept(self, book: Book) -> None:
        one = await book.id("info@example.com", name="Sarah Johnson")
        other = await book.id("info@example.com", name="Bob Birch")
        assert one != other
        assert (await book.get(one)).email == "info@example.com"
        assert await book.rows("SELECT DISTINCT standing FROM identifiers") == [("weak",)]

    async def test_it_does_not_stop_a_phone(self, book: Book) -> None:
        contact_id = await book.id(phone=PHONE)
        assert await book.id("info@example.com", PHONE) == contact_id

    async def test_an_invalid_email_does_not_stop_a_phone(self, book: Book) -> None:
        contact_id = await book.id(phone=PHONE)
        outcome = await book.say("sarah@", PHONE)
        assert (outcome.contact_id, outcome.rule) == (contact_id, "phone")
        assert "'sarah@' is not an e-mail address" in outcome.note

    async def test_a_name_alone_is_never_matched(self, book: Book) -> None:
        known = await book.id(EMAIL, name="Sarah Johnson")
        ids = {known, await book.id(name="Sarah Johnson"), await book.id(name="Sarah Johnson")}
        assert len(ids) == 3
        assert (await book.say(name="Sarah Johnson")).flags == ("no identifier",)


class TestLimits:
    async def test_the_sixth_is_kept_and_flagged_and_finds_nobody(self, book: Book) -> None:
        contact_id = await book.id("e0@example.com", PHONE, at=0)
        for number in range(1, 7):
            outcome = await book.say(f"e{number}@example.com", PHONE, at=number)
            assert outcome.contact_id == contact_id
            assert outcome.flags == (("more than 5 e-mails",) if number > 4 else ())
        contact = await book.get(contact_id)
        assert (contact.email, contact.flags) == ("e4@example.com", ("more than 5 e-mails",))
        rows = await book.rows("SELECT value, standing FROM identifiers WHERE kind = 'email' ORDER BY value")
        assert rows == [(f"e{n}@example.com", "owner" if n < 5 else "weak") for n in range(7)]
        assert await book.id("e6@example.com") != contact_id

    async def test_a_bridge_that_would_break_the_limit_asks(self, book: Book) -> None:
        book.policy = Policy(max_emails=1)
        one = await book.id(EMAIL, name="Sarah")
        await book.id("sj@example.com", PHONE, "Sarah")
        outcome = await book.say(EMAIL, PHONE)
        assert (outcome.contact_id, outcome.merged, len(outcome.suggestions)) == (one, (), 1)

    async def test_a_merge_by_hand_may_and_is_flagged(self, book: Book) -> None:
        book.policy = Policy(max_emails=1)
        one, other = await book.id(EMAIL), await book.id("sj@example.com")
        merge_id = await book.merge(one, other)
        assert (await book.get(one)).flags == ("more than 1 e-mails",)
        assert await book.id("sj@example.com") == one
        stayed, restored = await book.unmerge(merge_id)
        assert (stayed.flags, restored.flags) == ((), ())


class TestIdempotency:
    async def test_a_key_gives_the_first_answer_again(self, book: Book) -> None:
        first = await book.say(EMAIL, company="Birch", key="k1")
        await book.say(EMAIL, company="Acme")
        again = await book.say(EMAIL, company="Birch", key="k1")
        assert replace(again, is_repeat=False) == replace(first, contact=None)
        assert again.is_repeat
        assert first.contact_id is not None
        assert (await book.get(first.contact_id)).company == "Acme"

    async def test_a_key_with_another_body_is_a_conflict(self, book: Book) -> None:
        await book.say(EMAIL, key="k1")
        with pytest.raises(ConflictError, match='"k1" was used for another write'):
            await book.say("bob@example.com", key="k1")
        assert await book.standing() == 1

    async def test_a_key_is_one_also_at_the_same_instant(self, book: Book) -> None:
        outcomes = await asyncio.gather(*(book.say(name="Sarah Johnson", key="k1") for _ in range(10)))
        assert await book.standing() == 1
        assert sum(not outcome.is_repeat for outcome in outcomes) == 1

    @pytest.mark.parametrize(
        "said",
        [
            {"email": EMAIL, "phone": PHONE, "name": "Sarah Johnson", "company": "Birch", "at": 1},
            {"phone": PHONE, "name": "Sarah", "at": 1},
            {"email": "info@example.com", "name": "Sarah Johnson", "at": 1},
            {"name": "Sarah Johnson", "at": 1},
            {"connection": "ghl", "external_id": "x1", "at": 1},
        ],
    )
    async def test_the_same_content_changes_nothing(self, book: Book, said: dict[str, object]) -> None:
        first = await book.say(**said)  # type: ignore[arg-type]
        before = await book.picture()
        again = await book.say(**said)  # type: ignore[arg-type]
        assert (again.outcome, again.contact_id) == ("unchanged", first.contact_id)
        assert await book.picture() == before


class TestWorkspaces:
    async def test_they_never_meet(self, book: Book) -> None:
        other = (
            await book.rows(
                "INSERT INTO workspaces (id, slug, name) VALUES (gen_random_uuid(), 'bell', 'Bell') RETURNING id"
            )
        )[0][0]
        ours = await book.id(EMAIL, PHONE, "Sarah", connection="ghl", external_id="x1", do_not_contact=True)
        await book.delete(ours)
        ours = await book.id(EMAIL, PHONE, "Sarah", connection="ghl", external_id="x1")
        theirs = await book.say(EMAIL, PHONE, "Sarah", connection="ghl", external_id="x1", workspace=other, at=1)
        assert theirs.outcome == "created"
        assert theirs.contact_id is not None
        for verb in (
            book.verbs.merge(other, ours, theirs.contact_id, by="Ann"),
            book.verbs.delete(other, ours),
            book.verbs.edit(other, ours, {"company": "x"}, by="Ann"),
        ):
            with pytest.raises(Exception, match="there is no contact"):
                await verb
        rows = await book.rows("SELECT do_not_contact FROM contacts WHERE workspace_id = $1", other)
        assert rows == [(False,)]


@pytest.mark.parametrize("table", ["contacts", "identifiers", "changes", "merges"])
@pytest.mark.parametrize(
    "statement", ["UPDATE {} SET workspace_id = workspace_id", "DELETE FROM {}", "INSERT INTO {} DEFAULT VALUES"]
)
async def test_the_database_refuses_any_other_writer(book: Book, table: str, statement: str) -> None:
    await book.say(EMAIL)
    async with acquire(book.pool) as connection:
        with pytest.raises(Exception, match=f"the table {table} is written by mainstay.identity alone"):
            await connection.execute(statement.format(table))
