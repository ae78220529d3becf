from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import pytest

from mainstay.connectors.builtin import CONNECTOR
from mainstay.connectors.builtin.crm import BuiltinConnection, BuiltinCRM, make_crm
from mainstay.kit import CRM, Contact, Http, HttpSettings, PermanentError, Pushed
from mainstay.kit.http import open_session

CONTACT = Contact(UUID(int=7), UUID(int=1), email="zoe@lead.example", first_name="Zoë")
KEY = "run/2"


@dataclass
class Store:
    calls: list[tuple[Any, ...]] = field(default_factory=list)

    async def add_tag(self, contact_id: UUID, tag: str) -> None:
        self.calls.append(("tag", contact_id, tag))

    async def add_note(self, contact_id: UUID, text: str, *, key: str = "") -> None:
        self.calls.append(("note", contact_id, text, key))


async def test_the_record_is_there_already() -> None:
    store = Store()
    crm: CRM = BuiltinCRM(store, KEY)
    assert await crm.push_contact(CONTACT, "") == Pushed(str(CONTACT.id), created=False)
    assert await crm.push_contact(CONTACT, str(CONTACT.id)) == Pushed(str(CONTACT.id), created=False)
    assert await crm.fetch_contact(str(CONTACT.id)) is None
    assert store.calls == []


async def test_tags_and_notes_go_to_the_store() -> None:
    store = Store()
    async with open_session() as session:
        http = Http(session, HttpSettings(""), idempotency_key=KEY)
        crm = make_crm(BuiltinConnection(connector="builtin"), http, store)
        await crm.add_tag(str(CONTACT.id), "grün 李")
        await crm.add_note(str(CONTACT.id), "rang an ☎")
    assert store.calls == [("tag", CONTACT.id, "grün 李"), ("note", CONTACT.id, "rang an ☎", KEY)]
    assert http.exchanges == []


@pytest.mark.parametrize("external_id", ["", "hs-123", "0" * 31])
async def test_an_id_of_another_system_is_refused(external_id: str) -> None:
    store = Store()
    crm = BuiltinCRM(store)
    with pytest.raises(PermanentError, match="is not the id of a contact of Mainstay's own store"):
        await crm.add_tag(external_id, "x")
    with pytest.raises(PermanentError):
        await crm.add_note(external_id, "x")
    assert store.calls == []


async def test_it_needs_a_store() -> None:
    async with open_session() as session:
        http = Http(session, HttpSettings(""))
        with pytest.raises(TypeError, match="record store"):
            make_crm(BuiltinConnection(connector="builtin"), http, None)


def test_the_declaration() -> None:
    assert CONNECTOR.is_builtin
    assert CONNECTOR.settings is not None
    assert set(CONNECTOR.settings.model_fields) == {"connector", "base_url", "retry", "rate", "max_concurrent"}
    assert CONNECTOR.http is None
