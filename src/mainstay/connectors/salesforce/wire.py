"""How a connection reaches its org."""

from __future__ import annotations

from mainstay.connectors.salesforce.errors import classify_answer
from mainstay.connectors.salesforce.settings import SalesforceConnection
from mainstay.kit import HttpSettings


def http_settings(settings: SalesforceConnection) -> HttpSettings:
    """Return base address, credentials and the error mapping."""
    token = settings.access_token.get_secret_value()
    secrets = tuple(filter(None, (token, settings.client_secret.get_secret_value())))
    return HttpSettings(
        base_url=settings.base_url or settings.instance_url or settings.login_url,
        headers={"Authorization": f"Bearer {token}"} if token else {},
        secrets=secrets,
        classify=classify_answer,
    )
