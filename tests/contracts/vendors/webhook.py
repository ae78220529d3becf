"""webhook: a hook, without a contract of the vendor's."""

from __future__ import annotations

from tests.contracts.hook_contract import HookChecks

CHECKS = HookChecks()
