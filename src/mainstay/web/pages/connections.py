"""Connections: whether their calls go, and the button that stops them."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from mainstay.gates import Pause
from mainstay.insight import connection_overview, list_access, list_gates, list_pulls
from mainstay.web.render import site_of
from mainstay.web.security import person_of

router = APIRouter(prefix="/w/{slug}/connections")


@router.get("")
async def connections(request: Request, slug: str) -> Response:
    """List the connections with their gates."""
    site = site_of(request)
    async with site.page(request, slug) as page:
        workspace_id = page.workspace.id
        gates = {gate.name: gate for gate in await list_gates(page.connection, workspace_id)}
        health = {item.name: item for item in await connection_overview(page.connection, workspace_id, page.now)}
        access = {each.name: each for each in await list_access(page.connection, workspace_id)}
        pulls = {each.name: each for each in await list_pulls(page.connection, workspace_id, page.now)}
        cards = site.backend.connection_cards(workspace_id)
        return page.html(
            "connections.html",
            connections=[(card, gates.get(card.name), health.get(card.name), access.get(card.name)) for card in cards],
            pulls=pulls,
            is_any_stopped=any(gate.state != "open" or gate.held for gate in gates.values()),
        )


@router.post("/{name}/pause")
async def pause(request: Request, slug: str, name: str, reason: Annotated[str, Form()] = "") -> Response:
    """Stop a connection's calls."""
    site = site_of(request)
    how = Pause(person_of(request), reason.strip())
    try:
        is_done = await site.backend.gates.pause(site.workspace(slug).id, name, how)
    except LookupError as error:
        raise HTTPException(404, str(error.args[0])) from error
    return RedirectResponse(f"/w/{slug}/connections?done={'paused' if is_done else 'paused_already'}", 303)


@router.post("/{name}/resume")
async def resume(request: Request, slug: str, name: str) -> Response:
    """Let a connection's calls go again."""
    site = site_of(request)
    try:
        is_done = await site.backend.gates.resume(site.workspace(slug).id, name)
    except LookupError as error:
        raise HTTPException(404, str(error.args[0])) from error
    return RedirectResponse(f"/w/{slug}/connections?done={'resumed' if is_done else 'not_stopped'}", 303)
