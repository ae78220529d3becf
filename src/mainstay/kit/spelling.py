"""The usual spellings of the usual fields, in the forms that people build."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

_SPELLINGS: Mapping[str, tuple[str, ...]] = {
    "email": (
        "email",
        "emailaddress",
        "mail",
        "mailaddress",
        "emailid",
        "bestemail",
        "workemail",
        "businessemail",
        "correo",
        "correoelectronico",
        "emailadresse",
        "courriel",
        "adresseemail",
    ),
    "phone": (
        "phone",
        "phonenumber",
        "mobile",
        "mobilephone",
        "mobilenumber",
        "mobilephonenumber",
        "cell",
        "cellphone",
        "cellnumber",
        "cellphonenumber",
        "tel",
        "telephone",
        "telephonenumber",
        "bestphone",
        "bestphonenumber",
        "workphone",
        "workphonenumber",
        "homephone",
        "whatsapp",
        "whatsappnumber",
        "telefon",
        "telefonnummer",
        "telefono",
        "telefone",
        "handy",
    ),
    "name": ("name", "fullname", "firstandlastname", "firstlastname", "nameandsurname", "nombrecompleto", "nomcomplet"),
    "first_name": ("firstname", "fname", "givenname", "forename", "vorname", "prenom", "nombre", "first"),
    "last_name": (
        "lastname",
        "lname",
        "surname",
        "familyname",
        "nachname",
        "apellido",
        "apellidos",
        "nomdefamille",
        "last",
    ),
    "company": (
        "company",
        "companyname",
        "organization",
        "organisation",
        "organizationname",
        "organisationname",
        "business",
        "businessname",
        "firma",
        "empresa",
        "entreprise",
        "societe",
    ),
    "source": ("source", "leadsource", "utmsource"),
    "tags": ("tags", "tag", "labels"),
    "do_not_contact": (
        "donotcontact",
        "dnc",
        "dnd",
        "optout",
        "optedout",
        "emailoptout",
        "hasoptedoutofemail",
        "unsubscribed",
        "unsubscribe",
        "unsubscribedfromallemail",
        "donotcall",
        "donotemail",
    ),
}
_TARGETS = {
    spelling: (target, rank) for target, spellings in _SPELLINGS.items() for rank, spelling in enumerate(spellings)
}
_PREFIXES = (
    "pleaseenteryour",
    "whatisyour",
    "whatsyour",
    "enteryour",
    "your",
    "contact",
    "customer",
    "client",
    "lead",
    "visitor",
)
_OTHER = re.compile(r"[\W_]+")
_PARENTHESES = re.compile(r"\([^()]*\)")
_BRACKETED = re.compile(r"^([\w.-]+)\[([^\[\]]+)\](?:\[value\])?$")
_MAX_KEY = 200

WRAPPERS = frozenset(
    {
        "data",
        "payload",
        "fields",
        "formfields",
        "formdata",
        "form",
        "contact",
        "lead",
        "person",
        "customer",
        "submission",
        "answers",
        "record",
        "body",
        "attributes",
        "properties",
        "values",
        "response",
    }
)
"""Keys of objects in which senders put the form itself, squashed."""

IGNORED = frozenset(
    {
        "grecaptcharesponse",
        "hcaptcharesponse",
        "cfturnstileresponse",
        "csrfmiddlewaretoken",
        "csrftoken",
        "authenticitytoken",
        "token",
        "wpnonce",
        "wphttpreferer",
        "wpcf7",
        "wpcf7version",
        "wpcf7locale",
        "wpcf7unittag",
        "wpcf7containerpost",
        "requestverificationtoken",
        "password",
        "passwd",
    }
)
"""Keys never kept as custom fields, squashed: captcha and forgery tokens of the form itself, and passwords."""


def squash(key: str) -> str:
    """Lower the case and drop all but letters and digits, so that spellings of one key are equal."""
    return _squash(key[:_MAX_KEY])


def guess(key: str) -> tuple[str, int] | None:
    """Say which field of a Submission a key means, and how sure that is (0 the surest); None when it is not known."""
    return _guess(key[:_MAX_KEY])


# The caches sit behind the cut, so that no sender can fill the memory with long keys.
@lru_cache(maxsize=4096)
def _squash(key: str) -> str:
    return _OTHER.sub("", key.casefold())


@lru_cache(maxsize=4096)
def _guess(key: str) -> tuple[str, int] | None:
    bracketed = _BRACKETED.match(key)
    penalty = 0
    if bracketed:
        outer, key = _squash(bracketed[1]), bracketed[2]
        if outer not in WRAPPERS:
            return None
        # form[name] is mostly the form's own title, beside fields[name].
        penalty = len(_TARGETS) if outer == "form" else 0
    squashed = _squash(_PARENTHESES.sub("", key)).removesuffix("required")
    if squashed in _TARGETS:
        target, rank = _TARGETS[squashed]
        return target, rank + penalty
    for prefix in _PREFIXES:
        rest = squashed.removeprefix(prefix)
        if rest != squashed and rest in _TARGETS:
            target, rank = _TARGETS[rest]
            return target, rank + penalty + len(_TARGETS)
    return None
