"""n8n: its hooks have no contract of the vendor's; its API has one."""

from __future__ import annotations

from tests.contracts.contract import Contract
from tests.contracts.hook_contract import HookChecks

CHECKS = HookChecks()
CONTRACTS = {
    "n8n": Contract(
        "n8n.json",
        "https://n8n.example",
        below="/api/v1/",
        # Of one execution, whose file names them for the list alone; of the answer to a retry, whose shape is loose.
        new_statuses=dict.fromkeys((429, 500, 502, 503, 504)),
    )
}
