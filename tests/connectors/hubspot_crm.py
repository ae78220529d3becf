"""HubSpot as the suites of a CRM ask about it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mainstay.connectors.hubspot import CONNECTOR
from mainstay.connectors.hubspot.settings import HubSpotConnection
from mainstay.kit import ConnectionSettings
from mainstay.sandbox import Sandbox
from tests.connectors.crm_conformance import TOKEN, Note, Stored

_NAMES = {
    "email": "email",
    "phone": "phone",
    "first_name": "firstname",
    "last_name": "lastname",
    "company": "company",
}


def connection(base_url: str = "", **more: Any) -> HubSpotConnection:
    return HubSpotConnection.model_validate({"connector": "hubspot", "token": TOKEN, "base_url": base_url} | more)


class Vendor:
    name = "hubspot"
    connector = CONNECTOR
    unknown_id = "999999999"

    def settings(self, base_url: str) -> ConnectionSettings:
        return connection(base_url)

    def seed(self, sandbox: Sandbox, contact: Stored) -> None:
        record = {theirs: value for ours, theirs in _NAMES.items() if (value := getattr(contact, ours))}
        if contact.tags:
            record["mainstay_tags"] = ";".join(contact.tags)
        sandbox.seed("hubspot", "contacts", [record])

    def contacts(self, state: Mapping[str, Any]) -> list[Stored]:
        return [
            Stored(
                record["id"],
                tags=tuple(filter(None, record["properties"].get("mainstay_tags", "").split(";"))),
                **{ours: record["properties"].get(theirs) or "" for ours, theirs in _NAMES.items()},
            )
            for record in state["contacts"]
        ]

    def notes(self, state: Mapping[str, Any]) -> list[Note]:
        linked = {link["from"]["id"]: link["to"]["id"] for link in state["associations"]}
        return [Note(linked[note["id"]], note["properties"]["hs_note_body"]) for note in state["notes"]]
