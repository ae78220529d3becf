"""Values that many people share, so that they name nobody: role mailboxes, and what is typed to get past a form."""

from __future__ import annotations

import re
from typing import Final

ROLE_MAILBOXES: Final = frozenset(
    {
        "abuse", "account", "accounting", "accounts", "accueil", "admin", "administracion", "administration",
        "administrator", "all", "appointments", "billing", "booking", "bookings", "bookkeeping", "buero", "bureau",
        "büro", "careers", "comercial", "commercial", "compliance", "contact", "contact-us", "contacto",
        "contactus", "contato", "customer-service", "customercare", "customerservice", "desk", "dispatch",
        "do-not-reply", "donotreply", "email", "empfang", "enquiries", "enquiry", "estimates", "events", "everyone",
        "facturacion", "feedback", "finance", "front-desk", "frontdesk", "ftp", "general", "hello", "help", "helpdesk",
        "hi", "hostmaster", "hr", "info", "information", "inquiries", "inquiry", "invoice", "invoices", "it", "jobs",
        "kontakt", "legal", "mail", "mailer-daemon", "management", "manager", "marketing", "media", "membership",
        "news", "newsletter", "no-reply", "no_reply", "noc", "noreply", "office", "operations", "ops", "order",
        "orders", "owner", "payroll", "payments", "post", "postmaster", "praxis", "press", "privacy", "purchasing",
        "quotes", "reception", "recepcion", "rechnung", "recruiting", "reservations", "returns", "rezeption", "root",
        "sales", "schedule", "scheduling", "security", "sekretariat", "service", "services", "shop", "staff", "store",
        "studio", "subscribe", "support", "team", "tech", "unsubscribe", "usenet", "uucp", "vendas", "ventas",
        "verkauf", "web", "webmaster", "welcome", "www",
    }
)  # fmt: skip
"""The part before the @ (and before any ``+``) that belongs to a desk, not to a person."""

_NO_ADDRESS = frozenset(
    {"noemail", "no-email", "no.email", "no_email", "nomail", "no-mail", "noaddress", "donthaveone", "dont-have-one",
     "noemailprovided", "notprovided", "not.provided", "not-provided", "noemailaddress", "emailnotprovided", "declined"}
)  # fmt: skip
_DUMMIES = frozenset(
    {"test", "tests", "testing", "tester", "test1", "test2", "test123", "testtest", "testemail", "example", "sample",
     "demo", "none", "no", "null", "nil", "na", "nobody", "noone", "unknown", "anonymous", "anon", "fake", "asdf",
     "asdfasdf", "asd", "sdf", "qwerty", "qwe", "abc", "abcd", "abc123", "xyz", "xxx", "xx", "aaa", "aa", "aaaa", "bbb",
     "foo", "bar", "foobar", "email", "mail", "domain", "blah", "invalid", "noemail", "nomail", "123", "1234", "12345",
     "123456", "111", "temp", "dummy", "notreal", "undefined"}
)  # fmt: skip
_AT_PROVIDERS = frozenset(
    {"test", "tests", "testing", "tester", "test1", "test2", "test123", "testtest", "testemail", "asdf", "asdfasdf",
     "qwerty", "abc", "abc123", "xxx", "aaa", "123", "1234", "12345", "123456", "111", "none", "null", "noone",
     "nobody", "unknown", "undefined", "invalid", "fake", "dummy", "notreal", "example", "anonymous", "anon"}
)  # fmt: skip
_SAMPLE_MAILBOXES = frozenset({"test", "email", "example", "none", "fake", "null", "nobody", "anonymous"})


SUSPECT_MAILBOXES: Final = (
    ROLE_MAILBOXES | _NO_ADDRESS | _DUMMIES | _SAMPLE_MAILBOXES | set("abcdefghijklmnopqrstuvwxyz")
)
"""All that may make an address one that names nobody; most addresses are done with one look."""


def is_blocked_domain(domain: str) -> bool:
    """Tell whether a domain says that there is no address."""
    return domain.partition(".")[0] in _NO_ADDRESS


def is_blocked_email(mailbox: str, domain: str, *, is_provider: bool) -> bool:
    """Tell whether an address (its tag taken off) is one that people type to get past a form, like test@test.com.

    ``is_provider`` says that anybody can have a mailbox at the domain, so that test@ is nobody's test.
    """
    label = domain.partition(".")[0]
    if mailbox in _NO_ADDRESS or (mailbox == label and len(label) == 1) or (is_provider and mailbox in _AT_PROVIDERS):
        return True
    return mailbox in (_SAMPLE_MAILBOXES if label == "example" else _DUMMIES) and (
        label == "example" or label in _DUMMIES
    )


def is_blocked_phone(number: str) -> bool:
    """Tell whether a number in E.164 is one that people type to get past a form, or everybody's directory enquiries."""
    end = number[-7:]
    if end in _SAME_DIGITS:
        return True
    return end in _DUMMY_ENDS and _DUMMY_NUMBER(number) is not None


_SAME_DIGITS = frozenset(digit * 7 for digit in "0123456789")
_DUMMY_ENDS = frozenset({"5678901", "6543210", "5551212"})
SUSPECT_ENDS: Final = _SAME_DIGITS | _DUMMY_ENDS
"""All ends that a blocked number may have; most numbers are done with one look."""
# The keys in order, and North America's directory enquiries.
_DUMMY_NUMBER = re.compile(r"\+1(?:2345678901|9876543210|\d{3}5551212)").fullmatch
