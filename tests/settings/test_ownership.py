from __future__ import annotations

import pytest

from mainstay.records import Ownership
from tests.settings.conftest import Load, Refuse

CONNECTIONS = """
[connections]
ghl = { connector = "gohighlevel", token = "${GHL_TOKEN}", location_id = "ve9EPM428h8vShlRW1KT" }
stripe = { connector = "stripe", api_key = "${STRIPE_KEY}" }
"""


def test_without_a_word_the_role_s_connection_is_right(load: Load) -> None:
    records = load(CONNECTIONS).records

    assert records["deal"] == records["company"] == Ownership("ghl")
    assert records["invoice"] == records["payment"] == Ownership("stripe")
    assert records["message"] == records["appointment"] == records["task"] == Ownership("")


def test_what_is_said_counts(load: Load) -> None:
    text = '[records.invoice]\nsystem_of_record = "mainstay"\nowners = { due = "ghl", "custom.po" = "stripe" }'
    invoice = load(CONNECTIONS + text).records["invoice"]

    assert invoice == Ownership("", {"due": "ghl", "custom.po": "stripe"})
    assert (invoice.owner_of("due"), invoice.owner_of("total")) == ("ghl", "")


def test_our_own_book_may_be_right_about_a_field(load: Load) -> None:
    deal = load(CONNECTIONS + '[roles]\n[records.deal]\nowners = { stage = "mainstay" }').records["deal"]

    assert (deal.owner_of("stage"), deal.owner_of("title")) == ("", "ghl")


def test_a_mirror_names_a_connection(load: Load) -> None:
    text = """
[connections.sheet]
connector = "table_file"
folder = "copies"
[records.invoice]
mirrors = ["sheet"]
"""
    assert load(CONNECTIONS + text).records["invoice"].mirrors == ("sheet",)


@pytest.mark.parametrize(
    ("text", "key", "problem", "hint"),
    [
        (
            '[records.invoice]\nmirrors = ["stripe"]',
            "records.invoice.mirrors[0]",
            '"stripe" is the system of record, no copy of it',
            "take it out",
        ),
        (
            '[records.deal]\nsystem_of_record = "gohighlevel"',
            "records.deal.system_of_record",
            'there is no connection "gohighlevel"',
            'Did you mean "ghl" (connector gohighlevel)?',
        ),
        (
            '[records.invoice]\nowners = { dew = "ghl" }',
            "records.invoice.owners.dew",
            'invoice has no field "dew"',
            'Did you mean "due"?',
        ),
        (
            '[records.invoice]\nowners = { due = "gl" }',
            "records.invoice.owners.due",
            'there is no connection "gl"',
            'Did you mean "ghl" (connector gohighlevel)?',
        ),
        (
            '[records.invoices]\nsystem_of_record = "ghl"',
            "records.invoices",
            None,
            'Did you mean "invoice"?',
        ),
    ],
)
def test_what_is_wrong_is_told(refuse: Refuse, text: str, key: str, problem: str | None, hint: str) -> None:
    [found] = refuse(CONNECTIONS + text)

    assert found.key == key
    assert problem is None or found.message == problem
    assert found.hint == hint


FORMS = '[sources.partner]\nkind = "json"\nrecord = "deal"\n'
STRIPE = '[sources.payments]\nkind = "stripe"\nsecret = "${WEBSITE_SECRET}"\n'


def test_a_source_speaks_for_what_it_names_else_for_the_only_connection_at_its_vendor(load: Load) -> None:
    named = 'connection = "stripe"\n'
    other = 'other = { connector = "stripe", api_key = "${HUBSPOT_TOKEN}" }\n'
    roles = '[roles]\nbilling = "stripe"\n'

    assert load(CONNECTIONS + STRIPE + FORMS).sources["payments"].speaks_for == "stripe"
    assert load(CONNECTIONS + STRIPE + FORMS).sources["partner"].speaks_for == ""
    assert load(CONNECTIONS + other + roles + STRIPE).sources["payments"].speaks_for == ""
    assert load(CONNECTIONS + other + roles + STRIPE + named).sources["payments"].speaks_for == "stripe"
    assert load(STRIPE).sources["payments"].speaks_for == ""


def test_a_source_that_speaks_for_itself_can_be_the_system_of_record(load: Load) -> None:
    text = '[records.deal]\nsystem_of_record = "source:partner"\nowners = { stage = "source:partner" }\n'
    deal = load(CONNECTIONS + FORMS + text).records["deal"]

    assert deal == Ownership("source:partner", {"stage": "source:partner"})


@pytest.mark.parametrize(
    ("text", "key", "problem", "hint"),
    [
        (
            FORMS + '[records.deal]\nsystem_of_record = "source:partners"',
            "records.deal.system_of_record",
            'there is no source "partners"',
            'Did you mean "partner"?',
        ),
        (
            STRIPE + '[records.deal]\nsystem_of_record = "source:payments"',
            "records.deal.system_of_record",
            'source "payments" brings the word of "stripe"',
            'name that:  "stripe"',
        ),
        (
            STRIPE + 'record = "payment"',
            "sources.payments.record",
            "Stripe's deliveries say themselves what they are about",
            'take the key out, or use kind = "json"',
        ),
        (
            '[sources.partner]\nkind = "json"\nrecord = "deals"',
            "sources.partner.record",
            "there is no such type of record",
            'Did you mean "deal"?',
        ),
    ],
)
def test_what_a_source_cannot_be_is_told(refuse: Refuse, text: str, key: str, problem: str, hint: str) -> None:
    [found] = refuse(CONNECTIONS + text)

    assert (found.key, found.message, found.hint) == (key, problem, hint)


CONTACT = (
    CONNECTIONS
    + """
sheet = { connector = "table_file" }
[records.contact]
mirrors = ["sheet"]
"""
)


def test_fields_of_a_contact_have_owners(load: Load) -> None:
    stack = load(CONTACT + 'owners = { company = "ghl", "custom.vat" = "stripe" }\nforeign_writes = "forward"')
    assert (stack.owners, stack.foreign_writes) == ({"company": "ghl", "custom.vat": "stripe"}, "forward")
    assert (load(CONTACT).owners, load(CONTACT).foreign_writes) == ({}, "refuse")


@pytest.mark.parametrize(
    ("owners", "problem"),
    [
        ('{ compani = "ghl" }', 'contact has no field "compani"'),
        ('{ tags = "ghl" }', 'contact has no field "tags"'),
        ('{ "custom." = "ghl" }', 'contact has no field "custom."'),
        ('{ company = "gl" }', 'there is no connection "gl"'),
        ('{ company = "mainstay" }', "Mainstay's own store owns no field"),
        ('{ company = "source:x" }', "a field of a contact is owned by a connection"),
        ('{ company = "stripe" }\n' + STRIPE, '"stripe" owns fields of contacts'),
        ('{ company = "sheet" }', '"sheet" is a mirror, and a mirror is right about nothing'),
    ],
)
def test_what_cannot_own_a_field_is_told(refuse: Refuse, owners: str, problem: str) -> None:
    [found] = refuse(f"{CONTACT}owners = {owners}")
    assert found.message == problem
