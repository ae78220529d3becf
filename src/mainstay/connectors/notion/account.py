"""The way into a Notion workspace, and whose it is."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any

from mainstay.connectors.notion.errors import classify_answer
from mainstay.connectors.notion.settings import NotionConnection
from mainstay.kit import Http, HttpSettings, PermanentError, Response, TransientError

API = "https://api.notion.com"
PAGE = 100
MOST_PAGES = 20


def http_settings(settings: NotionConnection) -> HttpSettings:
    """Return how to reach Notion."""
    token = settings.token.get_secret_value()
    return HttpSettings(
        base_url=settings.base_url or API,
        headers={"Authorization": f"Bearer {token}", "Notion-Version": settings.version},
        secrets=(token,),
        classify=classify_answer,
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
