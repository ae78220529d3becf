"""One module for each vendor, found by its name: ``CONTRACTS`` (OpenAPI files) or ``CHECKS`` (anything else).

``TOKEN_ENDPOINT`` is how tokens are had there, where neither says so.
"""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules
from typing import Any

from tests.contracts.contract import Checks, Contract
from tests.contracts.oauth_contract import TokenEndpoint

_MODULES: dict[str, Any] = {
    module.name: import_module(f"{__name__}.{module.name}") for module in iter_modules(__path__)
}
CONTRACTS: dict[str, Contract] = {
    name: contract for module in _MODULES.values() for name, contract in getattr(module, "CONTRACTS", {}).items()
}
CHECKS: dict[str, Checks] = {name: module.CHECKS for name, module in _MODULES.items() if hasattr(module, "CHECKS")}
TOKEN_ENDPOINTS: dict[str, TokenEndpoint] = {
    name: module.TOKEN_ENDPOINT for name, module in _MODULES.items() if hasattr(module, "TOKEN_ENDPOINT")
}
