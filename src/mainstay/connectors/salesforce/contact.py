"""A person in Salesforce's words, a Contact or a Lead: which fields are read, what is written, what a row says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mainstay.connectors.salesforce.settings import SalesforceConnection
from mainstay.connectors.salesforce.soql import quoted
from mainstay.kit import Contact, Submission
from mainstay.kit.opting import opts_out
from mainstay.kit.payload import text

KEY_IS_EMAIL = "Email"
_LEADS = ["IsConverted", "ConvertedContactId"]


def own_key(settings: SalesforceConnection) -> str:
    """Return the field that keeps our id; empty where records are upserted by e-mail, or not at all."""
    return "" if settings.external_id_field == KEY_IS_EMAIL else settings.external_id_field


def read_fields(settings: SalesforceConnection) -> list[str]:
    """Return what a query of the object asks for, each field once."""
    names = ["Id", "FirstName", "LastName", "Email", "Phone", "MobilePhone"]
    names += [settings.company or "Account.Name", settings.tag_field, own_key(settings)]
    names += [*settings.fields.values(), *settings.opt_out_fields]
    names += _LEADS if settings.record == "lead" else []
    return list(dict.fromkeys(name for name in names if name))


def compared_fields(settings: SalesforceConnection, contact: Contact) -> list[str]:
    """Return what a write of this contact must know of a record: no field that it would not write."""
    names = ["Id", "Email", "Phone", "MobilePhone", own_key(settings), *written(settings, contact)]
    names += [settings.tag_field] if contact.tags else []
    names += _LEADS if settings.record == "lead" else []
    return list(dict.fromkeys(name for name in names if name))


def select(settings: SalesforceConnection, names: Sequence[str], where: str) -> str:
    """Return a query of the object."""
    return f"SELECT {', '.join(names)} FROM {settings.sobject} WHERE {where}"  # noqa: S608 every value is quoted


def by_id(settings: SalesforceConnection, external_id: str) -> str:
    """Return the query of one record."""
    return select(settings, read_fields(settings), f"Id = {quoted(external_id)}")


def written(settings: SalesforceConnection, contact: Contact) -> dict[str, Any]:
    """Return the fields that a contact has values for; tags are apart, for they are added to what is there."""
    fields: dict[str, Any] = {
        "FirstName": contact.first_name,
        "LastName": contact.last_name,
        "Email": contact.email,
        "Phone": contact.phone,
    }
    if settings.company:
        fields[settings.company] = contact.company
    for key, name in settings.fields.items():
        fields[name] = contact.source if key == "source" else contact.custom.get(key, "")
    if contact.do_not_contact:
        fields |= dict.fromkeys(settings.opt_out_fields, True)
    return {name: value for name, value in fields.items() if value}


def required(settings: SalesforceConnection) -> tuple[str, ...]:
    """Return the fields without which Salesforce makes no record."""
    return ("LastName", "Company") if settings.record == "lead" else ("LastName",)


def split_tags(value: str) -> list[str]:
    """Return the tags that a field holds, separated by semicolons as in a multi-picklist."""
    return [tag for part in value.split(";") if (tag := part.strip())]


def to_submission(settings: SalesforceConnection, row: Mapping[str, Any]) -> Submission:
    """Read a row of :func:`select`."""
    custom = {key: found for key, name in settings.fields.items() if (found := text(row.get(name)))}
    account = row.get("Account")
    company = (
        row.get(settings.company) if settings.company else account.get("Name") if isinstance(account, dict) else ""
    )

    def unless_placeholder(value: object) -> str:
        found = text(value)
        return "" if found == settings.placeholder else found

    return Submission(
        email=text(row.get("Email")),
        phone=text(row.get("Phone")) or text(row.get("MobilePhone")),
        first_name=text(row.get("FirstName")),
        last_name=unless_placeholder(row.get("LastName")),
        company=unless_placeholder(company),
        source=custom.pop("source", ""),
        tags=tuple(split_tags(text(row.get(settings.tag_field)))) if settings.tag_field else (),
        custom=custom,
        do_not_contact=any(opts_out(text(row.get(name))) for name in settings.opt_out_fields),
        external_id=str(row["Id"]),
    )
