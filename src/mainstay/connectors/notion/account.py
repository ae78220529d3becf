"""The way into a Notion workspace, and whose it is."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from datetime import timedelta
from typing import Any

from mainstay.connectors.notion.errors import classify_answer
from mainstay.connectors.notion.settings import NotionConnection
from mainstay.kit import Http, HttpSettings, OAuth, PermanentError, Response, TransientError

API = "https://api.notion.com"
PAGE = 100
MOST_PAGES = 20
_FOR_EVER = timedelta(days=3650)


def http_settings(settings: NotionConnection) -> HttpSettings:
    """Return how to reach Notion."""
    token, secret = settings.token.get_secret_value(), settings.client_secret.get_secret_value()
    entry = {"Authorization": f"Bearer {token}"} if token else {}
    return HttpSettings(
        base_url=settings.base_url or API,
        headers={**entry, "Notion-Version": settings.version},
        secrets=tuple(filter(None, (token, secret))),
        classify=classify_answer,
    )


def oauth(settings: NotionConnection) -> OAuth | None:
    """Return the OAuth 2 of a public integration; None with an internal one's secret.

    An answer names no length: access tokens live until somebody takes the access back, or Notion says 401 of one that
    came with a refresh token, which is then used, once.
    """
    if not settings.client_id:
        return None
    base = settings.base_url.rstrip("/") or API
    return OAuth(
        authorize_url=f"{base}/v1/oauth/authorize",
        token_url=f"{base}/v1/oauth/token",
        client_id=settings.client_id,
        client_secret=settings.client_secret.get_secret_value(),
        client_auth="basic",
        authorize_params={"owner": "user"},
        token_headers={"Notion-Version": settings.version},
        call_format="json",
        lifetime=_FOR_EVER,
    )


async def listed(
    http: Http, method: str, path: str, asked: Mapping[str, Any], *, accept: tuple[int, ...] = ()
) -> AsyncIterator[tuple[Mapping[str, Any], Response]]:
    """Yield each object of a list, page by page, with the answer that it came in; nothing where ``accept`` strikes."""
    cursor: dict[str, Any] = {}
    for _ in range(MOST_PAGES):
        if method == "GET":
            query = {name: str(value) for name, value in {**asked, "page_size": PAGE, **cursor}.items()}
            response = await http.request("GET", path, params=query, accept=accept)
        else:
            response = await http.request(method, path, json={**asked, "page_size": PAGE, **cursor}, accept=accept)
        if response.status in accept:
            return
        results = response.data.get("results")
        if not isinstance(results, list):
            raise strange("list")
        for result in results:
            if isinstance(result, dict):
                yield result, response
        following = response.data.get("next_cursor")
        if response.data.get("has_more") is not True or not isinstance(following, str):
            return
        cursor = {"start_cursor": following}
    raise PermanentError(f"Notion lists more than {MOST_PAGES * PAGE} records at {path}: too many to look through")


def strange(what: str) -> TransientError:
    """Return the error of an answer that lacks what was asked for; what it did, it did."""
    return TransientError(f"Notion's answer has no {what} in it", unsure=True)


async def check(_settings: NotionConnection, http: Http) -> str:
    """Say which integration this connection is, and in which workspace."""
    me = (await http.request("GET", "/v1/users/me")).data
    bot = me.get("bot")
    workspace = bot.get("workspace_name") if isinstance(bot, dict) else None
    return f"{workspace or 'a workspace'} as {me.get('name') or 'an integration without a name'}"
