from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
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
