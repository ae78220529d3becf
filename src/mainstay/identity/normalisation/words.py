"""The words around a name that are no part of it; each list leaves out what is also somebody's name."""

from __future__ import annotations

from typing import Final

MEN: Final = frozenset({"mr", "mister", "herr", "senor", "monsieur", "signor", "dhr", "sir", "shri"})
WOMEN: Final = frozenset(
    {"mrs", "ms", "miss", "frau", "fraulein", "senora", "senorita", "sra", "srta", "mme", "mlle",
     "madame", "madam", "signora", "mevr", "mevrouw", "dame", "smt"}
)  # fmt: skip
TITLES: Final = MEN | WOMEN | frozenset(
    {"mx", "dr", "dra", "drs", "prof", "rev", "revd", "mag", "dipl ing", "dipling", "dott", "dottssa", "avv", "capt",
    "engr",
     "sgt", "lt", "cpl", "cmdr", "atty"}
)  # fmt: skip
"""Taken off the front of any name."""

FACULTIES: Final = frozenset(
    {"med", "dent", "vet", "rer", "nat", "phil", "jur", "iur", "hc", "habil", "ing", "pol", "oec", "theol"}
)
"""Behind a title, in lower case and with a dot: Dr. med. dent., Dr. h.c."""

LONG_TITLES: Final = frozenset(
    {"lord", "lady", "captain", "colonel", "sergeant", "lieutenant", "senator", "rabbi", "imam", "father", "reverend",
     "professor", "doctor", "attorney", "sister", "brother", "hon", "honorable", "honourable", "sig", "gen", "maj",
     "col", "ing", "fr", "sr", "the"}
)  # fmt: skip
"""Taken off only where a given and a family name follow. Major, Dean, King, Prince, Judge and the like are names."""

DEGREES: Final = frozenset(
    {"md", "phd", "dphil", "dds", "dmd", "dvm", "mba", "esq", "esquire", "cpa", "jd", "llm", "llb", "lcsw", "lmft",
     "lpc",
     "crna", "facs", "facp", "aia", "pmp", "cfp", "cfa", "msw", "mph", "edd", "psyd", "pharmd", "bsc", "msc", "bsn",
     "msn", "dnp", "lmt", "dpt", "lmhc", "rdh", "crnp", "fnpbc", "fnpc", "agnpc", "npc", "rnbc", "lcswr", "csc",
     "ceo", "cfo", "coo", "cto", "aprn", "fnp", "mfa", "rn", "lpn", "cpcu", "chfc", "beng", "meng", "bcom", "frcs",
     "mbbs"}
)  # fmt: skip
"""Taken off the end of any name that is longer than they."""

DEGREES_OR_NAMES: Final = frozenset(
    {"do", "ma", "ba", "bs", "ms", "pa", "pe", "ra", "od", "dc", "np", "pt", "ot", "dpm", "obe", "cbe", "mbe", "ret",
     "qc", "med"}
)  # fmt: skip
"""Degrees that are also names (Anh Do, Jack Ma): taken off only with dots (D.O.), or in capitals behind a comma."""

SUFFIXES: Final = {
    "jr": "jr", "jnr": "jr", "junior": "jr", "sr": "sr", "snr": "sr", "senior": "sr", "ii": "ii", "2nd": "ii",
    "iii": "iii", "3rd": "iii", "iv": "iv", "4th": "iv",
}  # fmt: skip
SHORT_SUFFIXES: Final = frozenset({"jr", "jnr", "sr", "snr"})
"""Suffixes also behind a single name; the others may be a surname there (Linda Senior, Naomasa Ii)."""

PARTICLES: Final = frozenset(
    {"van", "von", "de", "der", "den", "del", "della", "di", "da", "do", "dos", "das", "du", "la", "le", "los", "las",
     "el", "al", "bin", "ibn", "ben", "bint", "st", "san", "santa", "ter", "ten", "zu", "zum", "zur", "af", "av", "mac",
     "mc", "y", "e", "op", "vom", "dell", "degli", "abu", "ap", "ab", "saint", "lo", "dal", "in"}
)  # fmt: skip
"""Words that belong to the family name behind them."""

BEFORE_FAMILY: Final = frozenset(word for word in PARTICLES if len(word) > 1)
"""Those of them that are no initial: John E Smith is a Smith."""

JOINING: Final = frozenset({"and", "und", "et", "oder", "or"})
"""Words between two people."""

NOBODY: Final = frozenset(
    {"null", "none", "nil", "undefined", "unknown", "anonymous", "anon", "test", "tester", "testing", "noname", "n a",
     "no name", "name", "guest", "customer", "lead", "contact", "user", "asdf", "qwerty", "xxx", "abc", "first last",
     "firstname lastname", "first name last name", "test test", "test user", "test lead", "unknown unknown",
     "valued customer", "current resident", "homeowner", "your name", "new lead", "new contact", "website visitor",
     "wireless caller", "unknown caller", "unknown name", "not provided", "not given", "no caller id", "private caller"}
)  # fmt: skip
"""What forms, exports and telephones write where nobody gave a name: the whole of it, compared in lower case."""
