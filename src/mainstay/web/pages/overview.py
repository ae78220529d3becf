"""The first page: did anything break in the last 24 hours?"""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from mainstay.insight import connection_overview, list_gates, source_overview
from mainstay.web.render import site_of
from mainstay.web.security import signed_in

router = APIRouter()


@router.get("/")
async def home(request: Request) -> Response:
    """Lead to the first workspace."""
    site = site_of(request)
    cards = site.backend.workspace_cards()
    if not cards:
        text = "This process serves no workspace yet. Write a stack.toml with: mainstay init"
        return site.plain("error.html", signed_in(request), status=200, title="Nothing here yet", text=text)
    return RedirectResponse(f"/w/{cards[0].slug}", 303)


@router.get("/w/{slug}")
async def overview(request: Request, slug: str) -> Response:
    """Show the verdict, what it stands on, the sources and the connections."""
    site = site_of(request)
    async with site.page(request, slug) as page:
        workspace = page.workspace
        known = {
            source.name: source
            for source in await source_overview(page.connection, workspace.id, page.now, timezone=workspace.timezone)
        }
        health = {item.name: item for item in await connection_overview(page.connection, workspace.id, page.now)}
        gates = {gate.name: gate for gate in await list_gates(page.connection, workspace.id)}
        sources = [(card, known.get(card.name)) for card in site.backend.source_cards(workspace.id)]
        return page.html(
            "overview.html",
            sources=sources,
            connections=[
                (card, health.get(card.name), gates.get(card.name))
                for card in site.backend.connection_cards(workspace.id)
            ],
            day_counts={count.source: count for count in page.verdict.sources},
        )
