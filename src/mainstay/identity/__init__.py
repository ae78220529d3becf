"""Identity: one person, one contact. The only writer of contacts."""

from mainstay.identity.person import Person, normalise, person_from_json, person_to_json
from mainstay.identity.rules import DEFAULT as DEFAULT_POLICY
from mainstay.identity.rules import Policy
from mainstay.identity.store.erasing import Erased, erase
from mainstay.identity.store.keys import IDENTITY
from mainstay.identity.store.merging import Merged, Parted, merge, unmerge
from mainstay.identity.store.reading import contact_of, load_contact
from mainstay.identity.store.suggesting import decide, open_suggestion, pair_of, reject
from mainstay.identity.store.writing import ContactWrite, Dropped, Resolution, annotate, resolve

__all__ = [
    "DEFAULT_POLICY",
    "IDENTITY",
    "ContactWrite",
    "Dropped",
    "Erased",
    "Merged",
    "Parted",
    "Person",
    "Policy",
    "Resolution",
    "annotate",
    "contact_of",
    "decide",
    "erase",
    "load_contact",
    "merge",
    "normalise",
    "open_suggestion",
    "pair_of",
    "person_from_json",
    "person_to_json",
    "reject",
    "resolve",
    "unmerge",
]
