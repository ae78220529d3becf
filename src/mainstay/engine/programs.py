"""What runs each workflow name: Mainstay's own programs, then the users' workflows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mainstay.engine.driver import Program


class Programs(Mapping[str, "Program"]):
    """The program of every name: one of ``own``, else ``others``, which looks for the user's workflow itself."""

    def __init__(self, own: Mapping[str, Program], others: Program) -> None:
        self._own = own
        self._others = others

    def __getitem__(self, name: str) -> Program:
        """Return a workflow's program."""
        return self._own.get(name, self._others)

    def __iter__(self) -> Iterator[str]:
        """Give the names of Mainstay's own."""
        return iter(self._own)

    def __len__(self) -> int:
        """Count Mainstay's own."""
        return len(self._own)
