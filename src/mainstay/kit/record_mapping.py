"""From a sender's keys to a record: ``map = { id = "deal_id", title = "name", "contact.email" = "buyer.mail" }``.

Left stands a field of the type, ``id``, ``changed_at``, ``is_gone``, a ``contact.`` field of whom it is about, or
``custom.KEY``. Right stands where the value is, as in a map of a contact. Without a map the fields' own names are
looked for. What is not named is left.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from difflib import get_close_matches
from typing import Any

from mainstay.errors import MalformedError
from mainstay.kit.mapping import CUSTOM, Place, Reading
from mainstay.kit.opting import opts_out, said_at
from mainstay.kit.paths import value_at
from mainstay.kit.payload import show_keys, text
from mainstay.model import RECORD_FIELDS, Event, RecordState, RecordType, Submission

CONTACT = "contact."
_PERSON = ("email", "phone", "name", "first_name", "last_name", "company")
_OF_ANY = ("id", "changed_at", "is_gone", f"{CONTACT}id", *(CONTACT + name for name in _PERSON))
_MEND = "Mend the source's map in stack.toml, or the sender, then replay this delivery"


class RecordMap:
    """A compiled map of one type of record.

    Raises:
        ValueError: for a field that the type has not or an empty place, in words for the person who wrote the map.
    """

    def __init__(self, kind: RecordType, entries: Mapping[str, str | Sequence[str]]) -> None:
        self.kind = kind
        targets = (*_OF_ANY, *RECORD_FIELDS[kind])
        written = entries or {
            "id": ("id", f"{kind}_id", "external_id", "uuid"),
            **{name: name for name in targets if name != "id" and not name.startswith(CONTACT)},
        }
        self._places: dict[str, tuple[Place, ...]] = {}
        for target, places in written.items():
            _require_known(kind, target, targets)
            each = (places,) if isinstance(places, str) else tuple(places)
            if not each:
                message = f"map.{target} is an empty list: name at least one key of the payload"
                raise ValueError(message)
            self._places[target] = tuple(Place.read(target, one) for one in each)
        if "id" not in self._places:
            message = (
                f'map has no id: say by which key the sender tells one {kind} from another, as in id = "{kind}_id"'
            )
            raise ValueError(message)

    def apply(self, payload: Mapping[str, Any], *, key: str, connection: str, received_at: datetime | None) -> Event:
        """Give the event of one payload: ``deal.submitted``, of whom it is about where the map says so.

        Its data: ``id``, the fields, and ``custom``.

        Raises:
            MalformedError: it has no id, or a value that is none of its field's. Keys are named, values in part.
        """
        said = {target: value for target in self._places if (value := self._value(payload, target)) is not None}
        if not said.get("id"):
            wanted = ", ".join(f'"{place.written}"' for place in self._places["id"])
            raise MalformedError(
                f"no id of the {self.kind} was found under {wanted}; the payload has {show_keys(payload)}. {_MEND}"
            )
        changed_at = said_at(said["changed_at"]) if said.get("changed_at") else None
        if said.get("changed_at") and changed_at is None:
            raise MalformedError(f"changed_at is not a time as ISO 8601 has it, nor seconds since 1970. {_MEND}")
        state = RecordState(
            self.kind,
            said["id"],
            {name: value for name, value in said.items() if name in RECORD_FIELDS[self.kind]},
            {name.removeprefix(CUSTOM): value for name, value in said.items() if name.startswith(CUSTOM)},
            contact_external_id=said.get(f"{CONTACT}id", ""),
            is_gone=opts_out(said.get("is_gone", "")),
            changed_at=changed_at or received_at,
        )
        try:
            state = state.canonical()
        except MalformedError as error:
            raise MalformedError(f"{error}. {_MEND}") from None
        data = {"id": state.external_id, **state.fields, "custom": dict(state.custom)}
        person = {name: said[CONTACT + name] for name in _PERSON if said.get(CONTACT + name)}
        submission = None
        if person.keys() & {"email", "phone"}:
            ours = {"external_id": state.contact_external_id if connection else "", "connection": connection}
            submission = Submission(**person, **ours, occurred_at=changed_at)  # type: ignore[arg-type] # texts all
        happened = f"{self.kind}.{'deleted' if state.is_gone else 'submitted'}"
        return Event(happened, key=key, time=changed_at, submission=submission, data=data, record=state)

    def _value(self, payload: Mapping[str, Any], target: str) -> str | None:
        """Return what the payload says for a target: empty where it says so, None where it says nothing."""
        found = None
        reading = Reading(payload, {})
        for place in self._places[target]:
            if not place.path:
                return place.literal
            if path := reading.find(place):
                found = text(value_at(payload, path))
                if found:
                    return found
        return found


def _require_known(kind: str, target: str, targets: Sequence[str]) -> None:
    if target in targets or (target.startswith(CUSTOM) and target.removeprefix(CUSTOM).strip()):
        return
    close = get_close_matches(target, targets, 1)
    hint = f'Did you mean "{close[0]}"? ' if close else ""
    message = f'map: {kind} has no field "{target}". {hint}Fields: {", ".join(targets)} and custom.KEY.'
    raise ValueError(message)
