"""What compares contacts: the queue of what was written, the candidates, how often values occur, what was learned.

Apart from the package itself, as it brings numpy and the model along, which most processes have no need of.
"""

from mainstay.identity.store.comparing import Waiting, candidates, done, hold, query_for, standing, take
from mainstay.identity.store.frequencies import (
    BookFrequencies,
    are_outdated,
    count_frequencies,
    note_compared,
    read_frequencies,
)
from mainstay.identity.store.learning import learn_from_reviews, learned_of
from mainstay.identity.store.reading import contact_of
from mainstay.identity.store.suggesting import likely_enough, rejected_pairs, set_aside
from mainstay.identity.suggestions.comparing import ALIAS, ALWAYS, EMPLOYER, MODEL, Likely, compare, rules_of
from mainstay.identity.suggestions.learning import Learned, learn
from mainstay.identity.suggestions.records import record_of

__all__ = [
    "ALIAS",
    "ALWAYS",
    "EMPLOYER",
    "MODEL",
    "BookFrequencies",
    "Learned",
    "Likely",
    "Waiting",
    "are_outdated",
    "candidates",
    "compare",
    "contact_of",
    "count_frequencies",
    "done",
    "hold",
    "learn",
    "learn_from_reviews",
    "learned_of",
    "likely_enough",
    "note_compared",
    "query_for",
    "read_frequencies",
    "record_of",
    "rejected_pairs",
    "rules_of",
    "set_aside",
    "standing",
    "take",
]
