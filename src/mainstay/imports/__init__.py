"""Imports: files brought in as a whole, quietly, at the speed of the database."""

from mainstay.imports.bringing import bring_in
from mainstay.imports.files import File, look_at
from mainstay.imports.lines import Job, Part, Refused, parts
from mainstay.imports.store import Import, begin_import
from mainstay.imports.worker import reading

__all__ = [
    "File",
    "Import",
    "Job",
    "Part",
    "Refused",
    "begin_import",
    "bring_in",
    "look_at",
    "parts",
    "reading",
]
