"""Normalisation: the one form of an e-mail, a phone number and a name; and whether two names may be one person's.

Pure functions; they never raise, whatever text they are given.
"""

from mainstay.identity.normalisation.compatibility import are_compatible, shortens
from mainstay.identity.normalisation.email import normalise_email
from mainstay.identity.normalisation.name import display_name, is_nobody, normalise_name, split_name
from mainstay.identity.normalisation.phone import normalise_phone
from mainstay.identity.normalisation.result import Hint, NameKey, Normalised, Reason, Status
from mainstay.identity.normalisation.text import clean, is_placeholder

__all__ = [
    "Hint",
    "NameKey",
    "Normalised",
    "Reason",
    "Status",
    "are_compatible",
    "clean",
    "display_name",
    "is_nobody",
    "is_placeholder",
    "normalise_email",
    "normalise_name",
    "normalise_phone",
    "shortens",
    "split_name",
]
