"""How a workflow's runs take turns, as it declares it: overlap, key, debounce, deadline."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Literal

from mainstay.errors import Problem
from mainstay.model import Overlap
from mainstay.model.duration import read_duration
from mainstay.runs import Turn

if TYPE_CHECKING:
    from mainstay.model import Contact

log = logging.getLogger(__name__)

Key = Callable[["Contact", Mapping[str, Any]], object]
"""Gives the key that runs take turns by, from the contact and the event's data; None for a run that takes none."""
_ALL = "*"
_LONGEST = 100


@dataclass(frozen=True, slots=True)
class Turns:
    """How runs of a workflow take turns.

    Attributes:
        overlap: what becomes of a run while an earlier one of its key has not ended.
        key: ``contact``, None for all runs of the workflow, or a function of the contact and the event's data.
        debounce: how long it must be quiet before a run begins; None: it begins at once.
        deadline: how long after its creation a run fails that has not ended.
    """

    overlap: Overlap = Overlap.QUEUE
    key: Literal["contact"] | Key | None = "contact"
    debounce: timedelta | None = None
    deadline: timedelta | None = None

    def turn(self, contact: Contact | None, data: Mapping[str, Any], now: datetime) -> Turn | None:
        """Return the turn of a run about ``contact``, or nobody, that an event with ``data`` begins."""
        if self.overlap is Overlap.ALLOW:
            return None
        key = self._key(contact, data)
        if not key:
            return None
        return Turn(key, self.overlap, now + self.debounce if self.debounce else None)

    def turn_of_tick(self) -> Turn | None:
        """Return the turn of a run that a schedule begins: it is about nobody, so there is one line for all."""
        return None if self.overlap is Overlap.ALLOW else Turn(_ALL, self.overlap)

    def deadline_at(self, now: datetime) -> datetime | None:
        """Return when a run that is made now fails if it has not ended."""
        return now + self.deadline if self.deadline else None

    def _key(self, contact: Contact | None, data: Mapping[str, Any]) -> str:
        if self.key is None:
            return _ALL
        if callable(self.key):
            try:
                given = self.key(contact, data)  # type: ignore[arg-type] # None for an event about nobody
            except Exception:
                # In the transaction that stores the lead: a slip in a workflow's key must not stand in its way.
                log.exception("a workflow's key failed; its runs about this contact take turns by the contact")
            else:
                return "" if given is None else _short(f"={given}")
        return str(contact.id) if contact else ""


def _short(key: str) -> str:
    """Return a key that an index can hold."""
    key = key.replace("\0", "")
    return key if len(key) <= _LONGEST else f"{key[:_LONGEST]}~{sha256(key.encode()).hexdigest()[:16]}"


def read_turns(
    overlap: str, key: object, debounce: str | None, deadline: str | None, where: str
) -> tuple[Turns, list[Problem]]:
    """Return the turns that a declaration means, and what is wrong with it."""
    problems = []
    if overlap not in set(Overlap):
        words = ", ".join(f'"{each}"' for each in Overlap)
        problems.append(Problem(where, f'@workflow(..., overlap="{overlap}")', "there is no such overlap", words))
    if not (key is None or key == "contact" or callable(key)):
        problems.append(
            Problem(
                where,
                f"@workflow(..., key={key!r})",
                "a key is what runs take turns by",
                'key="contact", key=None for one run at a time, or a function: key=lambda contact, data: data["site"]',
            )
        )
    lengths = {}
    for name, text in (("debounce", debounce), ("deadline", deadline)):
        try:
            lengths[name] = read_duration(text) if text is not None else None
        except (ValueError, TypeError):
            lengths[name] = timedelta()
        if lengths[name] == timedelta():
            problems.append(
                Problem(where, f"@workflow(..., {name}={text!r})", "this is no length of time", 'write "5m" or "1h"')
            )
    if overlap == Overlap.ALLOW and debounce is not None:
        problems.append(
            Problem(
                where,
                '@workflow(..., overlap="allow", debounce=...)',
                "runs that may overlap have no one to wait for",
                'leave out overlap="allow"',
            )
        )
    if problems:
        return Turns(), problems
    return Turns(Overlap(overlap), key, lengths["debounce"], lengths["deadline"]), []  # type: ignore[arg-type]
