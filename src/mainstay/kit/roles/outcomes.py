"""What an operation gives back: small frozen values, which the ledger keeps as JSON."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Pushed:
    """Outcome of writing a record to a system: its id there, and whether it was new there."""

    external_id: str
    created: bool = False


@dataclass(frozen=True, slots=True)
class Sent:
    """Outcome of a message: the vendor's id of it, empty where it gives none."""

    id: str = ""


@dataclass(frozen=True, slots=True)
class Made:
    """Outcome of creating something: its id there, and a link for people where the vendor has one."""

    id: str
    url: str = ""
