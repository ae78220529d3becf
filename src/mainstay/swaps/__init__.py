"""Swaps: another system of record takes over while leads come in, step by step, each of which goes back."""

from mainstay.swaps.checking import Remark, Side, remarks, seconds_of_backfill
from mainstay.swaps.rules import Phase, Standing, Swap, obstacles, phase_of
from mainstay.swaps.store import common_fields, contacts_to_copy, latest, note, standing_of

__all__ = [
    "Phase",
    "Remark",
    "Side",
    "Standing",
    "Swap",
    "common_fields",
    "contacts_to_copy",
    "latest",
    "note",
    "obstacles",
    "phase_of",
    "remarks",
    "seconds_of_backfill",
    "standing_of",
]
