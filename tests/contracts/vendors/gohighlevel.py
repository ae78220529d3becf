"""GoHighLevel: two versions, chosen by the header ``Version``."""

from __future__ import annotations

from dataclasses import replace

from tests.contracts.contract import Contract

_GHL_STATUSES = {403: "BadRequestDTO", 404: "BadRequestDTO", 429: "BadRequestDTO"} | dict.fromkeys(
    (500, 502, 503, 504), "BadRequestDTO"
)
_GHL = Contract(
    "gohighlevel.json",
    "https://services.leadconnectorhq.com",
    # `meta` names the contact that a refused create collided with; error texts carry `error` and `traceId`.
    new_answer_keys=frozenset({"meta", "traceId", "error"}),
    new_statuses=_GHL_STATUSES,
)
CONTRACTS = {"gohighlevel": _GHL, "gohighlevel_v3": replace(_GHL, file="gohighlevel_v3.json")}
