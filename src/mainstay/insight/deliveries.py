"""Deliveries: what arrived, what became of it, and what waits in quarantine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

from mainstay.insight.paging import PAGE_SIZE, Page, Row, page_of, resolve_short_id

if TYPE_CHECKING:
    from mainstay.db import Connection

SHOWN_BYTES = 64_000
SEARCHED = 5000
# Each state as SQL that is known before it is planned: that is what lets a partial index serve it.
_STATES = {state: f"state = '{state}'" for state in ("accepted", "processed", "ignored", "rejected", "failed")}
_INDEXED = {"rejected", "failed"}
_COLUMNS = "id, source, kind, state, verified, reason, received_at, run_id, octet_length(body) AS size"
_START = "id < coalesce($2, 'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid)"


@dataclass(frozen=True, slots=True)
class DeliveryRow:
    """One delivery as lists show it; ``size`` is that of its body in bytes."""

    id: UUID
    source: str
    kind: str
    state: str
    verified: str
    reason: str
    received_at: datetime
    run_id: UUID | None
    size: int


@dataclass(frozen=True, slots=True)
class QuarantineRow:
    """One request whose sender could not be proven."""

    id: UUID
    source: str
    reason: str
    received_at: datetime
    size: int


@dataclass(frozen=True, slots=True)
class RawDelivery:
    """The request as it arrived, its secrets masked; ``body`` holds the first ``SHOWN_BYTES`` at most."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes
    size: int

    @property
    def is_cut(self) -> bool:
        """Tell whether the body is longer than what is here."""
        return self.size > len(self.body)


async def list_deliveries(
    connection: Connection,
    workspace_id: UUID,
    *,
    state: str = "",
    source: str = "",
    before: UUID | None = None,
    size: int = PAGE_SIZE,
) -> Page[DeliveryRow]:
    """Return deliveries, newest first.

    Of a state without an index of its own (all but ``rejected`` and ``failed``) only the newest ``SEARCHED`` are
    looked through for each page.
    """
    if state and state not in _STATES:
        return Page(())
    chosen = _STATES.get(state, "true")
    by_source = "AND source = $4" if source else "AND $4 = ''"
    if not state or state in _INDEXED:
        query = f"""
            SELECT {_COLUMNS} FROM deliveries WHERE workspace_id = $1 AND {_START} AND {chosen} {by_source}
            ORDER BY id DESC LIMIT $3
        """  # noqa: S608 - parts from this file
    else:
        query = f"""
            SELECT {_COLUMNS} FROM (
                SELECT * FROM deliveries WHERE workspace_id = $1 AND {_START} {by_source}
                ORDER BY id DESC LIMIT {SEARCHED}
            ) AS newest WHERE {chosen} ORDER BY id DESC LIMIT $3
        """  # noqa: S608 - parts from this file
    rows = await connection.fetch(query, workspace_id, before, size + 1, source)
    return page_of(rows, delivery_of, size)


async def find_deliveries(connection: Connection, workspace_id: UUID, text: str) -> tuple[DeliveryRow, ...]:
    """Return the deliveries that a (short) id may mean."""
    ids = await resolve_short_id(connection, "deliveries", workspace_id, text)
    return await deliveries_by_id(connection, workspace_id, ids)


async def deliveries_by_id(
    connection: Connection, workspace_id: UUID, ids: tuple[UUID, ...] | list[UUID]
) -> tuple[DeliveryRow, ...]:
    """Return the named deliveries, newest first."""
    rows = await connection.fetch(
        f"SELECT {_COLUMNS} FROM deliveries WHERE workspace_id = $1 AND id = ANY($2) ORDER BY id DESC",  # noqa: S608
        workspace_id,
        ids,
    )
    return tuple(delivery_of(row) for row in rows)


async def delivery_detail(
    connection: Connection, workspace_id: UUID, delivery_id: UUID
) -> tuple[DeliveryRow, RawDelivery] | None:
    """Return one delivery and its request, or None."""
    row = await connection.fetchrow(
        f"SELECT {_COLUMNS}, {_RAW} FROM deliveries WHERE id = $1 AND workspace_id = $2",  # noqa: S608 - parts from this file
        delivery_id,
        workspace_id,
    )
    return None if row is None else (delivery_of(row), _raw_of(row))


_RAW = f"method, url, headers, substring(body FROM 1 FOR {SHOWN_BYTES}) AS body"


async def list_quarantine(
    connection: Connection, workspace_id: UUID, *, source: str = "", before: UUID | None = None, size: int = PAGE_SIZE
) -> Page[QuarantineRow]:
    """Return what is in quarantine, newest first."""
    rows = await connection.fetch(
        """
        SELECT id, source, reason, received_at, octet_length(body) AS size FROM quarantine
        WHERE workspace_id = $1 AND id < coalesce($2, 'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid)
          AND ($4 = '' OR source = $4)
        ORDER BY id DESC LIMIT $3
        """,
        workspace_id,
        before,
        size + 1,
        source,
    )
    return page_of(rows, _quarantine_of, size)


async def quarantine_detail(
    connection: Connection, workspace_id: UUID, quarantine_id: UUID
) -> tuple[QuarantineRow, RawDelivery] | None:
    """Return one request in quarantine, or None."""
    row = await connection.fetchrow(
        f"SELECT id, source, reason, received_at, octet_length(body) AS size, {_RAW} FROM quarantine "  # noqa: S608
        "WHERE id = $1 AND workspace_id = $2",
        quarantine_id,
        workspace_id,
    )
    return None if row is None else (_quarantine_of(row), _raw_of(row))


def delivery_of(row: Row) -> DeliveryRow:
    """Read a row with the columns of a list."""
    return DeliveryRow(**{name: row[name] for name in DeliveryRow.__dataclass_fields__})


def _quarantine_of(row: Row) -> QuarantineRow:
    return QuarantineRow(**{name: row[name] for name in QuarantineRow.__dataclass_fields__})


def _raw_of(row: Row) -> RawDelivery:
    return RawDelivery(row["method"], row["url"], row["headers"], row["body"], row["size"])
