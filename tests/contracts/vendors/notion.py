"""Notion: its answers are bare objects in the file, and three of its requests are written wrongly there."""

from __future__ import annotations

from typing import Any

from tests.contracts.contract import Contract
from tests.contracts.oauth_contract import TokenEndpoint

_ERROR = {
    "type": "object",
    "required": ["object", "status", "code", "message"],
    "properties": {
        "object": {"type": "string", "enum": ["error"]},
        "status": {"type": "integer"},
        "code": {"type": "string"},
        "message": {"type": "string"},
        "request_id": {"type": "string"},
        "additional_data": {"type": "object", "additionalProperties": True},
    },
}


def _mend(spec: Any) -> None:
    schemas = spec["components"]["schemas"]
    # Named and referred to as a data source, and typed as a database: as the version 2025-09-03 itself has it.
    source = schemas["dataSourceIdParentRequest"]
    source["properties"] = {"type": {"const": "data_source_id"}, "data_source_id": source["properties"]["database_id"]}
    source["required"] = ["data_source_id"]
    # The children of a new page are blocks, and not texts.
    page = spec["paths"]["/v1/pages"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    page["properties"]["children"]["items"] = {"$ref": "#/components/schemas/blockObjectRequest"}
    # Since 2025-09-03 a database is made whole, with its first data source (developers.notion.com: create a database).
    made = spec["paths"]["/v1/data_sources"]["post"]
    body = made["requestBody"]["content"]["application/json"]["schema"]
    body["properties"]["initial_data_source"] = {
        "type": "object",
        "required": ["properties"],
        "properties": {"properties": body["properties"].pop("properties")},
    }
    body["required"] = ["parent", "title", "initial_data_source"]
    spec["paths"]["/v1/databases"] = {"post": made}
    # Its file has no sort by time (developers.notion.com: sort database entries).
    by_time = {"enum": ["created_time", "last_edited_time"], "type": "string"}
    schemas["sortObject"] = {
        "oneOf": [
            schemas["sortObject"],
            {
                "type": "object",
                "required": ["timestamp", "direction"],
                "properties": {"timestamp": by_time, "direction": {"enum": ["ascending", "descending"]}},
            },
        ]
    }
    text = spec["paths"]["/v1/comments"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    text["properties"]["rich_text"]["items"] = {"$ref": "#/components/schemas/richTextRequest"}


CONTRACTS = {
    "notion": Contract(
        "notion.json",
        "https://api.notion.com",
        new_answer_keys=frozenset({"request_id", "workspace", "workspace_name"}),
        new_statuses=dict.fromkeys((401, 402, 403, 404, 409, 429, 500, 502, 503, 504, 529)),
        error=_ERROR,
        mend=_mend,
    )
}
# Its file leaves it out; developers.notion.com/reference/create-a-token, refresh-a-token.
TOKEN_ENDPOINT = TokenEndpoint(
    "/v1/oauth/token",
    content_type="application/json",
    answers=frozenset({"refresh_token", "bot_id", "workspace_id", "workspace_name", "owner", "request_id"}),
    headers=frozenset({"notion-version"}),
)
