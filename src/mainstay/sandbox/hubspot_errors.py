"""HubSpot's refusals on their way out of a request."""

from __future__ import annotations

from collections.abc import Mapping

import orjson

from mainstay.sandbox.wire import Json, Reply


class Refused(Exception):  # noqa: N818 an answer, and no failure of the sandbox
    """A request that HubSpot answers with an error."""

    def __init__(self, reply: Reply) -> None:
        """Carry the answer."""
        super().__init__(reply.status)
        self.reply = reply


def standard_error(reply: Reply, item: Mapping[str, Json]) -> dict[str, Json]:
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
