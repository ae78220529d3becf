"""Where a contact's values come from: who said what, when, and which of it stands."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from mainstay.identity.survivorship import HELD
from mainstay.insight.paging import Row

if TYPE_CHECKING:
    from mainstay.db import Connection

MOST_CHANGES = 200
"""How many of a contact's changes a history is read from, the newest of each contact of its group."""
_MOST_VALUES = 12
_FIELDS = ("email", "phone", "first_name", "last_name", "company", "source")
CUSTOM = "custom."
WISH = "do_not_contact"
OUT = "yes"


@dataclass(frozen=True, slots=True)
class Saying:
    """One value as it was said.

    Attributes:
        value: as it counts; empty where a person cleared the field.
        raw: as it was written, where it was written otherwise.
        source: the source, workflow or person that said it; ``kind`` is ``form``, ``crm``, ``import``, ``manual`` or
            ``merge`` (a person let it stand when merging).
        at: when it was said; ``change_id`` in which change.
        connection: the system whose word it is; empty for none.
        file: the list that an import brought it in with, and its ``line``.
        undone_at: when it was taken back, by ``undone_by``; None for what counts.
        times: how often it was said by the same source on end; ``at`` is the latest.
    """

    value: str
    raw: str
    source: str
    kind: str
    at: datetime
    change_id: UUID
    delivery_id: UUID | None
    run_id: UUID | None
    connection: str = ""
    file: str = ""
    line: int | None = None
    undone_at: datetime | None = None
    undone_by: str = ""
    times: int = 1


@dataclass(frozen=True, slots=True)
class Lineage:
    """Where a value comes from: ``stands`` is the saying that won, ``history`` all of the field, the newest first.

    ``owner`` is the connection that is right about the field, empty for none. ``is_over_hand``: the system of record
    said it over what a person had set, so that it changes only by hand, or there.
    """

    stands: Saying | None
    history: tuple[Saying, ...]
    owner: str = ""
    is_over_hand: bool = False

    @property
    def is_by_hand(self) -> bool:
        """Tell whether a person set it: it then changes only by hand, or in the system of record."""
        return self.stands is not None and self.stands.kind == "manual"

    @property
    def is_owners(self) -> bool:
        """Tell whether it is the word of the field's owner."""
        return bool(self.owner) and self.stands is not None and self.stands.connection == self.owner

    def why_not(self, saying: Saying) -> str:
        """Return why a saying does not stand, where that is not simply that another was said later."""
        if saying.undone_at is not None:
            return f"taken back by {saying.undone_by}"
        if self.is_owners and saying.connection != self.owner:
            return f"does not stand: {self.owner} owns it"
        return ""


async def lineages(
    connection: Connection, workspace_id: UUID, group: Sequence[UUID], origins: Mapping[str, Sequence[Any]]
) -> Mapping[str, Lineage]:
    """Return the lineage of each field that anything was ever said of.

    Of ``tags``, which are all kept, none stands before the others; ``do_not_contact`` is "yes" for an opt-out, else
    the consent.
    """
    standing = {name: UUID(origin[2]) for name, origin in origins.items()}
    rows = await connection.fetch(_CHANGES, list(group), MOST_CHANGES, workspace_id)
    rows += await connection.fetch(
        _SOME,
        list(set(standing.values())),
        workspace_id,
        [row["id"] for row in rows],
    )
    said: dict[str, list[Saying]] = {}
    for row in rows:
        for name, saying in _sayings(row):
            said.setdefault(name, []).append(saying)
    owners = await connection.fetchval("SELECT owners FROM workspaces WHERE id = $1", workspace_id)
    found = {
        name: Lineage(
            next((saying for saying in sayings if saying.change_id == standing.get(name)), None),
            tuple(_without_repeats(sayings))[:_MOST_VALUES],
            owners.get(name, ""),
            is_over_hand=name in origins and bool(origins[name][3] & HELD),
        )
        for name, sayings in said.items()
    }
    if (wishes := found.get(WISH)) is not None:
        last = max(wishes.history, key=lambda saying: (saying.at, saying.value == OUT))
        found[WISH] = replace(wishes, stands=last)
    return found


# Of each contact of the group by its own index; a chosen side counts no more once its merge is undone.
_COLUMNS = (
    "changes.id, changes.source, changes.kind, changes.delivery_id, changes.run_id, changes.occurred_at, "
    "changes.person, changes.raw, changes.line, changes.undone_at, changes.undone_by, "
    "coalesce(imports.file, '') AS file"
)
_FROM = "changes LEFT JOIN imports ON imports.id = changes.import_id"
_SOME = f"""
    SELECT {_COLUMNS} FROM {_FROM}
    WHERE changes.id = ANY($1) AND changes.workspace_id = $2 AND NOT changes.id = ANY($3)
"""  # noqa: S608 - parts from this file
_CHANGES = f"""
    SELECT * FROM unnest($1::uuid[]) AS homes (home_id) CROSS JOIN LATERAL (
        SELECT {_COLUMNS} FROM {_FROM} LEFT JOIN merges ON merges.id = changes.merge_id
        WHERE changes.home_id = homes.home_id AND changes.workspace_id = $3 AND merges.undone_at IS NULL
        ORDER BY changes.id DESC LIMIT $2
    ) AS newest ORDER BY newest.id DESC LIMIT $2
"""  # noqa: S608 - parts from this file


def _sayings(row: Row) -> Iterable[tuple[str, Saying]]:
    person, raw = row["person"], row["raw"]
    cleared = set(person.get("cleared", ()))
    custom = person.get("custom") or {}
    values = {name: person.get(name, "") for name in _FIELDS if person.get(name) or name in cleared}
    values |= {f"{CUSTOM}{key}": text for key, text in custom.items() if text or f"{CUSTOM}{key}" in cleared}
    if tags := person.get("tags"):
        values["tags"] = ", ".join(tags)
    if person.get("do_not_contact") or person.get("consent"):
        values[WISH] = OUT if person.get("do_not_contact") else f"no: {person['consent']}"
    whole_name = raw.get("name", "")
    for name, value in values.items():
        written = raw.get(name) or (whole_name if name in {"first_name", "last_name"} else "")
        yield (
            name,
            Saying(
                value,
                written,
                row["source"],
                row["kind"],
                row["occurred_at"],
                row["id"],
                row["delivery_id"],
                row["run_id"],
                person.get("connection", ""),
                row["file"],
                row["line"],
                row["undone_at"],
                row["undone_by"],
            ),
        )


def _without_repeats(sayings: Sequence[Saying]) -> Sequence[Saying]:
    """Return the newest first, the same value from the same source on end as one."""
    told: list[Saying] = []
    for saying in sorted(sayings, key=lambda each: (each.at, each.change_id), reverse=True):
        if told and _same(told[-1]) == _same(saying):
            told[-1] = replace(told[-1], times=told[-1].times + 1)
        else:
            told.append(saying)
    return told


def _same(saying: Saying) -> tuple[str, str, str, bool]:
    return saying.value, saying.source, saying.kind, saying.undone_at is None
