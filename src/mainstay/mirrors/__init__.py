"""Mirrors: copies of the contacts that are kept alike, one way, and looked after."""

from mainstay.mirrors.comparing import COMPARE
from mainstay.mirrors.keeping import Mirrors
from mainstay.mirrors.rules import FIELDS, KEY, USUAL_COLUMNS, Drift, Mirror
from mainstay.mirrors.writing import MIRROR

__all__ = ["COMPARE", "FIELDS", "KEY", "MIRROR", "USUAL_COLUMNS", "Drift", "Mirror", "Mirrors"]
