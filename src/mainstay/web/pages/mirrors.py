"""Mirrors, among Connections: how far each copy is, where somebody changed it, and what is to become of that."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Form
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from mainstay.errors import MirrorRefusedError, WorkflowError
from mainstay.insight import Page
from mainstay.insight.mirrors import DriftRow, list_drifts, list_mirrors
from mainstay.mirrors import MOST_AT_ONCE
from mainstay.model import short_id
from mainstay.swaps import latest, obstacles, phase_of, standing_of
from mainstay.web.drift_wording import drift_words
from mainstay.web.pages.proposals import DONE, Verb, carry_out
from mainstay.web.render import Page as WebPage
from mainstay.web.render import site_of
from mainstay.web.security import person_of
from mainstay.web.wording import field_label

router = APIRouter(prefix="/w/{slug}/mirrors")

_Proposed = Annotated[bool, Form()]
_LATEST = 20
_AT_ONCE = 10


@router.get("")
async def mirrors(request: Request, slug: str, before: UUID | None = None) -> Response:
    """Show the mirrors, what drifted, and what became of it."""
    return await _mirrors(request, slug, before=before)


async def _mirrors(request: Request, slug: str, *, before: UUID | None = None, refusal: str = "") -> Response:
    site = site_of(request)
    async with site.page(request, slug) as page:
        workspace_id = page.workspace.id
        swap = await latest(page.connection, workspace_id)
        is_running = swap is not None and swap.state == "running"
        standing = await standing_of(page.connection, workspace_id, swap.new) if swap and is_running else None
        return page.html(
            "mirrors.html",
            swap=swap,
            phase=phase_of(swap.state, standing, page.now) if swap else "",
            obstacles=obstacles(standing, page.now) if is_running else (),
            status=409 if refusal else 200,
            mirrors=await list_mirrors(page.connection, workspace_id),
            waiting=await list_drifts(page.connection, workspace_id, proposed=False, before=before, size=_AT_ONCE),
            decided=await list_drifts(page.connection, workspace_id, proposed=False, decided=True, size=_LATEST),
            ownership=site.backend.ownership(workspace_id),
            refusal=refusal,
        )


@router.post("/{name}/compare")
async def compare(request: Request, slug: str, name: str) -> Response:
    """Look now whether somebody changed a copy."""
    site = site_of(request)
    try:
        run_id = await site.backend.copies.compare(site.workspace(slug).id, name)
    except WorkflowError:
        raise HTTPException(404, "The stack has no such mirror.") from None
    except MirrorRefusedError as error:
        return await _mirrors(request, slug, refusal=f"That was not done: {error}. {error.hint}.")
    return RedirectResponse(f"/w/{slug}/runs/{run_id}", 303)


@router.get("/{name}/{verb}")
async def plan(
    request: Request, slug: str, name: str, verb: Literal["revert", "take-over"], *, proposed: bool = False
) -> Response:
    """Show what would be done with all that drifted in a copy, or with all that it proposes; nothing is done."""
    site = site_of(request)
    async with site.page(request, slug) as page:
        rows = (await _rows(page, name, proposed=proposed)).items
    return await _planned(request, slug, name, verb, rows, proposed=proposed)


@router.post("/{name}/revert")
async def revert_all(
    request: Request, slug: str, name: str, last: Annotated[UUID | None, Form()] = None, *, proposed: _Proposed = False
) -> Response:
    """Write what drifted in a copy again as it was: all that is not newer than the ``last`` that was shown."""
    site = site_of(request)
    ids = await _ids(request, slug, name, last, proposed=proposed) if last or proposed else None
    try:
        await site.backend.copies.revert(site.workspace(slug).id, name, ids, by=person_of(request))
    except WorkflowError:
        raise HTTPException(404, "The stack has no such mirror.") from None
    return RedirectResponse(f"/w/{slug}/{'reviews/proposals' if proposed else 'mirrors'}?done=reverted", 303)


@router.post("/{name}/take-over")
async def take_over_all(
    request: Request, slug: str, name: str, last: Annotated[UUID | None, Form()] = None, *, proposed: _Proposed = False
) -> Response:
    """Let contacts take over what somebody wrote into a copy: all that is not newer than the ``last`` shown."""
    site = site_of(request)
    async with site.page(request, slug) as page:
        rows = [row for row in (await _rows(page, name, proposed=proposed)).items if last is None or row.id <= last]
    done = await _taken_over(request, slug, name, rows, is_dry=False)
    if any(line.refusal for line in done):
        return await _show(request, slug, name, "take-over", done, rows, proposed=proposed, is_done=True)
    return RedirectResponse(f"/w/{slug}/{'reviews/proposals' if proposed else 'mirrors'}?done=taken_over_all", 303)


@router.post("/drift/{drift_id}/{verb}")
async def decide(request: Request, slug: str, drift_id: UUID, verb: Verb) -> Response:
    """Say what is to become of a difference."""
    if refusal := await carry_out(request, slug, drift_id, verb):
        return await _mirrors(request, slug, refusal=refusal)
    return RedirectResponse(f"/w/{slug}/mirrors?done={DONE[verb]}", 303)


@dataclass(frozen=True, slots=True)
class PlanLine:
    """What would become of one difference, or did: ``changes`` is field, from and to."""

    address: str
    name: str
    kind: str
    changes: Sequence[tuple[str, str, str]]
    refusal: str = ""
    note: str = ""


def _named(row: DriftRow) -> tuple[str, str]:
    """Return where a record's page is, empty for none, and what it is called."""
    if row.record_id is None:
        return "", row.key
    place = "contacts" if row.record_type == "contact" else f"records/{row.record_type}"
    return f"/{place}/{row.record_id}", row.record_name or f"{row.record_type.capitalize()} {short_id(row.record_id)}"


async def _rows(page: WebPage, name: str, *, proposed: bool) -> Page[DriftRow]:
    which = True if proposed else None
    return await list_drifts(page.connection, page.workspace.id, mirror=name, proposed=which, size=MOST_AT_ONCE)


async def _ids(request: Request, slug: str, name: str, last: UUID | None, *, proposed: bool) -> list[UUID]:
    async with site_of(request).page(request, slug) as page:
        rows = await _rows(page, name, proposed=proposed)
    return [row.id for row in rows.items if last is None or row.id <= last]


async def _planned(
    request: Request, slug: str, name: str, verb: str, rows: Sequence[DriftRow], *, proposed: bool
) -> Response:
    if verb == "take-over":
        lines = await _taken_over(request, slug, name, rows, is_dry=True)
    else:
        lines = [
            PlanLine(
                *_named(row),
                drift_words(row.kind),
                [(title, said["theirs"], said["ours"]) for title, said in row.fields.items()],
            )
            for row in rows
            if row.kind != "double" and row.record_id
        ]
    return await _show(request, slug, name, verb, lines, rows, proposed=proposed)


async def _taken_over(
    request: Request, slug: str, name: str, rows: Sequence[DriftRow], *, is_dry: bool
) -> list[PlanLine]:
    site, known = site_of(request), {row.id: row for row in rows}
    try:
        found = await site.backend.copies.take_over_all(
            site.workspace(slug).id, name, list(known), by=person_of(request), is_dry=is_dry
        )
    except WorkflowError:
        raise HTTPException(404, "The stack has no such mirror.") from None
    lines = []
    for each in found:
        notes = [f"{title} goes back: a mirror has no say in it" for title in each.reverted]
        notes += [
            f"{field_label(field)} goes to {owner} first, which owns it" for field, owner in each.forwarded.items()
        ]
        changes = [(field_label(field), before, after) for field, (before, after) in each.fields.items()]
        if each.refusal:
            changes = [(title, said["ours"], said["theirs"]) for title, said in known[each.drift_id].fields.items()]
        lines.append(PlanLine(*_named(known[each.drift_id]), "", changes, each.refusal, "; ".join(notes)))
    return lines


async def _show(
    request: Request,
    slug: str,
    name: str,
    verb: str,
    lines: Sequence[PlanLine],
    rows: Sequence[DriftRow],
    *,
    proposed: bool,
    is_done: bool = False,
) -> Response:
    async with site_of(request).page(request, slug) as page:
        return page.html(
            "drift_plan.html",
            status=409 if is_done else 200,
            name=name,
            verb=verb,
            lines=lines,
            last=max((row.id for row in rows), default=""),
            proposed=proposed,
            is_done=is_done,
        )
