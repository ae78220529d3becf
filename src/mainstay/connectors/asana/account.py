"""The way into an Asana workspace: by personal access token or OAuth 2, and whose it is."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from datetime import timedelta
from typing import Any

from mainstay.connectors.asana.errors import classify_answer
from mainstay.connectors.asana.settings import AsanaConnection
from mainstay.kit import Http, HttpSettings, NeedsHumanError, OAuth, PermanentError, TransientError

API = "https://app.asana.com/api/1.0"
PAGE = "100"
MOST_PAGES = 20


def http_settings(settings: AsanaConnection) -> HttpSettings:
    """Return how to reach Asana."""
    token, secret = settings.token.get_secret_value(), settings.client_secret.get_secret_value()
    return HttpSettings(
        base_url=settings.base_url or API,
        headers={"Authorization": f"Bearer {token}"} if token else {},
        secrets=tuple(filter(None, (token, secret))),
        classify=classify_answer,
    )


def oauth(settings: AsanaConnection) -> OAuth | None:
    """Return Asana's OAuth 2; None with a personal access token."""
    if not settings.client_id:
        return None
    return OAuth(
        authorize_url="https://app.asana.com/-/oauth_authorize",
        token_url="https://app.asana.com/-/oauth_token",  # noqa: S106 an address
        client_id=settings.client_id,
        client_secret=settings.client_secret.get_secret_value(),
        scopes=("default",),
        client_auth="body",
        lifetime=timedelta(hours=1),
    )


async def listed(http: Http, path: str, fields: str, **query: str) -> AsyncIterator[tuple[Mapping[str, Any], Any]]:
    """Yield each record of a list, page by page, with the answer that it came in."""
    asked = {"limit": PAGE, "opt_fields": fields, **query}
    for _ in range(MOST_PAGES):
        response = await http.request("GET", path, params=asked)
        records = response.data["data"]
        if not isinstance(records, list):
            raise strange("list")
        for record in records:
            if isinstance(record, dict):
                yield record, response
        page = response.data.get("next_page")
        offset = page.get("offset") if isinstance(page, dict) else None
        if not isinstance(offset, str) or not offset:
            return
        asked["offset"] = offset
    raise PermanentError(f"Asana lists more than {MOST_PAGES * int(PAGE)} records at {path}: too many to look through")


def strange(what: str) -> TransientError:
    """Return the error of an answer that lacks what was asked for; what it did, it did."""
    return TransientError(f"Asana's answer has no {what} in it", unsure=True)


async def check(settings: AsanaConnection, http: Http) -> str:
    """Say in whose name this connection acts, and in which workspace."""
    answer = await http.request("GET", "/users/me", params={"opt_fields": "name,email,workspaces,workspaces.name"})
    user = answer.data["data"]
    if not isinstance(user, dict):
        raise strange("account")
    workspaces = user.get("workspaces")
    found = [each for each in workspaces if isinstance(each, dict)] if isinstance(workspaces, list) else []
    known = {str(each.get("gid")): str(each.get("name")) for each in found}
    if settings.workspace not in known:
        others = ", ".join(f"{name} is {gid}" for gid, name in known.items()) or "none"
        who = f"{user.get('name')} is not in the workspace {settings.workspace}"
        raise NeedsHumanError(f"{who}; of theirs {others}"[:500])
    return f"{known[settings.workspace]} as {user.get('name')}"
