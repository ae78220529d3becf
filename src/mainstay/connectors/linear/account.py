"""The way into a Linear workspace: by API key or OAuth 2, and whose it is."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from mainstay.connectors.linear.errors import classify_answer
from mainstay.connectors.linear.settings import LinearConnection
from mainstay.kit import Http, HttpSettings, OAuth, Response, TransientError

API = "https://api.linear.app"
WHO = "query Who { viewer { name email } organization { name urlKey } }"


def http_settings(settings: LinearConnection) -> HttpSettings:
    """Return how to reach Linear. An API key goes without ``Bearer``."""
    key, secret = settings.api_key.get_secret_value(), settings.client_secret.get_secret_value()
    return HttpSettings(
        base_url=settings.base_url or API,
        headers={"Authorization": key} if key else {},
        secrets=tuple(filter(None, (key, secret))),
        classify=classify_answer,
    )


def oauth(settings: LinearConnection) -> OAuth | None:
    """Return Linear's OAuth 2; None with an API key. Its scopes are separated by commas."""
    if not settings.client_id:
        return None
    return OAuth(
        authorize_url="https://linear.app/oauth/authorize",
        token_url=f"{settings.base_url or API}/oauth/token",
        client_id=settings.client_id,
        client_secret=settings.client_secret.get_secret_value(),
        scopes=("read,write",),
        client_auth="body",
        authorize_params={"prompt": "consent"},
        lifetime=timedelta(hours=24),
    )


async def ask(http: Http, document: str, variables: Mapping[str, Any] | None = None) -> Mapping[str, Any]:
    """Run one GraphQL document and return its ``data``."""
    return (await ask_whole(http, document, variables))[0]


async def ask_whole(
    http: Http, document: str, variables: Mapping[str, Any] | None = None
) -> tuple[Mapping[str, Any], Response]:
    """Run one GraphQL document and return its ``data``, and the answer that it came in."""
    response = await http.request("POST", "/graphql", json={"query": document, "variables": dict(variables or {})})
    data: Mapping[str, Any] = response.data["data"]
    return data, response


def strange(what: str) -> TransientError:
    """Return the error of an answer that lacks what was asked for; what it did, it did."""
    return TransientError(f"Linear's answer has no {what} in it", unsure=True)


async def check(_settings: LinearConnection, http: Http) -> str:
    """Say in whose name this connection acts, and in which workspace."""
    data = await ask(http, WHO)
    viewer, organization = data.get("viewer"), data.get("organization")
    if not isinstance(viewer, dict) or not isinstance(organization, dict):
        raise strange("account")
    return f"{organization.get('name')} (linear.app/{organization.get('urlKey')}) as {viewer.get('name')}"
