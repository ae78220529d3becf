"""Which failed runs are meant, for those who list them and those who retry them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from mainstay.errors import UnsureError

# Below every id: a bound that an index takes, where "or is null" would keep it from being one.
FIRST = "'00000000-0000-0000-0000-000000000000'::uuid"


@dataclass(frozen=True, slots=True)
class Chosen:
    """Failed runs that nobody has handled; empty means any. Those that ask a person something are never among them.

    Attributes:
        workflow: of this workflow.
        connection: that failed at this connection.
        incident_id: that this incident holds up.
        since: that failed at or after this moment.
        error: whose error has this text in it, in any case.
    """

    workflow: str = ""
    connection: str = ""
    incident_id: UUID | None = None
    since: datetime | None = None
    error: str = ""

    def condition(self, values: list[Any]) -> str:
        """Return the condition on ``runs`` as SQL; what it compares with is added to the query's ``values``."""
        parts = ["runs.state = 'failed'", "runs.handled_at IS NULL", f"runs.fate <> '{UnsureError.fate}'"]

        def compare(sql: str, value: Any) -> None:
            if value:
                values.append(value)
                parts.append(sql.format(f"${len(values)}"))

        compare("runs.workflow = {}", self.workflow)
        compare("runs.incident_id = {}", self.incident_id)
        compare("runs.finished_at >= {}", self.since)
        compare("position(lower({}) IN lower(runs.error)) > 0", self.error)
        compare(
            "(SELECT connection FROM attempts WHERE attempts.run_id = runs.id AND attempts.step = runs.failed_step"
            " ORDER BY number DESC LIMIT 1) = {}",
            self.connection,
        )
        return " AND ".join(parts)

    def to_json(self) -> dict[str, Any]:
        """Return what is said, as it is kept."""
        said = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return {name: value if isinstance(value, str) else str(value) for name, value in said.items() if value}

    @classmethod
    def from_json(cls, kept: Mapping[str, str]) -> Chosen:
        """Read what :meth:`to_json` wrote."""
        read: dict[str, Callable[[str], Any]] = {"incident_id": UUID, "since": datetime.fromisoformat}
        return cls(**{name: read.get(name, str)(value) for name, value in kept.items()})
