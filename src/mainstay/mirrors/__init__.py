"""Mirrors: copies of the contacts that are kept alike, one way, and looked after."""

from mainstay.mirrors.rules import FIELDS, KEY, USUAL_COLUMNS, Drift, Mirror
from mainstay.mirrors.writing import MIRROR, Writer

__all__ = ["FIELDS", "KEY", "MIRROR", "USUAL_COLUMNS", "Drift", "Mirror", "Writer"]
