"""GET: records that are no contacts."""

from __future__ import annotations

from mainstay.model import new_id
from tests.web.api.conftest import Client
from tests.web.records_told import tell


async def test_a_list_and_one_with_whose_word_each_value_is(client: Client) -> None:
    assert client.stack is not None
    workspace = next(iter(client.stack.app.workspaces))
    invoice = await tell(client.stack.app.pool, workspace)

    listed = await client.get("/records?type=invoice&status=paid&limit=1")
    assert [each["values"]["number"] for each in listed.json["records"]] == ["INV-1045"]
    assert listed.json["next"] is None
    assert (await client.get("/records?type=invoice&status=open")).json["records"] == []
    shown = (await client.get(f"/records/{invoice.record_id}")).json
    assert shown["ids"] == {"books": "1045", "stripe": "in_1QX"}
    assert shown["origins"]["status"]["connection"] == "books"
    assert [each["refused"] for each in shown["changes"]] == [{"status": "void"}, {}, {}]


async def test_what_is_wrong_is_told(client: Client) -> None:
    assert client.stack is not None
    other = await tell(client.stack.app.pool, new_id())
    assert (await client.get(f"/records/{other.record_id}")).problem == "not-found"
    assert (await client.get("/records/nobody")).problem == "not-found"
    assert (await client.get("/records?type=quote")).status == 422
    assert (await client.get("/records?type=deal&cursor=x")).status == 422
    assert (await client.get("/records")).status == 422
