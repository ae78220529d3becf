"""Mainstay's own store as the CRM: the contact is already there, so nothing leaves the database."""

from mainstay.connectors.builtin.crm import BuiltinConnection, make_crm
from mainstay.kit import Connector

CONNECTOR = Connector(
    name="builtin",
    title="Mainstay",
    settings=BuiltinConnection,
    roles={"crm": make_crm},
    idempotency={
        "crm.push_contact": "state",
        "crm.fetch_contact": "state",
        "crm.add_tag": "state",
        "crm.add_note": "key",
        "crm.delete_contact": "state",
    },
    is_builtin=True,
)

__all__ = ["CONNECTOR"]
