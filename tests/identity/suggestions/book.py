"""Small books, and contacts drawn by hypothesis."""

from __future__ import annotations

from hypothesis import strategies as st

from mainstay.identity.suggestions import Traits, read

_FIRST = ("Robert", "Bob", "R.", "Roberta", "Ana Julia", "Ana J.", "Smith", "", "Jsoé", "José")
_LAST = ("Smith", "Smyth", "S", "Smith Jr.", "García López", "Garcia", "Robert", "", "Szczepański")
_EMAILS = (
    "bob@gmail.com",
    "bob+news@gmail.com",
    "b.ob@gmail.com",
    "bob@gmial.com",
    "info@acme.com",
    "bobb@gmail.com",
    "",
)
_PHONES = ("+13125550143", "(312) 555-0143", "+13125550144", "5550143", "")
_COMPANIES = ("Smith Plumbing", "Smith Plumbing LLC", "Plumbing Smith", "Acme Day Care Center", "")
_STREETS = ("12 Oak Street", "12 Oak St", "12 Oka St", "120 Elm Rd", "")


def records() -> st.SearchStrategy[dict[str, str]]:
    """Draw records that are often alike."""
    return st.fixed_dictionaries(
        {
            "first_name": st.sampled_from(_FIRST) | st.text(max_size=8),
            "last_name": st.sampled_from(_LAST) | st.text(max_size=8),
            "email": st.sampled_from(_EMAILS),
            "phone": st.sampled_from(_PHONES),
            "company": st.sampled_from(_COMPANIES),
            "street": st.sampled_from(_STREETS),
            "city": st.sampled_from(("Dallas", "Dalas", "Austin", "")),
            "postcode": st.sampled_from(("75001", "75010", "")),
            "country": st.sampled_from(("US", "GB", "")),
            "birth_date": st.sampled_from(("1971-06-24", "1971-05-24", "")),
            "number": st.sampled_from(("5304218", "5304219", "")),
        }
    )


def contacts() -> st.SearchStrategy[Traits]:
    """Draw contacts that are often alike."""
    return records().map(lambda record: read(record, "US"))
