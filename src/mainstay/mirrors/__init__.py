"""Mirrors: copies of records that are kept alike, one way, and looked after."""

from mainstay.mirrors.comparing import COMPARE
from mainstay.mirrors.deciding import MOST_AT_ONCE, TakenOver, Undone
from mainstay.mirrors.fields import MIRRORED_TYPES, USUAL_COLUMNS, MirroredType, fields_of
from mainstay.mirrors.keeping import Mirrors
from mainstay.mirrors.rules import KEY, Drift, Mirror
from mainstay.mirrors.writing import MIRROR

__all__ = [
    "COMPARE",
    "KEY",
    "MIRROR",
    "MIRRORED_TYPES",
    "MOST_AT_ONCE",
    "USUAL_COLUMNS",
    "Drift",
    "Mirror",
    "MirroredType",
    "Mirrors",
    "TakenOver",
    "Undone",
    "fields_of",
]
