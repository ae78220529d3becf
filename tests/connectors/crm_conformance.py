"""What every connector with the role ``crm`` keeps, whatever its vendor; a new one subclasses and runs the same.

::

    class TestConformance(CRMConformance):
        @pytest.fixture
        def vendor(self, sandbox: SandboxProcess) -> CRMVendor: ...

The vendor is the sandbox's, over real HTTP. Each request of each test is held against the vendor's contract.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Protocol
from uuid import UUID

import aiohttp
import pytest

from mainstay.kit import (
    CRM,
    ConnectionSettings,
    Connector,
    Contact,
    DeletingCRM,
    Http,
    NeedsHumanError,
    PermanentError,
    TransientError,
)
from mainstay.model.contact import SHARED_PHONE
from mainstay.sandbox import Sandbox, SandboxProcess
from tests.contracts.vendor_specs import specs_folder, validate_recorded

TOKEN = "pit-11111111-2222-3333-4444-555555555555"
UNICODE = {"first_name": "Zoë 李", "last_name": "Ó'Briain-Łuczak 🛠", "company": "Rohre & Söhne „Blitz“"}


@dataclass(frozen=True)
class Stored:
    """A contact as the vendor holds it, in our words."""

    id: str
    email: str = ""
    phone: str = ""
    first_name: str = ""
    last_name: str = ""
    company: str = ""
    tags: tuple[str, ...] = ()


@dataclass(frozen=True)
class Note:
    """A note as the vendor holds it."""

    contact_id: str
    text: str


class CRMVendor(Protocol):
    """What the suite asks about one vendor."""

    name: str
    connector: Connector
    unknown_id: str

    def settings(self, base_url: str) -> ConnectionSettings:
        """The connection's settings, with ``TOKEN``."""
        ...

    def seed(self, sandbox: Sandbox, contact: Stored) -> None:
        """Put a contact there that Mainstay did not write; its id is the vendor's to give."""
        ...

    def contacts(self, state: Mapping[str, Any]) -> list[Stored]:
        """Every contact there, oldest first."""
        ...

    def notes(self, state: Mapping[str, Any]) -> list[Note]:
        """Every note there, oldest first."""
        ...


def person(**values: Any) -> Contact:
    """A contact of ours."""
    given: dict[str, Any] = {"email": "sarah@example.com", "phone": "+13125550147", "first_name": "Sarah"}
    return Contact(**{"id": UUID(int=1), "workspace_id": UUID(int=2), **given, **values})


async def find_note(bench: Bench, external_id: str, text: str, tried_ago: float = 0.0) -> Any:
    """Ask the vendor for a note that an attempt ``tried_ago`` seconds ago may have left."""
    crm: Any = bench.crm()
    bench.attempts[-1].tried_ago = tried_ago
    return await crm.find_add_note(external_id, text)


@dataclass
class Bench:
    """One vendor, empty at the start, and attempts against it."""

    vendor: CRMVendor
    sandbox: Sandbox
    session: aiohttp.ClientSession
    timeout: float = 5.0
    attempts: list[Http] = field(default_factory=list)

    def crm(self, **settings: Any) -> CRM:
        """The role for one new attempt."""
        connector = self.vendor.connector
        connection = self.vendor.settings(self.sandbox.url(self.vendor.name)).model_copy(update=settings)
        assert connector.http is not None
        http = Http(self.session, replace(connector.http(connection), timeout=self.timeout), idempotency_key="run.1")
        self.attempts.append(http)
        crm: CRM = connector.roles["crm"](connection, http, None)
        return crm

    def deleting(self, **settings: Any) -> DeletingCRM:
        """The role for one new attempt, of a vendor that deletes contacts."""
        crm: Any = self.crm(**settings)
        deleting: DeletingCRM = crm
        return deleting

    async def seed(self, **values: Any) -> Stored:
        await asyncio.to_thread(self.vendor.seed, self.sandbox, Stored("", **values))
        return (await self.contacts())[-1]

    async def contacts(self) -> list[Stored]:
        return self.vendor.contacts(await asyncio.to_thread(self.sandbox.state, self.vendor.name))

    async def only(self) -> Stored:
        contacts = await self.contacts()
        assert len(contacts) == 1
        return contacts[0]

    async def notes(self) -> list[Note]:
        return self.vendor.notes(await asyncio.to_thread(self.sandbox.state, self.vendor.name))

    async def calls(self) -> int:
        return await asyncio.to_thread(self.sandbox.request_count, self.vendor.name)

    async def requests(self) -> list[dict[str, Any]]:
        return await asyncio.to_thread(self.sandbox.requests, self.vendor.name)

    async def fault(self, kind: Any, **options: Any) -> None:
        await asyncio.to_thread(lambda: self.sandbox.set_fault(self.vendor.name, kind, **{"count": 1} | options))


@pytest.fixture(scope="module")
def sandbox() -> Iterator[SandboxProcess]:
    with SandboxProcess() as process:
        yield process


@pytest.fixture
async def bench(vendor: CRMVendor, sandbox: SandboxProcess) -> AsyncIterator[Bench]:
    await sandbox.aio.reset()
    async with aiohttp.ClientSession() as session:
        bench = Bench(vendor, sandbox.sandbox, session)
        yield bench
        with contextlib.suppress(pytest.skip.Exception):
            for record in await bench.requests():
                validate_recorded(record)


class CRMConformance:
    """The tests. A subclass gives the fixture ``vendor``; ``by_phone`` are settings that let it look by phone too.

    ``new_contact_calls`` is how many calls a new contact takes; ``is_unique`` whether the vendor itself keeps two
    creates at the same moment from making two contacts; ``writes`` which calls write, where a read goes before.
    """

    by_phone: Mapping[str, Any] = MappingProxyType({})
    new_contact_calls: int = 1
    is_unique: bool = True
    writes: Mapping[str, Any] = MappingProxyType({})

    async def test_a_new_contact_is_written_whole_in_few_calls(self, bench: Bench) -> None:
        pushed = await bench.crm().push_contact(person(last_name="Johnson", company="Acme Plumbing"), "")

        stored = await bench.only()
        assert pushed.created
        assert stored == Stored(
            pushed.external_id, "sarah@example.com", "+13125550147", "Sarah", "Johnson", "Acme Plumbing"
        )
        assert await bench.calls() == self.new_contact_calls

    async def test_is_found_by_email(self, bench: Bench) -> None:
        there = await bench.seed(email="sarah@example.com", first_name="S.", last_name="Johnson")

        pushed = await bench.crm().push_contact(person(), "")

        assert (pushed.external_id, pushed.created) == (there.id, False)
        assert await bench.only() == replace(there, first_name="Sarah", phone="+13125550147")

    async def test_is_found_by_phone_where_there_is_no_email(self, bench: Bench) -> None:
        there = await bench.seed(phone="+13125550147", last_name="Johnson")

        pushed = await bench.crm().push_contact(person(email=""), "")

        assert (pushed.external_id, pushed.created) == (there.id, False)
        assert await bench.only() == replace(there, first_name="Sarah")

    async def test_is_found_however_the_email_is_written_there(self, bench: Bench) -> None:
        there = await bench.seed(email="Sarah@Example.com")

        assert (await bench.crm().push_contact(person(), "")).external_id == there.id
        assert len(await bench.contacts()) == 1

    async def test_the_same_push_again_changes_nothing(self, bench: Bench) -> None:
        first = await bench.crm().push_contact(person(tags=("new lead",)), "")
        before = await bench.only()

        again = await bench.crm().push_contact(person(tags=("new lead",)), "")
        by_id = await bench.crm().push_contact(person(tags=("new lead",)), first.external_id)

        assert again.external_id == by_id.external_id == first.external_id
        assert not again.created
        assert not by_id.created
        assert await bench.only() == before

    async def test_update_by_external_id(self, bench: Bench) -> None:
        there = await bench.seed(email="old@example.com", first_name="Sara", last_name="Johnson")

        pushed = await bench.crm().push_contact(person(), there.id)

        assert (pushed.external_id, pushed.created) == (there.id, False)
        assert (await bench.only()).email == "sarah@example.com"

    async def test_what_is_empty_here_is_left_alone_there(self, bench: Bench) -> None:
        there = await bench.seed(
            email="sarah@example.com", phone="+13125550147", first_name="Sarah", last_name="Johnson", company="Acme"
        )

        await bench.crm().push_contact(person(phone="", first_name=""), there.id)

        assert await bench.only() == there

    async def test_a_contact_that_is_gone_is_found_again_by_email(self, bench: Bench) -> None:
        there = await bench.seed(email="sarah@example.com")

        pushed = await bench.crm().push_contact(person(), bench.vendor.unknown_id)

        assert pushed.external_id == there.id
        assert len(await bench.contacts()) == 1

    async def test_a_contact_that_is_gone_is_created_again(self, bench: Bench) -> None:
        pushed = await bench.crm().push_contact(person(tags=("new lead",)), bench.vendor.unknown_id)

        assert pushed.created
        assert (await bench.only()).id == pushed.external_id

    async def test_parallel_pushes_of_one_person_make_one_contact(self, bench: Bench) -> None:
        pushed = await asyncio.gather(*(bench.crm().push_contact(person(), "") for _ in range(8)))

        made = {each.external_id for each in pushed}
        assert len(made) == 1 or not self.is_unique
        assert len(await bench.contacts()) == len(made)
        # Where nobody holds an e-mail unique several may have come of it, but none after.
        assert (await bench.crm().push_contact(person(), "")).external_id in made
        assert len(await bench.contacts()) == len(made)

    async def test_email_and_phone_of_two_contacts_go_to_the_emails(self, bench: Bench) -> None:
        by_phone = await bench.seed(phone="+13125550147", first_name="Robert")
        by_email = await bench.seed(email="sarah@example.com", phone="+13125550199")

        pushed = await bench.crm().push_contact(person(), "")

        assert pushed.external_id == by_email.id
        held = {contact.id: contact for contact in await bench.contacts()}
        assert len(held) == 2
        assert held[by_phone.id] == by_phone

    async def test_a_value_that_another_contact_holds_does_not_stop_the_rest(self, bench: Bench) -> None:
        other = await bench.seed(email="sarah@example.com", first_name="Other")
        ours = await bench.seed(email="old@example.com")

        pushed = await bench.crm().push_contact(person(), ours.id)

        assert pushed.external_id == ours.id
        held = {contact.id: contact for contact in await bench.contacts()}
        assert held[other.id] == other
        assert (held[ours.id].email, held[ours.id].first_name) == ("old@example.com", "Sarah")

    async def test_without_email_and_phone_nothing_is_sent(self, bench: Bench) -> None:
        with pytest.raises(PermanentError, match="no e-mail and no phone"):
            await bench.crm().push_contact(person(email="", phone=""), "")
        assert await bench.calls() == 0

    async def test_a_shared_phone_finds_nobody_else(self, bench: Bench) -> None:
        robert = await bench.seed(phone="+13125550147", first_name="Robert")

        pushed = await bench.crm(**self.by_phone).push_contact(person(flags=(SHARED_PHONE,)), "")

        assert pushed.external_id != robert.id
        assert {contact.id: contact for contact in await bench.contacts()}[robert.id] == robert

    async def test_with_nothing_but_a_shared_phone_nothing_is_sent(self, bench: Bench) -> None:
        with pytest.raises(PermanentError, match="shares its phone with another"):
            await bench.crm(**self.by_phone).push_contact(person(email="", flags=(SHARED_PHONE,)), "")
        assert await bench.calls() == 0

    @pytest.mark.parametrize("external_id", ["../../secrets", "a/b", "a?b=c", ".", "x" * 1000])
    async def test_what_is_no_id_is_never_sent(self, bench: Bench, external_id: str) -> None:
        with pytest.raises(PermanentError, match="is not the id of a"):
            await bench.crm().fetch_contact(external_id)
        with pytest.raises(PermanentError, match="is not the id of a"):
            await bench.crm().add_note(external_id, "note")
        with pytest.raises(PermanentError, match="is not the id of a"):
            await bench.deleting().delete_contact(external_id)
        assert await bench.calls() == 0

    # ------------------------------------------------------------------------------------------- tags and notes

    async def test_a_push_keeps_the_tags_that_are_there(self, bench: Bench) -> None:
        there = await bench.seed(email="sarah@example.com", tags=("vip",))

        await bench.crm().push_contact(person(tags=("new lead",)), "")
        await bench.crm().push_contact(person(tags=("quote sent",)), there.id)
        await bench.crm().push_contact(person(), there.id)

        assert set((await bench.only()).tags) == {"vip", "new lead", "quote sent"}

    async def test_a_new_contact_gets_its_tags(self, bench: Bench) -> None:
        await bench.crm().push_contact(person(tags=("new lead", "website")), "")

        assert set((await bench.only()).tags) == {"new lead", "website"}

    async def test_add_tag_keeps_the_others_and_does_not_double(self, bench: Bench) -> None:
        there = await bench.seed(email="sarah@example.com", tags=("vip",))

        await bench.crm().add_tag(there.id, "speed-to-lead")
        await bench.crm().add_tag(there.id, "speed-to-lead")

        assert sorted((await bench.only()).tags) == ["speed-to-lead", "vip"]

    async def test_a_note_is_added_to_its_contact(self, bench: Bench) -> None:
        there = await bench.seed(email="sarah@example.com")

        await bench.crm().add_note(there.id, "Called back, wants a quote ✓")

        assert await bench.notes() == [Note(there.id, "Called back, wants a quote ✓")]

    @pytest.mark.parametrize("operation", ["add_tag", "add_note"])
    async def test_a_contact_that_is_gone_takes_neither_tag_nor_note(self, bench: Bench, operation: str) -> None:
        with pytest.raises(PermanentError):
            await getattr(bench.crm(), operation)(bench.vendor.unknown_id, "text")

    # ------------------------------------------------------------------------------------------------- reading

    async def test_fetch_reads_what_was_pushed(self, bench: Bench) -> None:
        pushed = await bench.crm().push_contact(person(**UNICODE, tags=("vip",)), "")

        read = await bench.crm().fetch_contact(pushed.external_id)

        assert read is not None
        assert (read.external_id, read.email, read.phone) == (pushed.external_id, "sarah@example.com", "+13125550147")
        assert {key: getattr(read, key) for key in UNICODE} == UNICODE
        assert read.tags == ("vip",)

    async def test_fetch_of_a_contact_that_is_not_there_is_none(self, bench: Bench) -> None:
        assert await bench.crm().fetch_contact(bench.vendor.unknown_id) is None

    # ------------------------------------------------------------------------------------------------ deletion

    async def test_a_deleted_contact_is_gone_and_no_other_is(self, bench: Bench) -> None:
        there = await bench.seed(email="sarah@example.com", tags=("vip",))
        other = await bench.seed(email="omar@example.com")

        await bench.deleting().delete_contact(there.id)

        assert await bench.contacts() == [other]
        assert await bench.crm().fetch_contact(there.id) is None
        # Told again, or of one that never was, it finds it done.
        await bench.deleting().delete_contact(there.id)
        await bench.deleting().delete_contact(bench.vendor.unknown_id)
        assert await bench.contacts() == [other]

    async def test_a_deletion_that_fails_says_so_and_is_repeated_harmlessly(self, bench: Bench) -> None:
        there = await bench.seed(email="sarah@example.com")
        for status, error in ((503, TransientError), (403, NeedsHumanError)):
            await bench.fault("status", status=status)
            with pytest.raises(error):
                await bench.deleting().delete_contact(there.id)
        assert await bench.only() == there
        bench.timeout = 0.5
        await bench.fault("timeout_after")
        with pytest.raises(TransientError) as caught:
            await bench.deleting().delete_contact(there.id)
        assert caught.value.unsure

        bench.timeout = 5
        await bench.deleting().delete_contact(there.id)

        assert await bench.contacts() == []

    # ------------------------------------------------------------------------------------------------ failures

    async def test_a_rate_limit_says_when_to_come_back(self, bench: Bench) -> None:
        await bench.fault("status", status=429, retry_after=7)

        with pytest.raises(TransientError) as caught:
            await bench.crm().push_contact(person(), "")

        assert (caught.value.retry_after, caught.value.status, caught.value.unsure) == (7, 429, False)
        assert await bench.contacts() == []

    async def test_a_rate_limit_without_a_time_still_waits(self, bench: Bench) -> None:
        await bench.fault("status", status=429)

        with pytest.raises(TransientError) as caught:
            await bench.crm().push_contact(person(), "")

        assert caught.value.retry_after == 10

    @pytest.mark.parametrize("status", [423, 500, 502, 503, 504])
    async def test_a_vendor_in_trouble_is_tried_again(self, bench: Bench, status: int) -> None:
        await bench.fault("status", status=status)

        with pytest.raises(TransientError):
            await bench.crm().push_contact(person(), "")

    @pytest.mark.parametrize("status", [401, 403])
    async def test_a_refused_token_needs_a_person_and_says_what_to_do(self, bench: Bench, status: int) -> None:
        await bench.fault("status", status=status)

        with pytest.raises(NeedsHumanError, match=r"Check .*(token|Private)") as caught:
            await bench.crm().push_contact(person(), "")

        assert caught.value.status == status

    async def test_the_token_is_in_no_error_and_no_record(self, bench: Bench) -> None:
        await bench.fault("status", status=401)
        crm = bench.crm()

        with pytest.raises(NeedsHumanError) as caught:
            await crm.push_contact(person(), "")

        settings = bench.vendor.settings("")
        assert TOKEN not in f"{caught.value!r} {bench.attempts[-1].exchanges} {settings!r} {vars(crm)}"

    @pytest.mark.parametrize("kind", ["timeout_after", "drop_after", "truncated", "html", "status_after"])
    async def test_a_lost_answer_is_unsure_and_a_repeat_does_not_double(self, bench: Bench, kind: str) -> None:
        bench.timeout = 0.5
        # A gateway that gave up on an answer says 502 of what was done.
        await bench.fault(kind, status=502, **self.writes)
        with pytest.raises(TransientError) as caught:
            await bench.crm().push_contact(person(tags=("new lead",)), "")
        assert caught.value.unsure

        bench.timeout = 5
        await bench.crm().push_contact(person(tags=("new lead",)), "")

        assert (await bench.only()).tags == ("new lead",)

    async def test_a_lost_answer_to_an_update_is_repeated_harmlessly(self, bench: Bench) -> None:
        there = await bench.seed(email="sarah@example.com", tags=("vip",))
        bench.timeout = 0.5
        await bench.fault("timeout_after", **self.writes)
        with pytest.raises(TransientError) as caught:
            await bench.crm().push_contact(person(), there.id)
        assert caught.value.unsure

        bench.timeout = 5
        await bench.crm().push_contact(person(), there.id)

        assert await bench.only() == replace(there, first_name="Sarah", phone="+13125550147")

    async def test_a_vendor_that_is_not_there_is_tried_again(self, bench: Bench) -> None:
        with pytest.raises(TransientError) as caught:
            await bench.crm(base_url="http://127.0.0.1:1").push_contact(person(), "")
        assert not caught.value.unsure

    # ------------------------------------------------------------------------------------------------ contract

    async def test_every_request_keeps_the_vendors_contract(self, bench: Bench) -> None:
        specs_folder()
        full = person(**UNICODE, source="website", tags=("new lead",))
        pushed = await bench.crm().push_contact(full, "")
        await bench.crm().push_contact(replace(full, first_name="S"), pushed.external_id)
        await bench.crm().push_contact(person(id=UUID(int=3), email="", phone="+13125550100"), "")
        await bench.crm().add_tag(pushed.external_id, "vip")
        await bench.crm().add_note(pushed.external_id, "note")
        await bench.crm().fetch_contact(pushed.external_id)

        requests = await bench.requests()

        assert len(requests) >= 7
        for record in requests:
            validate_recorded(record)
            assert record["status"] < 400

    async def test_the_connector_says_what_a_repeat_does(self, vendor: CRMVendor) -> None:
        operations = ("push_contact", "fetch_contact", "add_tag", "add_note", "delete_contact")
        told = {operation: vendor.connector.idempotency.get(f"crm.{operation}") for operation in operations}
        assert set(told.values()) <= {"key", "state", "lookup", "none"}
        assert told["push_contact"] in {"key", "state"}

    async def test_a_note_of_this_try_is_found_and_no_other(self, bench: Bench, vendor: CRMVendor) -> None:
        if vendor.connector.idempotency["crm.add_note"] != "lookup":
            pytest.skip("no look-up is promised")
        sarah = (await bench.crm().push_contact(person(), "")).external_id
        other = person(id=UUID(int=3), email="omar@example.com", phone="+13125550148")
        omar = (await bench.crm().push_contact(other, "")).external_id
        text = "Called <twice> & left a message\nfor Zoë"
        assert await find_note(bench, sarah, text) is None
        await bench.crm().add_note(sarah, text)

        assert (await find_note(bench, sarah, text)) is not None
        assert await find_note(bench, sarah, "Called") is None
        assert await find_note(bench, omar, text) is None
        assert await find_note(bench, sarah, text, tried_ago=-10) is None  # it was there before this step was tried
        for record in await bench.requests():
            validate_recorded(record)
