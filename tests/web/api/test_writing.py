from __future__ import annotations

from tests.web.api.conftest import Client


async def test_a_write_says_what_happened(client: Client) -> None:
    answer = await client.post(
        "/contacts", {"email": "Sarah@Example.com", "name": "Sarah Johnson", "phone": "(312) 555-0142", "tags": ["vip"]}
    )
    assert answer.status == 201
    made = answer.json
    assert made["outcome"] == "created"
    assert made["rule"] == "new"
    assert made["contact"]["email"] == "sarah@example.com"
    assert made["contact"]["phone"] == "+13125550142"
    assert made["contact"]["source"] == "zapier"
    assert answer.headers["location"] == f"/api/v1/contacts/{made['contact_id']}"
    shown = await client.get(f"/contacts/{made['contact_id']}")
    assert shown.status == 200
    assert shown.json["first_name"] == "Sarah"
    assert {each["value"] for each in shown.json["identifiers"]} == {"sarah@example.com", "+13125550142"}
    assert shown.json["origins"]["email"]["kind"] == "form"
    assert shown.json["redirected_from"] is None
