"""A contact of a workspace as suggestions read it: its own fields, and its custom ones by their usual names."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import lru_cache

from mainstay.identity.suggestions.traits import FIELDS
from mainstay.kit.spelling import squash
from mainstay.model import Contact

SPELLINGS: Mapping[str, tuple[str, ...]] = {
    "id": ("id", "contactid", "recordid", "customerid", "clientid", "personid", "leadid", "userid", "uuid"),
    "full_name": ("displayname", "customer", "client", "contact", "sitename", "facility", "provider"),
    "company": ("employer", "account", "accountname", "org", "companyororganisation"),
    "street": (
        "street", "address", "streetaddress", "address1", "addressline1", "addressline", "street1", "mailingstreet",
        "mailingaddress", "billingaddress", "billingstreet", "homeaddress", "postaladdress", "strasse", "direccion",
    ),
    "city": ("city", "town", "suburb", "locality", "place", "mailingcity", "billingcity", "ort", "stadt", "ciudad"),
    "postcode": (
        "postcode", "zip", "zipcode", "postalcode", "postcodezip", "zippostalcode", "mailingzip", "billingzip", "plz",
        "pincode",
    ),
    "country": ("country", "countrycode", "mailingcountry", "billingcountry", "land", "pais"),
    "birth_date": ("birthdate", "dateofbirth", "dob", "birthday", "born", "geburtsdatum"),
    "number": (
        "ssn", "socsecid", "socialsecuritynumber", "taxid", "nationalid", "membershipnumber", "membernumber",
        "customernumber", "accountnumber", "patientid", "licensenumber",
    ),
}  # fmt: skip
"""How a file's columns, and a contact's custom fields, are usually called; squashed."""

# What a custom field called "client" holds may be anybody's name: names are the contact's own.
_SUPPORTING = frozenset(FIELDS) - {"full_name"}
_FIELD_OF = {spelling: field for field, all_ in SPELLINGS.items() if field in _SUPPORTING for spelling in all_}


def record_of(contact: Contact, blocked: Collection[str] = ()) -> dict[str, str]:
    """Return a contact by the fields that are compared; without values that name nobody (``blocked``)."""
    found: dict[str, str] = {}
    for key, value in contact.custom.items():
        field = _field_of(key)
        if field and value:
            found.setdefault(field, value)
    own = {name: getattr(contact, name) for name in ("first_name", "last_name", "email", "phone", "company")}
    return {**found, **{name: value for name, value in own.items() if value and value not in blocked}}


@lru_cache(4096)
def _field_of(key: str) -> str:
    return _FIELD_OF.get(squash(key), "")
