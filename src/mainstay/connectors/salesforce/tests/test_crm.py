from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import pytest

from mainstay.connectors.salesforce import CONNECTOR
from mainstay.connectors.salesforce.settings import SalesforceConnection
from mainstay.kit import ConnectionSettings, NeedsHumanError, PermanentError, TransientError
from mainstay.sandbox import Sandbox, SandboxProcess
from tests.connectors.crm_conformance import (
    TOKEN,
    Bench,
    CRMConformance,
    CRMVendor,
    Note,
    Stored,
    bench,
    person,
    sandbox,
)

__all__ = ["bench", "sandbox"]
COMPANY, TAGS, KEY = "Mainstay_Company__c", "Mainstay_Tags__c", "Mainstay_Id__c"
_NAMES = {"email": "Email", "phone": "Phone", "first_name": "FirstName", "last_name": "LastName"}
BY_EMAIL = {"external_id_field": "Email", "company_field": COMPANY}


def connection(base_url: str = "http://127.0.0.1:1", **more: Any) -> SalesforceConnection:
    return SalesforceConnection.model_validate(
        {"connector": "salesforce", "access_token": TOKEN, "base_url": base_url} | more
    )


class Vendor:
    name = "salesforce"
    connector = CONNECTOR
    unknown_id = "003Hs9999999999AAA"

    def __init__(self, record: str, **settings: Any) -> None:
        self.given = {"record": record, **settings}
        self.kind = f"{record}s"
        self.company = settings.get("company_field", "Company")

    def settings(self, base_url: str) -> ConnectionSettings:
        return connection(base_url or "http://127.0.0.1:1", **self.given)

    def seed(self, sandbox: Sandbox, contact: Stored) -> None:
        record: dict[str, Any] = {theirs: getattr(contact, ours) for ours, theirs in _NAMES.items()}
        record |= {"LastName": contact.last_name or "-", TAGS: ";".join(contact.tags)}
        record |= {self.company: contact.company or ("-" if self.company == "Company" else "")}
        sandbox.seed("salesforce", self.kind, [record])

    def contacts(self, state: Mapping[str, Any]) -> list[Stored]:
        return [
            Stored(
                record["Id"],
                tags=tuple(filter(None, (record.get(TAGS) or "").split(";"))),
                **{ours: _shown(record.get(theirs)) for ours, theirs in _NAMES.items()},
                company=_shown(record.get(self.company)),
            )
            for record in state[self.kind]
            if not record["IsDeleted"]
        ]

    def notes(self, state: Mapping[str, Any]) -> list[Note]:
        return [Note(task["WhoId"], task["Description"]) for task in state["tasks"]]


def _shown(value: str | None) -> str:
    return "" if value in {None, "-"} else str(value)


@pytest.fixture
def vendor(sandbox: SandboxProcess) -> CRMVendor:
    return Vendor("contact", **BY_EMAIL)


@pytest.fixture(autouse=True)
def _org(bench: Bench) -> None:
    bench.sandbox.configure("salesforce", fields=[COMPANY, TAGS, "Job__c"], external_ids=[KEY])


class _Conformance(CRMConformance):
    by_phone = MappingProxyType({"match_phone": True})
    writes = MappingProxyType({"path": "*/sobjects/*"})


class TestContactsByEmail(_Conformance):
    pass


class TestLeadsByEmail(_Conformance):
    @pytest.fixture
    def vendor(self, sandbox: SandboxProcess) -> CRMVendor:
        return Vendor("lead", external_id_field="Email")


class TestContactsByOurId(_Conformance):
    new_contact_calls = 2

    @pytest.fixture
    def vendor(self, sandbox: SandboxProcess) -> CRMVendor:
        return Vendor("contact", external_id_field=KEY, company_field=COMPANY)


class TestContactsByQuery(_Conformance):
    new_contact_calls = 2
    is_unique = False

    @pytest.fixture
    def vendor(self, sandbox: SandboxProcess) -> CRMVendor:
        return Vendor("contact", company_field=COMPANY)


# ------------------------------------------------------------------------------------------ finding and creating


def by_query(bench: Bench, **settings: Any) -> Any:
    return bench.crm(external_id_field="", **settings)


async def raw(bench: Bench, kind: str = "contacts") -> list[dict[str, Any]]:
    return [each for each in bench.sandbox.state("salesforce")[kind] if not each["IsDeleted"]]


async def test_of_several_with_one_email_the_oldest_is_taken(bench: Bench) -> None:
    first = await bench.seed(email="sarah@example.com", first_name="Old")
    await bench.seed(email="SARAH@example.com", first_name="New")

    by_upsert = await bench.crm().push_contact(person(last_name="Johnson"), "")
    found = await by_query(bench).push_contact(person(last_name="Johnson"), "")

    assert by_upsert.external_id == found.external_id == first.id
    assert {each["status"] for each in await bench.requests()} == {300, 200, 204}


@pytest.mark.parametrize("email", ["sarah@acme.inc", "sarah@acme.php"])
async def test_an_email_that_ends_like_a_file_is_written_without_the_path(bench: Bench, email: str) -> None:
    pushed = await bench.crm().push_contact(person(email=email), "")
    again = await bench.crm().push_contact(person(email=email), "")

    assert (pushed.created, again.created) == (True, False)
    assert pushed.external_id == again.external_id == (await bench.only()).id


@pytest.mark.parametrize(
    "email", ["o'brien@example.com", "x\\'or'1'='1@example.com", "a%26b/c?d=e#f@example.com", "zoë@müller.example"]
)
@pytest.mark.parametrize("field", ["", "Email", KEY])
async def test_a_hostile_email_finds_itself_and_nobody_else(bench: Bench, email: str, field: str) -> None:
    robert = await bench.seed(email="robert@example.com", first_name="Robert")

    pushed = await bench.crm(external_id_field=field).push_contact(person(email=email), "")
    again = await bench.crm(external_id_field=field).push_contact(person(email=email, last_name="O"), "")

    assert pushed.external_id == again.external_id != robert.id
    held = {contact.id: contact for contact in await bench.contacts()}
    assert len(held) == 2
    assert held[robert.id] == robert
    assert held[pushed.external_id].email == email


async def test_a_placeholder_stands_for_a_missing_name_and_yields_to_one(bench: Bench) -> None:
    pushed = await bench.crm().push_contact(person(first_name="Cher"), "")
    (record,) = await raw(bench)
    assert (record["FirstName"], record["LastName"]) == ("Cher", "-")

    await bench.crm().push_contact(person(first_name="Cher", last_name="Sarkisian"), pushed.external_id)
    await bench.crm().push_contact(person(first_name="Cher"), "")

    (record,) = await raw(bench)
    assert record["LastName"] == "Sarkisian"


@pytest.mark.parametrize("name", [{}, {"first_name": ""}])
async def test_a_lead_without_a_company_or_any_name_is_made(bench: Bench, name: dict[str, str]) -> None:
    pushed = await by_query(bench, record="lead", company_field="").push_contact(person(**name), "")
    read = await by_query(bench, record="lead", company_field="").fetch_contact(pushed.external_id)

    (record,) = await raw(bench, "leads")
    assert (record["LastName"], record["Company"]) == ("-", "-")
    assert (read.last_name, read.company) == ("", "")


async def test_what_is_the_same_there_is_not_written(bench: Bench) -> None:
    pushed = await by_query(bench).push_contact(person(), "")
    before = await raw(bench)

    await by_query(bench).push_contact(person(), pushed.external_id)

    assert await raw(bench) == before
    assert [each["method"] for each in await bench.requests()] == ["GET", "POST", "GET"]


@pytest.mark.parametrize("there", ["(312) 555-0147", "312-555-0147", "+1 312-555-0147", "1.312.555.0147"])
async def test_a_phone_is_found_however_it_is_written(bench: Bench, there: str) -> None:
    seeded = await bench.seed(phone=there)

    pushed = await by_query(bench).push_contact(person(email=""), "")

    assert pushed.external_id == seeded.id
    assert (await bench.only()).phone == there


async def test_a_lost_create_without_email_is_found_at_once(bench: Bench) -> None:
    await bench.fault("drop_after", path="*/sobjects/*")
    with pytest.raises(TransientError):
        await by_query(bench).push_contact(person(email=""), "")

    again = await by_query(bench).push_contact(person(email=""), "")

    assert not again.created
    assert (await bench.only()).id == again.external_id


async def test_an_older_answer_to_an_upsert_says_nothing(bench: Bench) -> None:
    bench.sandbox.configure("salesforce", upsert_answers=False)
    there = await bench.seed(email="sarah@example.com")

    assert (await bench.crm().push_contact(person(), "")).external_id == there.id


async def test_our_id_finds_a_contact_whose_email_changed(bench: Bench) -> None:
    pushed = await bench.crm(external_id_field=KEY).push_contact(person(), "")

    again = await bench.crm(external_id_field=KEY).push_contact(person(email="new@example.com", phone=""), "")

    assert again.external_id == pushed.external_id
    assert (await bench.only()).email == "new@example.com"


async def test_a_contact_found_by_email_is_given_our_id(bench: Bench) -> None:
    await bench.seed(email="sarah@example.com")

    await bench.crm(external_id_field=KEY).push_contact(person(), "")

    (record,) = await raw(bench)
    assert record[KEY] == str(person().id)


async def test_a_field_that_is_no_external_id_says_how_to_make_it(bench: Bench) -> None:
    bench.sandbox.configure("salesforce", fields=[TAGS, COMPANY, "Other__c"])

    with pytest.raises(NeedsHumanError, match=r"external_id_field names 'Other__c'.*External ID"):
        await bench.crm(external_id_field="Other__c").push_contact(person(), "")


async def test_a_converted_lead_is_left_alone_and_its_person_is_a_new_lead(bench: Bench) -> None:
    lead = {"Email": "sarah@example.com", "LastName": "J", "Company": "-", "IsConverted": True}
    bench.sandbox.seed("salesforce", "leads", [lead | {"ConvertedContactId": "003Hs0000000007AAA"}])
    (converted,) = await raw(bench, "leads")

    with pytest.raises(PermanentError, match="became contact 003Hs0000000007AAA"):
        await by_query(bench, record="lead", company_field="").push_contact(person(), converted["Id"])
    pushed = await by_query(bench, record="lead", company_field="").push_contact(person(), "")

    assert pushed.created
    assert pushed.external_id != converted["Id"]


async def test_new_contacts_belong_to_the_account_of_the_settings(bench: Bench) -> None:
    bench.sandbox.seed("salesforce", "accounts", [{"Id": "001Hs0000000001AAA", "Name": "Households"}])

    pushed = await by_query(bench, account_id="001Hs0000000001AAA", company_field="").push_contact(person(), "")
    read = await by_query(bench, company_field="").fetch_contact(pushed.external_id)

    assert read.company == "Households"


async def test_an_opt_out_is_written_and_read_and_never_lifted(bench: Bench) -> None:
    pushed = await by_query(bench).push_contact(person(do_not_contact=True), "")
    await by_query(bench).push_contact(person(first_name="S"), pushed.external_id)

    read = await by_query(bench).fetch_contact(pushed.external_id)

    assert read.do_not_contact
    (record,) = await raw(bench)
    assert (record["HasOptedOutOfEmail"], record["DoNotCall"]) == (True, True)


async def test_further_fields_are_those_of_the_settings(bench: Bench) -> None:
    fields = {"job": "Job__c", "source": "LeadSource"}
    contact = person(source="website", custom={"job": "Boiler", "unknown": "x"})

    pushed = await by_query(bench, fields=fields).push_contact(contact, "")
    read = await by_query(bench, fields=fields).fetch_contact(pushed.external_id)

    assert (read.source, dict(read.custom)) == ("website", {"job": "Boiler"})


# ------------------------------------------------------------------------------------------------ duplicate rules


async def test_a_duplicate_rules_match_by_email_is_followed(bench: Bench) -> None:
    bench.sandbox.configure("salesforce", duplicate_rule="block")
    there = await bench.seed(email="sarah@example.com")

    pushed = await bench.crm(external_id_field=KEY).push_contact(person(), "")

    assert pushed.external_id == there.id
    assert len(await bench.contacts()) == 1


# ----------------------------------------------------------------------------------------------- tags and notes


async def test_a_missing_tag_field_needs_a_person_and_says_how_to_make_it(bench: Bench) -> None:
    there = await bench.seed(email="robert@example.com")
    bench.sandbox.configure("salesforce", fields=[COMPANY])

    for act in (
        lambda: bench.crm().push_contact(person(tags=("vip",)), ""),
        lambda: bench.crm().add_tag(there.id, "vip"),
        lambda: bench.crm().fetch_contact(there.id),
    ):
        with pytest.raises(NeedsHumanError, match="make it in Setup > Object Manager"):
            await act()


async def test_without_a_tag_field_tags_stay_here(bench: Bench) -> None:
    pushed = await bench.crm(tag_field="").push_contact(person(tags=("vip",)), "")

    assert (await bench.only()).tags == ()
    with pytest.raises(NeedsHumanError, match="tag_field"):
        await bench.crm(tag_field="").add_tag(pushed.external_id, "vip")


async def test_a_restricted_picklist_needs_a_person(bench: Bench) -> None:
    bench.sandbox.configure("salesforce", picklists={TAGS: ["vip"]})

    await bench.crm().push_contact(person(tags=("vip",)), "")
    with pytest.raises(NeedsHumanError, match="add the value to the picklist"):
        await bench.crm().push_contact(person(tags=("other",)), "")


async def test_a_semicolon_does_not_make_two_tags(bench: Bench) -> None:
    await bench.crm().push_contact(person(tags=("a; b",)), "")
    assert (await bench.only()).tags == ("a, b",)


@pytest.mark.parametrize(
    ("text", "subject"),
    [
        ("Called back\nwants a quote", "Called back"),
        ("x" * 500, "x" * 79 + "…"),
        ("\n", "Note"),
        ("Zoë 李 🛠", "Zoë 李 🛠"),
    ],
)
async def test_a_note_is_a_task_that_is_done(bench: Bench, text: str, subject: str) -> None:
    there = await bench.seed(email="sarah@example.com")

    await bench.crm().add_note(there.id, text)

    (task,) = bench.sandbox.state("salesforce")["tasks"]
    assert (task["Subject"], task["Status"]) == (subject, "Completed")


# ------------------------------------------------------------------------------------------------------ failures


async def test_used_up_calls_are_waited_out_though_it_is_a_403(bench: Bench) -> None:
    bench.sandbox.configure("salesforce", api_limit=1)
    await bench.crm().push_contact(person(last_name="Johnson"), "")

    with pytest.raises(TransientError, match=r"api-usage=2/1.*24 hours are used up") as caught:
        await bench.crm().push_contact(person(), "")

    assert (caught.value.retry_after, caught.value.status, caught.value.unsure) == (900, 403, False)


async def test_a_locked_row_is_tried_again_soon(bench: Bench) -> None:
    bench.sandbox.configure("salesforce", refuse=["UNABLE_TO_LOCK_ROW"])

    with pytest.raises(TransientError) as caught:
        await bench.crm().push_contact(person(), "")

    assert (caught.value.retry_after, caught.value.unsure) == (2, False)
    assert (await bench.crm().push_contact(person(), "")).created


async def test_a_text_that_is_too_long_says_which(bench: Bench) -> None:
    with pytest.raises(PermanentError, match=r"STRING_TOO_LONG.*fields: LastName.*shorten it"):
        await bench.crm().push_contact(person(last_name="x" * 81), "")


async def test_a_contact_in_the_recycle_bin_is_gone(bench: Bench) -> None:
    there = await bench.seed(email="sarah@example.com")
    bench.sandbox.seed("salesforce", "contacts", [{"Id": there.id, "IsDeleted": True}])

    assert await bench.crm().fetch_contact(there.id) is None
    with pytest.raises(PermanentError, match="ENTITY_IS_DELETED"):
        await bench.crm().add_note(there.id, "x")
    assert (await bench.crm().push_contact(person(), there.id)).created
