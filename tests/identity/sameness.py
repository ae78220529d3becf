"""What two ways of writing the same are held against each other by: people to write of, the tables that follow."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from hypothesis import strategies as st

from mainstay.db import Connection
from mainstay.identity import Person, Policy

EMAILS = ("sarah@example.com", "s.johnson@example.com", "bob@example.com", "ann@example.com")
WEAK_EMAILS = ("info@example.com", "test@test.com")
PHONES = ("+13125550141", "+13125550142", "+13125550143")
NAMES = (
    ("Sarah", "Johnson"),
    ("S", "Johnson"),
    ("S.", ""),
    ("Bob", "Johnson"),
    ("Robert", "Johnson"),
    ("Ann", "Müller"),
    ("", "Johnson"),
    ("", ""),
)
_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}")
BEGAN = datetime(2024, 5, 1, tzinfo=UTC)
TIMES = tuple((BEGAN + timedelta(days=days)).isoformat() for days in (0, 0, 1, 2, 90_000))
POLICIES = (
    Policy(),
    Policy(bridges="suggest", max_emails=2, max_phones=1),
    Policy(order=("phone", "email"), shared_phones="same", blocked=frozenset({EMAILS[2], PHONES[2]}), max_emails=2),
    Policy(order=("email",)),
)


@st.composite
def people(draw: st.DrawFn) -> Person:
    first, last = draw(st.sampled_from(NAMES))
    email = draw(st.sampled_from(("", *EMAILS, *WEAK_EMAILS)))
    phone = draw(st.sampled_from(("", *PHONES)))
    external = draw(st.sampled_from(("", "", "", "7", "8")))
    if not (email or phone or external or first or last):
        email = EMAILS[0]
    return Person(
        email=email,
        phone=phone,
        alias_key="sarah" if email == EMAILS[1] else "",
        first_name=first,
        last_name=last,
        company=draw(st.sampled_from(("", "Acme", 'A"c\\me\t{x}'))),
        source=draw(st.sampled_from(("import", "list", ""))),
        tags=draw(st.sampled_from(((), ("VIP",), ("vip", 'o"d\\d, {}'), ("gold", "VIP")))),
        custom=draw(st.sampled_from((None, {"plan": "gold"}, {"plan": "", "city": "Köln\\\n"}))),
        weak=("email",) if email in WEAK_EMAILS else (),
        flags=() if email or phone or external else ("no identifier",),
        do_not_contact=draw(st.sampled_from((False,) * 6 + (True,))),
        consent=draw(st.sampled_from(("",) * 6 + ("signed",))),
        occurred_at=draw(st.sampled_from(TIMES)),
        connection="crm" if external else "",
        external_id=external,
        raw=draw(st.sampled_from((None, {"phone": "(312) 555\t0141\\"}))),
        notes=draw(st.sampled_from(((), ("e-mail: \\ odd",)))),
    )


async def tables(
    connection: Connection, workspace_id: UUID, answers: Sequence[Sequence[Any]] = ()
) -> Mapping[str, Any]:
    """Return all that identity keeps, and the ``answers``, each id as the place it has among the others."""
    found = {
        table: [
            dict(row)
            for row in await connection.fetch(
                f"SELECT * FROM {table} WHERE workspace_id = $1 ORDER BY {order}",  # noqa: S608 - names of this file
                workspace_id,
            )
        ]
        for table, order in (
            ("contacts", "id"),
            ("identifiers", "kind, value, home_id"),
            ("changes", "contact_id, id"),
            ("merges", "id"),
            ("suggestions", "one_id, other_id"),
            ("crosswalk", "record_id, connection"),
            ("crosswalk_beside", "connection, external_id"),
        )
    }
    names: dict[str, str] = {str(workspace_id): "workspace"}
    names |= {str(row["id"]): f"contact {place}" for place, row in enumerate(found["contacts"])}
    names |= {str(row["id"]): f"merge {place}" for place, row in enumerate(found["merges"])}
    told: dict[UUID, int] = {}
    for row in found["changes"]:
        place = told[row["home_id"]] = told.get(row["home_id"], 0) + 1
        said = f"line {row['line']}" if row["line"] else f"{place} of {names[str(row['home_id'])]}"
        names[str(row["id"])] = f"change {said}"
    found["to_compare"] = [
        dict(row)
        for row in await connection.fetch(
            "SELECT DISTINCT workspace_id, contact_id FROM to_compare WHERE workspace_id = $1 ORDER BY contact_id",
            workspace_id,
        )
    ]
    by_chance = {"id", "at", "import_id", "decided_at", "opened_at", "push_run_id"}
    told_of = {
        table: [
            {name: _named(value, names) for name, value in row.items() if name not in by_chance | _times(table, row)}
            for row in rows
        ]
        for table, rows in found.items()
    }
    return {**told_of, "answers": [_named(answer, names) for answer in answers]}


def _times(table: str, row: Mapping[str, Any]) -> set[str]:
    if table == "identifiers":
        return {"created_at"}
    if table == "changes" and row["line"] is None:
        return {"occurred_at"}
    return {"contacts": {"deleted_at"}, "crosswalk": {"updated_at"}}.get(table, set())


def _named(value: Any, names: Mapping[str, str]) -> Any:
    if isinstance(value, datetime):
        # What was said ahead of our clock counts as said when it was received.
        return value if value.year < 2025 and value < BEGAN + timedelta(days=100) else "received"
    if isinstance(value, UUID):
        return names.get(str(value), "?")
    if isinstance(value, Mapping):
        return {key: _named(item, names) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_named(item, names) for item in value]
    if isinstance(value, str):
        return "received" if _is_now(value) else _ID.sub(lambda found: names.get(found[0], "?"), value)
    return value


def _is_now(text: str) -> bool:
    try:
        return datetime.fromisoformat(text).tzinfo is not None and text[:4].isdigit() and text not in TIMES[:4]
    except ValueError:
        return False
