"""Whose org a connection reaches."""

from __future__ import annotations

from mainstay.connectors.salesforce.settings import SalesforceConnection
from mainstay.connectors.salesforce.soql import query
from mainstay.kit import Http, TransientError
from mainstay.kit.payload import text


async def check(settings: SalesforceConnection, http: Http) -> str:
    """Return the org's name and edition."""
    rows, answer = await query(http, settings.data, "SELECT Id, Name, OrganizationType, IsSandbox FROM Organization")
    if not rows:
        raise TransientError(f"{answer.status}: the answer names no org", status=answer.status)
    row = rows[0]
    kind = ", a sandbox" if row.get("IsSandbox") is True else ""
    return (
        f"{text(row.get('Name')) or 'an org without a name'} ({text(row.get('OrganizationType'))}{kind}), {row['Id']}"
    )
