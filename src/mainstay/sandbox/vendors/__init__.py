"""Vendors' simulators, found by their modules: each names its class in ``SIMULATOR``."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mainstay.sandbox.wire import Vendor


def simulators() -> list[type[Vendor]]:
    """Return every simulator that answers over HTTP, by its module's name."""
    modules = (import_module(f"{__name__}.{module.name}") for module in iter_modules(__path__))
    return [module.SIMULATOR for module in modules if hasattr(module, "SIMULATOR")]
