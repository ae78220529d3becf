"""What of a connection is a copy, which a workflow may not write."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mainstay.engine.calls.effects import written_type
from mainstay.errors import PermanentError

TABLE = "table"
"""The role that mirrors are kept in."""


@dataclass(frozen=True, slots=True)
class Copies:
    """What a connection has copies of, so that workflows may not write it.

    ``systems`` maps each type of record that it mirrors to the connection that is right about it, empty for our own
    book; ``tables`` maps its tables that are mirrors to their mirrors' names.
    """

    systems: Mapping[str, str] = field(default_factory=dict)
    tables: Mapping[str, str] = field(default_factory=dict)

    def require_writable(self, role: str, operation: str, arguments: Sequence[Any], connection: str) -> None:
        """Refuse a call that writes a copy.

        Raises:
            PermanentError: it says what the copy is of, and what to do.
        """
        kind = written_type(role, operation)
        if kind is not None and kind in self.systems:
            right = self.systems[kind] or "our own book"
            message = (
                f'"{connection}" is a mirror of {kind} records ([records.{kind}] mirrors): it is fed one way and may '
                f"not be written. Right about them is {right}: write there, or take {connection} out of mirrors"
            )
            raise PermanentError(message)
        if role == TABLE and self.tables and (name := self.tables.get(str(arguments[0]))):
            message = (
                f'the table "{arguments[0]}" of "{connection}" is the mirror "{name}": it is fed one way and may not '
                "be written. Write to the system of record, or to another table"
            )
            raise PermanentError(message)


NO_COPIES = Copies()
