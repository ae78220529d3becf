"""HubSpot's batches: up to a hundred inputs, each of which goes well or wrong by itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import orjson

from mainstay.sandbox.vendors.hubspot_errors import Errors, Refused
from mainstay.sandbox.wire import Json, Reply, answer, now_iso

MOST = 100


def answer_batch(inputs: Json, act: Callable[[dict[str, Json]], dict[str, Json]], errors: Errors) -> Reply:
    """Answer a batch: 200 with its results, or 207 with what was refused beside them."""
    if not isinstance(inputs, list) or not 0 < len(inputs) <= MOST:
        raise Refused(errors.invalid(f"A batch has from 1 to {MOST} inputs."))
    keys = [str(item.get("id", "")).lower() for item in inputs]
    if len(set(keys)) < len(keys):
        raise Refused(errors.invalid("Duplicate IDs found in batch input."))
    started = now_iso()
    results: list[Json] = []
    refused: list[Json] = []
    for item in inputs:
        try:
            results.append(act(item))
        except Refused as error:
            refused.append(_standard_error(error.reply, item))
    value: dict[str, Json] = {
        "status": "COMPLETE",
        "results": results,
        "startedAt": started,
        "completedAt": now_iso(),
    }
    if not refused:
        return answer(200, value)
    return answer(207, value | {"numErrors": len(refused), "errors": refused})


def _standard_error(reply: Reply, item: Mapping[str, Json]) -> dict[str, Json]:
    """Return a refusal as a batch lists it beside the inputs that went well."""
    value = orjson.loads(reply.body)
    return {
        "status": "error",
        "category": value["category"],
        "message": value["message"],
        "context": {"ids": [str(item.get("id", ""))]},
        "errors": value.get("errors", []),
        "links": {},
    }
