"""What is associated with what in a simulated HubSpot."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from mainstay.sandbox.wire import Json, now_iso

TYPES = {
    ("notes", "contacts"): 202,
    ("contacts", "notes"): 201,
    ("deals", "contacts"): 3,
    ("contacts", "deals"): 4,
    ("contacts", "companies"): 279,
    ("companies", "contacts"): 280,
}
_OBJECTS = {"0-1": "contacts", "0-2": "companies", "0-3": "deals"}


class Associations:
    """Associations in order of creation."""

    def __init__(self) -> None:
        """Start empty."""
        self.all: list[dict[str, Json]] = []

    def link(self, one: tuple[str, str], other: tuple[str, str], type_id: int | None = None) -> dict[str, Json]:
        """Associate two objects, each its kind and id, once; returns the association."""
        number = TYPES[one[0], other[0]] if type_id is None else type_id
        spec = {"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": number}
        entry = {"from": {"id": one[1]}, "to": {"id": other[1]}, "associationSpec": spec}
        if entry not in self.all:
            self.all.append(entry)
        return entry

    def contacts_of(self, kind: str, key: str) -> dict[str, Json]:
        """Return what an object's answer says of its contacts; nothing where it has none."""
        number = TYPES.get((kind, "contacts"))
        ids = [
            link["to"]["id"]
            for link in self.all
            if link["from"]["id"] == key and link["associationSpec"]["associationTypeId"] == number
        ]
        name = {"deals": "deal_to_contact", "companies": "company_to_contact"}.get(kind, "note_to_contact")
        return {"associations": {"contacts": {"results": [{"id": each, "type": name} for each in ids]}}} if ids else {}

    def read(self, one: str, other: str, inputs: Iterable[Mapping[str, Json]]) -> dict[str, Json]:
        """Answer a batch: what objects are associated with, not of those without; ``one`` and ``other`` are types."""
        spec = {"category": "HUBSPOT_DEFINED", "typeId": TYPES[_OBJECTS[one], _OBJECTS[other]]}
        asked = [str(each["id"]) for each in inputs]
        known = {each: [link["to"]["id"] for link in self.all if link["from"]["id"] == each] for each in asked}
        results = [
            {"from": {"id": each}, "to": [{"toObjectId": to, "associationTypes": [spec]} for to in others]}
            for each, others in known.items()
            if others
        ]
        return {"status": "COMPLETE", "startedAt": now_iso(), "completedAt": now_iso(), "results": results}
