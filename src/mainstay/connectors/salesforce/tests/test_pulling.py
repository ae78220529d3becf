from __future__ import annotations

from datetime import datetime

import pytest

from mainstay.connectors.salesforce import CONNECTOR
from mainstay.connectors.salesforce.pulling import BATCH
from mainstay.connectors.salesforce.settings import SalesforceConnection
from mainstay.kit import ConnectionSettings
from mainstay.sandbox import Sandbox, SandboxProcess
from tests.connectors.crm_conformance import TOKEN, Bench, bench, sandbox
from tests.connectors.pull_conformance import THEN, PullConformance, Pulling, PullVendor

__all__ = ["bench", "sandbox"]


class Vendor:
    name = "salesforce"
    connector = CONNECTOR
    batch = BATCH

    def settings(self, base_url: str) -> ConnectionSettings:
        values = {"connector": "salesforce", "access_token": TOKEN, "base_url": base_url, "tag_field": ""}
        return SalesforceConnection.model_validate(values)

    def change(self, sandbox: Sandbox, changes: list[tuple[str, str, datetime]]) -> None:
        records = [
            {"Id": record_id, "LastName": "Johnson", "Email": email, "SystemModstamp": _stamp(at)}
            for record_id, email, at in changes
        ]
        sandbox.seed("salesforce", "contacts", records)

    def id_of(self, number: int) -> str:
        return f"003Hs{number:010d}AAA"


def _stamp(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S.000+0000")


@pytest.fixture
def vendor(sandbox: SandboxProcess) -> PullVendor:
    return Vendor()


class TestConformance(PullConformance):
    async def test_what_was_deleted_is_told_and_is_no_contact(self, pulling: Pulling, bench: Bench) -> None:
        await pulling.change(*((n, THEN) for n in range(3)))
        bench.sandbox.seed("salesforce", "contacts", [{"Id": pulling.vendor.id_of(1), "IsDeleted": True}])

        pulled = await pulling.pull("")

        assert pulled.removed == (pulling.vendor.id_of(1),)
        assert [each.external_id for each in pulled.contacts] == [pulling.vendor.id_of(0), pulling.vendor.id_of(2)]

    async def test_an_answer_that_salesforce_cuts_is_read_to_its_end(self, pulling: Pulling, bench: Bench) -> None:
        bench.sandbox.configure("salesforce", page=7)
        await pulling.change(*((n, THEN) for n in range(40)))

        pulled = await pulling.pull("")

        assert len(pulled.contacts) == 40
        assert await bench.calls() == 6
