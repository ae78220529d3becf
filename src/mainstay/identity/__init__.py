"""Identity: one person, one contact. The only writer of contacts."""

from mainstay.identity.person import Person, normalise, person_from_json, person_to_json
from mainstay.identity.rules import DEFAULT as DEFAULT_POLICY
from mainstay.identity.rules import Policy, of_copy
from mainstay.identity.store.checking import Checked, Finding, check_book
from mainstay.identity.store.erasing import Erased, erase
from mainstay.identity.store.keys import IDENTITY
from mainstay.identity.store.merging import Merged, Parted, merge, unmerge
from mainstay.identity.store.reading import contact_of, load_contact, load_contacts
from mainstay.identity.store.retelling import TakenBack, follow_owners, take_back
from mainstay.identity.store.suggesting import (
    answer_of,
    ask_again,
    decide,
    is_rejected,
    open_suggestion,
    pair_of,
    reject,
    take_back_rejection,
)
from mainstay.identity.store.write import ChangedMeanwhileError, ContactWrite, Dropped, Resolution
from mainstay.identity.store.writing import annotate, resolve
from mainstay.identity.survivorship import CUSTOM, OWNABLE, Owners

__all__ = [
    "CUSTOM",
    "DEFAULT_POLICY",
    "IDENTITY",
    "OWNABLE",
    "ChangedMeanwhileError",
    "Checked",
    "ContactWrite",
    "Dropped",
    "Erased",
    "Finding",
    "Merged",
    "Owners",
    "Parted",
    "Person",
    "Policy",
    "Resolution",
    "TakenBack",
    "annotate",
    "answer_of",
    "ask_again",
    "check_book",
    "contact_of",
    "decide",
    "erase",
    "follow_owners",
    "is_rejected",
    "load_contact",
    "load_contacts",
    "merge",
    "normalise",
    "of_copy",
    "open_suggestion",
    "pair_of",
    "person_from_json",
    "person_to_json",
    "reject",
    "resolve",
    "take_back",
    "take_back_rejection",
    "unmerge",
]
