"""How a call that may have had its effect before was kept from having it twice."""

from __future__ import annotations

from enum import StrEnum


class Promise(StrEnum):
    """What a connector says of doing an operation twice.

    ``KEY``: the vendor takes an idempotency key; ``STATE``: it leaves the same state; ``LOOKUP``: it would happen
    twice, but the vendor can be asked whether it has happened; ``NONE``: it would happen twice. ``UNSAID`` is what the
    engine takes for work of a workflow's own.
    """

    KEY = "key"
    STATE = "state"
    LOOKUP = "lookup"
    NONE = "none"
    UNSAID = ""


class Guard(StrEnum):
    """What the ledger says of an attempt that came after one of unknown outcome; empty for any other attempt.

    ``KEY`` and ``STATE`` as in :class:`Promise`; ``FOUND``: the vendor has it, nothing was called; ``NOT_FOUND``: the
    vendor does not have it; ``NOT_YET``: it does not have it so soon after, nothing was called; ``REPEATED``: nobody
    could tell, and it was called again, perhaps for the second time; ``ASKED``: nobody could tell, and a person is
    asked; ``HAPPENED`` and ``ORDERED``: the person said that it happened, or to call again.
    """

    KEY = "key"
    STATE = "state"
    FOUND = "found"
    NOT_FOUND = "not found"
    NOT_YET = "not found yet"
    REPEATED = "repeated"
    ASKED = "asked"
    HAPPENED = "told it happened"
    ORDERED = "told to repeat"
