"""Identity: one person, one contact. The only writer of contacts."""

from mainstay.identity.rules import Person, normalise
from mainstay.identity.store import (
    ContactWrite,
    Resolution,
    annotate,
    contact_of,
    load_contact,
    person_from_json,
    person_to_json,
    resolve,
)

__all__ = [
    "ContactWrite",
    "Person",
    "Resolution",
    "annotate",
    "contact_of",
    "load_contact",
    "normalise",
    "person_from_json",
    "person_to_json",
    "resolve",
]
