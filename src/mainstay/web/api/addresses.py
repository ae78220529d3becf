"""The addresses of the API: what each takes, in one line, and which scopes it needs."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from fastapi import APIRouter
from fastapi.routing import APIRoute

from mainstay.web.api import (
    answering,
    approving,
    cancelling,
    contacts,
    recording,
    records,
    retrying,
    reviewing,
    runs,
    stories,
    watching,
    weeks,
)
from mainstay.web.scopes import in_order, needed

BASE = "/api/v1"
PARTS = (
    watching,
    weeks,
    contacts,
    stories,
    records,
    recording,
    reviewing,
    runs,
    answering,
    cancelling,
    retrying,
    approving,
)
ROUTERS: tuple[APIRouter, ...] = tuple(part.router for part in PARTS)
_ROUTES = [route for router in ROUTERS for route in router.routes if isinstance(route, APIRoute)]


@dataclass(frozen=True, slots=True)
class Operation:
    """One thing that the API does."""

    method: str
    path: str
    summary: str
    scopes: tuple[str, ...]


@cache
def operations() -> tuple[Operation, ...]:
    """Return all that the API does, in the order of its description."""
    return tuple(
        Operation(
            method,
            BASE + route.path,
            (route.description or "").partition("\n")[0].replace("``", ""),
            tuple(in_order(needed(method, BASE + route.path))),
        )
        for route in _ROUTES
        for method in sorted(route.methods or ())
    )


def methods_of(path: str) -> set[str]:
    """Return what an address takes. One of fixed words goes before one with an id in the place of the last."""
    within = path.removeprefix(BASE)
    found = [route for route in _ROUTES if route.path_regex.match(within)]
    exact = [route for route in found if route.path == within]
    return {method for route in exact or found for method in route.methods or ()}
