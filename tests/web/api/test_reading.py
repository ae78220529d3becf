"""GET: one contact, lists, searches, lineage."""

from __future__ import annotations

from unittest.mock import ANY
from uuid import uuid4

from mainstay.web.tokens import create_token
from tests.web.api.conftest import Client


async def test_a_merged_id_leads_to_what_took_it_in(client: Client) -> None:
    one = await client.write(email="kim@example.com", name="Kim Lee", connection="ghl", external_id="a")
    two = await client.write(phone="+13125550143", name="Kim Lee")
    merged = await client.post(f"/contacts/{one['contact_id']}/merge", {"other_id": two["contact_id"]})
    assert merged.status == 200
    shown = await client.get(f"/contacts/{two['contact_id']}")
    assert shown.status == 200
    assert shown.json["id"] == one["contact_id"]
    assert shown.json["redirected_from"] == two["contact_id"]
    assert shown.json["merged_ids"] == [two["contact_id"]]
    assert shown.json["external_ids"] == [{"connection": "ghl", "external_id": "a"}]
    assert shown.headers["content-location"] == f"/api/v1/contacts/{one['contact_id']}"
    assert [each["id"] for each in (await client.get("/contacts")).json["contacts"]] == [one["contact_id"]]


async def test_a_deleted_contact_is_gone(client: Client) -> None:
    made = await client.write(email="kim@example.com", connection="ghl", external_id="a")
    path = f"/contacts/{made['contact_id']}"
    deleted = await client.delete(path)
    assert deleted.status == 200
    assert deleted.json == {
        "contact_id": made["contact_id"],
        "deleted_ids": [made["contact_id"]],
        "elsewhere": [{"connection": "ghl", "external_id": "a", "run_id": ANY}],
    }
    for answer in (
        await client.get(path),
        await client.delete(path),
        await client.patch(path, {"company": "Acme"}),
        await client.get(f"{path}/changes"),
        await client.get(f"{path}/merges"),
        await client.post(f"{path}/merge", {"other_id": made["contact_id"]}),
    ):
        assert (answer.status, answer.problem) == (410, "gone")
    for query in ("", "?email=kim@example.com", "?connection=ghl&external_id=a", "?q=kim"):
        assert (await client.get(f"/contacts{query}")).json["contacts"] == []


async def test_what_is_not_there_is_a_problem(client: Client) -> None:
    for path in (f"/contacts/{uuid4()}", "/contacts/52bb90aa", "/nothing", "/contacts/", ""):
        answer = await client.get(path)
        assert (answer.status, answer.problem) == (404, "not-found"), path


async def test_a_wrong_method_says_so(client: Client) -> None:
    answer = await client.ask("PUT", "/contacts")
    assert (answer.status, answer.problem) == (405, "method")
    assert "POST" in answer.headers["allow"]


SEARCHES = [
    ("email=SARAH@example.com", True),
    ("email=mailto:sarah@example.com", True),
    ("email=sarah@example.org", False),
    ("phone=312-555-0142", True),
    ("phone=%2B13125550142", True),
    ("phone=3125550199", False),
    ("q=john", True),
    ("q=sarah%20jo", True),
    ("q=smith", False),
    ("connection=ghl&external_id=a", True),
    ("connection=ghl&external_id=b", False),
    ("connection=other&external_id=a", False),
]


async def test_search(client: Client) -> None:
    made = await client.write(
        email="sarah@example.com", phone="+13125550142", name="Sarah Johnson", connection="ghl", external_id="a"
    )
    for query, finds in SEARCHES:
        answer = await client.get(f"/contacts?{query}")
        assert answer.status == 200, query
        assert [each["id"] for each in answer.json["contacts"]] == ([made["contact_id"]] if finds else []), query
        assert answer.json["next"] is None


NO_SEARCHES = [
    ("email=sarah", "email"),
    ("phone=12", "phone"),
    ("email=a@example.com&phone=3125550142", "phone"),
    ("external_id=a", "external_id"),
    ("cursor=x", "cursor"),
    ("limit=0", "limit"),
    ("limit=201", "limit"),
]


async def test_a_search_that_cannot_be_says_why(client: Client) -> None:
    for query, field in NO_SEARCHES:
        answer = await client.get(f"/contacts?{query}")
        assert (answer.status, answer.problem) == (422, "invalid"), query
        assert answer.json["errors"][0]["field"] == field


async def test_everyone_with_a_shared_phone_is_found(client: Client) -> None:
    for name in ("Kim Lee", "Pat Moore", "Jo Young"):
        await client.write(phone="+13125550143", name=name)
    found = (await client.get("/contacts?phone=%2B13125550143&limit=2")).json
    rest = (await client.get(f"/contacts?phone=%2B13125550143&limit=2&cursor={found['next']}")).json
    names = [each["first_name"] for page in (found, rest) for each in page["contacts"]]
    assert names == ["Jo", "Pat", "Kim"]
    assert rest["next"] is None


async def test_pages_hold_everyone_once_while_more_are_written(client: Client) -> None:
    ids = [(await client.write(email=f"p{number}@example.com"))["contact_id"] for number in range(7)]
    seen: list[str] = []
    cursor = ""
    while True:
        page = (await client.get(f"/contacts?limit=3&cursor={cursor}")).json
        seen += [each["id"] for each in page["contacts"]]
        await client.write(email=f"later{len(seen)}@example.com")
        if page["next"] is None:
            break
        cursor = page["next"]
    assert seen == ids[::-1]


async def test_changes_tell_the_whole_lineage(client: Client) -> None:
    one = await client.write(email="Kim@Example.com", name="Kim Lee")
    two = await client.write(phone="(312) 555-0143", name="Kim Lee", company="Acme")
    await client.post(f"/contacts/{one['contact_id']}/merge", {"other_id": two["contact_id"]})
    path = f"/contacts/{two['contact_id']}/changes"
    page = (await client.get(path)).json
    assert [each["rule"] for each in page["changes"]] == ["merge", "new", "new"]
    merge, second, first = page["changes"]
    assert set(merge["after"]) == {"phone", "company"}
    assert merge["merge_id"]
    assert second["home_id"] == two["contact_id"]
    assert second["said"]["phone"] == "+13125550143"
    assert second["raw"]["phone"] == "(312) 555-0143"
    assert first["raw"]["email"] == "Kim@Example.com"
    paged = (await client.get(f"{path}?limit=2")).json
    rest = (await client.get(f"{path}?limit=2&cursor={paged['next']}")).json
    assert paged["changes"] + rest["changes"] == page["changes"]


async def test_workspaces_never_meet(client: Client) -> None:
    made = await client.write(email="kim@example.com")
    other = await client.write(email="pat@example.com")
    async with client.app.pool.acquire() as connection:
        bell = await connection.fetchval(
            "INSERT INTO workspaces (id, slug, name) VALUES (gen_random_uuid(), 'bell', 'Bell') RETURNING id"
        )
    foreign = Client(client.url, client.session, await create_token(client.app.pool, bell, "zapier"))
    refused = await foreign.get("/contacts")
    assert (refused.status, refused.problem) == (403, "not-served")
    ours = client.app.workspaces[client.workspace_id]
    client.app.workspaces[bell] = type(ours)(bell, type("Bundle", (), {"stack": ours.stack, "workflows": ()})())
    path = f"/contacts/{made['contact_id']}"
    for answer in (
        await foreign.get(path),
        await foreign.patch(path, {"company": "Acme"}),
        await foreign.delete(path),
        await foreign.get(f"{path}/changes"),
        await foreign.get(f"{path}/merges"),
        await foreign.post(f"{path}/merge", {"other_id": other["contact_id"]}),
    ):
        assert (answer.status, answer.problem) == (404, "not-found")
    assert (await foreign.get("/contacts")).json["contacts"] == []
    assert (await foreign.get("/contacts?email=kim@example.com")).json["contacts"] == []
    assert (await foreign.write(email="kim@example.com"))["outcome"] == "created"
    assert (await client.get(path)).status == 200
