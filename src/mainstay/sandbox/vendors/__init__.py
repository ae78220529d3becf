"""Vendors' simulators, found by their modules: each names its class in ``SIMULATOR``.

One whose source has deliveries that can be made up names in ``SENDER`` what ``mainstay send`` posts: a function of
``(settings, person, key=, at=, url=)`` that gives a ``SignedRequest``.
"""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from pkgutil import iter_modules
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from mainstay.sandbox.senders import SignedRequest
    from mainstay.sandbox.wire import Vendor


def simulators() -> list[type[Vendor]]:
    """Return every simulator that answers over HTTP, by its module's name."""
    modules = (import_module(f"{__name__}.{module.name}") for module in iter_modules(__path__))
    return [module.SIMULATOR for module in modules if hasattr(module, "SIMULATOR")]


def sender(kind: str) -> Callable[..., SignedRequest] | None:
    """Return what makes up a delivery for sources of a kind, where its vendor's module has that."""
    if not kind.isidentifier() or find_spec(f"{__name__}.{kind}") is None:
        return None
    return getattr(import_module(f"{__name__}.{kind}"), "SENDER", None)
