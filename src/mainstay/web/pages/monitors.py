"""Monitors, beside Incidents: what is watched, when each was heard of last, what is expected next."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from zoneinfo import ZoneInfo

from fastapi import APIRouter
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from mainstay.insight.canaries import list_canaries
from mainstay.insight.monitors import (
    find_monitor,
    list_breaches,
    list_monitors,
    list_pings,
    outcome_count,
)
from mainstay.monitors import LEARNED
from mainstay.web.render import Page, site_of

_DAYS_SHOWN = 3
router = APIRouter(prefix="/w/{slug}/monitors")


@router.get("")
async def monitors(request: Request, slug: str) -> Response:
    """List the monitors, those that are down first."""
    async with site_of(request).page(request, slug) as page:
        return page.html("monitors.html", monitors=await list_monitors(page.connection, page.workspace.id, page.now))


@router.get("/{name}")
async def monitor(request: Request, slug: str, name: str) -> Response:
    """Show one monitor: its address, and its last pings."""
    site = site_of(request)
    async with site.page(request, slug) as page:
        workspace_id = page.workspace.id
        shown = await find_monitor(page.connection, workspace_id, name, page.now, kind="ping")
        if shown is None:
            raise HTTPException(404, "There is no such monitor in this workspace.")
        pings = await list_pings(page.connection, workspace_id, name)
        return page.html(
            "monitor.html", monitor=shown, pings=pings, url=await site.backend.ping_url(workspace_id, name)
        )


@router.get("/{kind}/{name}")
async def watched(request: Request, slug: str, kind: str, name: str) -> Response:
    """Show what is watched without pings: what is expected of it, and what was found."""
    async with site_of(request).page(request, slug) as page:
        workspace_id, connection = page.workspace.id, page.connection
        shown = await find_monitor(connection, workspace_id, name, page.now, kind=kind)
        if shown is None or kind == "ping":
            raise HTTPException(404, "There is no such monitor in this workspace.")
        is_outcome, is_canary = kind == "outcome", kind == "canary"
        return page.html(
            "watched.html",
            monitor=shown,
            learned_rule=LEARNED,
            days_off=_days_off(page, is_learned=shown.rule == LEARNED),
            breaches=await list_breaches(connection, workspace_id, name) if is_outcome else (),
            counted=await outcome_count(connection, workspace_id, name, page.now) if is_outcome else None,
            canaries=await list_canaries(connection, workspace_id) if is_canary else (),
        )


def _days_off(page: Page, *, is_learned: bool) -> Mapping[str, Any]:
    """Return the next days on which no lead is awaited, and whose holidays are ``assumed``; empty for nobody's."""
    days_off = page.workspace.days_off
    if days_off is None:
        return {}
    today = page.now.astimezone(ZoneInfo(page.workspace.timezone)).date()
    counting = days_off if is_learned else days_off.said
    return {"ahead": counting.coming(today, _DAYS_SHOWN), "assumed": days_off.assumed}


@router.post("/{name}/renew")
async def renew(request: Request, slug: str, name: str) -> Response:
    """Give a monitor another address; the old one ends."""
    site = site_of(request)
    try:
        await site.backend.renew_ping_url(site.workspace(slug).id, name)
    except LookupError:
        raise HTTPException(404, "There is no such monitor in this workspace.") from None
    return RedirectResponse(f"/w/{slug}/monitors/{name}?done=renewed", 303)
