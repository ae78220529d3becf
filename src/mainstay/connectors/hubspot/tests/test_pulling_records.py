from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

import pytest

from mainstay.connectors.hubspot import CONNECTOR
from mainstay.connectors.hubspot.pulling import BATCH
from mainstay.connectors.hubspot.settings import HubSpotConnection
from mainstay.kit import RecordType
from mainstay.kit.pulling import utc
from mainstay.sandbox import Sandbox
from tests.connectors.record_pull_conformance import (
    THEN,
    Pulling,
    RecordPullConformance,
    RecordVendor,
    pulling,
    sandbox,
)

__all__ = ["pulling", "sandbox"]


class HubSpot:
    name = "hubspot"
    connector = CONNECTOR
    batch = BATCH
    lag = timedelta(minutes=1)
    kind: RecordType = "deal"
    shown = "title"
    seeded, named = "deals", "dealname"

    def settings(self, base_url: str) -> HubSpotConnection:
        return HubSpotConnection.model_validate({"connector": "hubspot", "token": "pat-1", "base_url": base_url})

    def id_of(self, number: int) -> str:
        return str(5_000 + number)

    def change(self, sandbox: Sandbox, changes: list[tuple[int, str, datetime]]) -> None:
        # The suite asks faster than HubSpot lets its search be asked.
        sandbox.configure("hubspot", rate_limit=False)
        records = [
            {"id": self.id_of(n), "properties": {self.named: value, "lastmodifieddate": utc(at)}}
            for n, value, at in changes
        ]
        sandbox.seed("hubspot", self.seeded, records)


class Companies(HubSpot):
    kind: RecordType = "company"
    shown = "name"
    seeded, named = "companies", "name"


class TestDeals(RecordPullConformance):
    @pytest.fixture
    def vendor(self) -> RecordVendor:
        return HubSpot()

    async def test_whom_a_deal_is_about_is_read_beside_it(self, pulling: Pulling) -> None:
        def make() -> None:
            pulling.sandbox.seed("hubspot", "contacts", [{"id": "77", "properties": {"email": "ann@example.com"}}])
            won = {"dealname": "Roof", "amount": "4000", "hs_is_closed": "true", "hs_is_closed_won": "true"}
            told = {"properties": won | {"lastmodifieddate": utc(THEN)}, "contact": "77"}
            pulling.sandbox.seed("hubspot", "deals", [told])

        await asyncio.to_thread(make)
        (one,) = (await pulling.pull("")).records

        assert one.event.record is not None
        assert one.event.record.contact_external_id == "77"
        assert (one.event.data["contact"], one.event.data["status"]) == ("77", "won")


class TestCompanies(RecordPullConformance):
    @pytest.fixture
    def vendor(self) -> RecordVendor:
        return Companies()
