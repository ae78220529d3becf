"""Domains that many people share, and how they are mistyped."""

from __future__ import annotations

import string
from functools import cache
from typing import Final

GMAIL: Final = frozenset({"gmail.com", "googlemail.com"})

PROVIDERS: Final = frozenset(
    {"gmail.com", "googlemail.com", "yahoo.com", "hotmail.com", "outlook.com", "icloud.com", "aol.com", "live.com",
     "msn.com", "me.com", "gmx.de", "gmx.net", "web.de", "proton.me", "protonmail.com", "yahoo.co.uk", "comcast.net",
     "hotmail.co.uk", "btinternet.com", "mail.com", "email.com", "ymail.com"}
)  # fmt: skip
"""Where anybody can have a mailbox; none of them is a slip of the keys."""

_MISTYPED_OFTEN = (
    "gmail.com", "googlemail.com", "yahoo.com", "hotmail.com", "outlook.com", "icloud.com", "protonmail.com",
    "comcast.net", "verizon.net", "sbcglobal.net", "bellsouth.net", "btinternet.com", "yahoo.co.uk", "hotmail.co.uk",
)  # fmt: skip
# One letter away from a large provider, and in use themselves.
_NEIGHBOURS = frozenset(
    {"mail.com", "email.com", "ymail.com", "gmail.co.uk", "yahoo.co", "yahoo.cm", "icloud.org", "hotmail.co",
     "fmail.com",
     "hotmail.cm", "rmail.com", "zmail.com", "tmail.com", "jmail.com", "vmail.com", "umail.com", "pmail.com",
     "g-mail.com"}
)  # fmt: skip
_ENDINGS = {
    "con": "com", "cmo": "com", "ocm": "com", "comm": "com", "coom": "com", "vom": "com", "xom": "com", "cim": "com",
    "cpm": "com", "c0m": "com", "conm": "com", "copm": "com", "nte": "net", "ner": "net", "ogr": "org", "orgg": "org",
}  # fmt: skip


def correction_of(domain: str, ending: str) -> str:
    """Return the domain that was probably meant by a mistyped one, or "". ``ending`` is what follows its last dot."""
    meant = _mistyped().get(domain, "")
    if meant or ending not in _ENDINGS:
        return meant
    return domain.removesuffix(ending) + _ENDINGS[ending]


@cache
def _mistyped() -> dict[str, str]:
    """Return every slip of one key (left out, doubled, swapped, wrong) in a provider's domain, beside the domain."""
    found: dict[str, str] = {}
    for domain in _MISTYPED_OFTEN:
        for place in range(len(domain)):
            before, here, after = domain[:place], domain[place], domain[place + 1 :]
            if here == ".":
                slips = {before + after}
            else:
                slips = {before + after, *(before + letter + after for letter in string.ascii_lowercase)}
                slips |= {before + letter + here + after for letter in string.ascii_lowercase}
            if after:
                slips.add(before + after[0] + here + after[1:])
            for slip in slips:
                if "." in slip.strip("."):
                    found.setdefault(slip, domain)
    for name in (*PROVIDERS, *_MISTYPED_OFTEN, *_NEIGHBOURS):
        found.pop(name, None)
    # Two slips that are seen every day.
    return found | {
        "gmai.co": "gmail.com",
        "gmal.co": "gmail.com",
        "hotmial.co": "hotmail.com",
        "gmail.co": "gmail.com",
    }
