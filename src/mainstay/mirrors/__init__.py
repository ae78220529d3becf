"""Mirrors: copies of the contacts that are kept alike, one way, and looked after."""

from mainstay.mirrors.comparing import COMPARE
from mainstay.mirrors.deciding import MOST_AT_ONCE, TakenOver, Undone
from mainstay.mirrors.keeping import Mirrors
from mainstay.mirrors.rules import FIELDS, KEY, USUAL_COLUMNS, Drift, Mirror
from mainstay.mirrors.writing import MIRROR

__all__ = [
    "COMPARE",
    "FIELDS",
    "KEY",
    "MIRROR",
    "MOST_AT_ONCE",
    "USUAL_COLUMNS",
    "Drift",
    "Mirror",
    "Mirrors",
    "TakenOver",
    "Undone",
]
