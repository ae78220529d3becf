from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest

from mainstay.sandbox import Sandbox
from mainstay.sandbox.vendors.salesforce_soql import MalformedQuery, parse, parse_search
from tests.sandbox.wire import Answer, call

DATA = "/services/data/v64.0"
ALL = quote("SELECT Id FROM Contact")
CONTACTS = f"{DATA}/sobjects/Contact"
HEADERS = {"Authorization": "Bearer session-1", "Content-Type": "application/json"}
SARAH = {"LastName": "Johnson", "Email": "sarah@example.com"}


def ask(sandbox: Sandbox, method: str, path: str, body: Any = None, **headers: str) -> Answer:
    return call(method, sandbox.url("salesforce") + path, body, HEADERS | headers)


def test_two_records_may_have_one_email_unless_a_rule_forbids(sandbox: Sandbox) -> None:
    ask(sandbox, "POST", CONTACTS, SARAH)
    assert ask(sandbox, "POST", CONTACTS, SARAH).status == 201

    sandbox.configure("salesforce", duplicate_rule="alert")
    warned = ask(sandbox, "POST", CONTACTS, SARAH)
    assert (warned.status, warned.json()[0]["errorCode"]) == (400, "DUPLICATES_DETECTED")
    assert warned.json()[0]["duplicateResut"]["allowSave"] is True
    saved = ask(sandbox, "POST", CONTACTS, SARAH, **{"Sforce-Duplicate-Rule-Header": "allowSave=true"})
    assert saved.status == 201

    sandbox.configure("salesforce", duplicate_rule="block")
    blocked = ask(sandbox, "POST", CONTACTS, SARAH, **{"Sforce-Duplicate-Rule-Header": "allowSave=true"})
    assert blocked.json()[0]["duplicateResut"]["allowSave"] is False
    assert [each["kind"] for each in sandbox.state("salesforce")["effects"]] == ["contact.created"] * 3


def test_an_external_id_is_unique(sandbox: Sandbox) -> None:
    sandbox.configure("salesforce", external_ids=["Key__c"])
    ask(sandbox, "PATCH", f"{CONTACTS}/Key__c/7", SARAH)

    refused = ask(sandbox, "POST", CONTACTS, SARAH | {"Key__c": "7"})

    assert refused.json()[0]["errorCode"] == "DUPLICATE_VALUE"


def test_errors_that_are_laid_down_strike_writes_one_each(sandbox: Sandbox) -> None:
    sandbox.configure("salesforce", refuse=["UNABLE_TO_LOCK_ROW"])

    assert ask(sandbox, "GET", f"{DATA}/query?q={ALL}").status == 200
    assert ask(sandbox, "POST", CONTACTS, SARAH).json()[0]["errorCode"] == "UNABLE_TO_LOCK_ROW"
    assert ask(sandbox, "POST", CONTACTS, SARAH).status == 201


def test_a_deleted_record_lies_in_the_bin(sandbox: Sandbox) -> None:
    record_id = ask(sandbox, "POST", CONTACTS, SARAH).json()["id"]
    ask(sandbox, "DELETE", f"{CONTACTS}/{record_id}")

    assert ask(sandbox, "PATCH", f"{CONTACTS}/{record_id}", SARAH).json()[0]["errorCode"] == "ENTITY_IS_DELETED"
    assert sandbox.state("salesforce")["contacts"][0]["IsDeleted"] is True


@pytest.mark.parametrize(
    ("where", "found"),
    [
        ("Email = 'SARAH@example.com'", True),
        ("Email IN ('x', 'sarah@example.com')", True),
        ("Email != 'sarah@example.com'", False),
        ("Phone = null AND Email != null", True),
        ("(Email = 'x' OR LastName = 'O\\'Brien') AND Id > '003'", True),
        ("SystemModstamp >= 2026-01-05T09:00:00Z AND SystemModstamp < 2026-01-05T09:00:01.000Z", True),
        ("SystemModstamp > 2026-01-05T09:00:00Z", False),
        ("Id = '003hs0000000001'", False),
        ("DoNotCall = false", True),
    ],
)
def test_a_condition(where: str, *, found: bool) -> None:
    record = {"Id": "003Hs0000000001IAA", "Email": "sarah@example.com", "LastName": "O'Brien", "DoNotCall": False}
    record |= {"Phone": None, "SystemModstamp": "2026-01-05T09:00:00.000+0000"}
    query = parse(f"SELECT Id FROM Contact WHERE {where}")  # noqa: S608 that is what is tried
    assert bool(query.run([record])) is found


@pytest.mark.parametrize(
    "soql",
    [
        "",
        "SELECT",
        "SELECT Id",
        "SELECT Id FROM Contact WHERE A = 'b' OR C = 'd' AND E = 'f'",
        "SELECT Id FROM Contact WHERE A = 'it's'",
        "SELECT Id FROM Contact WHERE A = 'open",
        "SELECT Id FROM Contact WHERE A = two\nlines",
        "SELECT Id FROM Contact WHERE A ~ 'b'",
        "SELECT Id FROM Contact; DELETE",
    ],
)
def test_what_is_no_query(soql: str) -> None:
    with pytest.raises(MalformedQuery):
        parse(soql)


def test_a_search_of_phones() -> None:
    assert parse_search("FIND {312} IN PHONE FIELDS RETURNING Lead(Id, Phone)") == ("312", "Lead", ("Id", "Phone"))
    with pytest.raises(MalformedQuery):
        parse_search("FIND {a} IN ALL FIELDS")
