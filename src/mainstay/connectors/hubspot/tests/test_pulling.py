from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from mainstay.connectors.hubspot import CONNECTOR
from mainstay.connectors.hubspot.crm import HubSpotConnection
from mainstay.connectors.hubspot.pulling import BATCH
from mainstay.kit import ConnectionSettings
from mainstay.kit.pulling import utc
from mainstay.sandbox import Sandbox, SandboxProcess
from tests.connectors.crm_conformance import TOKEN, Note, Stored, bench, sandbox
from tests.connectors.pull_conformance import PullConformance, PullVendor

__all__ = ["bench", "sandbox"]


class Vendor:
    name = "hubspot"
    connector = CONNECTOR
    unknown_id = "999999999"
    batch = BATCH

    def settings(self, base_url: str) -> ConnectionSettings:
        return HubSpotConnection.model_validate({"connector": "hubspot", "token": TOKEN, "base_url": base_url})

    def seed(self, sandbox: Sandbox, contact: Stored) -> None:
        raise NotImplementedError

    def contacts(self, state: Any) -> list[Stored]:
        raise NotImplementedError

    def notes(self, state: Any) -> list[Note]:
        raise NotImplementedError

    def change(self, sandbox: Sandbox, changes: list[tuple[str, str, datetime]]) -> None:
        records = [
            {"id": record_id, "properties": {"email": email, "lastmodifieddate": utc(at)}}
            for record_id, email, at in changes
        ]
        sandbox.seed("hubspot", "contacts", records)

    def id_of(self, number: int) -> str:
        return str(50_000 + number)


@pytest.fixture
def vendor(sandbox: SandboxProcess) -> PullVendor:
    return Vendor()


class TestConformance(PullConformance):
    pass
