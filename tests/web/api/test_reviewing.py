"""Edits by hand, merge, undo, suggestions."""

from __future__ import annotations

import asyncio
from uuid import uuid4

from tests.web.api.conftest import Client


async def pair(client: Client) -> tuple[str, str]:
    one = await client.write(email="kim@example.com", name="Kim Lee", company="Acme")
    two = await client.write(phone="+13125550143", name="Kimberly Lee", company="Acme Plumbing")
    return one["contact_id"], two["contact_id"]


async def question(client: Client) -> tuple[str, str, str]:
    """Two contacts that one write names, with names that differ: a suggestion opens."""
    one = await client.write(email="kim@example.com", name="Kim Lee")
    two = await client.write(phone="+13125550143", name="Pat Moore")
    both = await client.write(email="kim@example.com", phone="+13125550143", name="Kim Lee")
    return both["suggestions"][0], one["contact_id"], two["contact_id"]


async def test_what_is_set_by_hand_changes_only_by_hand(client: Client) -> None:
    one, _ = await pair(client)
    edited = await client.patch(f"/contacts/{one}", {"company": "Bell", "custom": {"roof": "slate"}, "tags": ["vip"]})
    assert edited.status == 200
    assert edited.json["outcome"] == "updated"
    assert sorted(edited.json["changed"]) == ["company", "custom", "tags"]
    assert (await client.write(email="kim@example.com", company="Acme"))["outcome"] == "unchanged"
    cleared = await client.patch(f"/contacts/{one}", {"company": None, "custom": {"roof": None}})
    assert cleared.json["contact"]["company"] == ""
    shown = (await client.get(f"/contacts/{one}")).json
    assert shown["origins"]["company"]["kind"] == "manual"
    assert (await client.get(f"/contacts/{one}/changes")).json["changes"][0]["source"] == "zapier"


async def test_an_opt_out_by_hand_is_lifted_by_consent(client: Client) -> None:
    one, _ = await pair(client)
    out = await client.patch(f"/contacts/{one}", {"do_not_contact": True})
    assert out.json["contact"]["do_not_contact"] is True
    back = await client.patch(f"/contacts/{one}", {"consent": "by phone, 2 May"})
    assert back.json["contact"]["do_not_contact"] is False


async def test_an_edit_goes_by_what_was_read(client: Client) -> None:
    one, two = await pair(client)
    read = (await client.get(f"/contacts/{one}")).headers["etag"]
    edited = await client.patch(f"/contacts/{one}", {"company": "Bell"}, headers={"If-Match": read})
    assert (edited.status, edited.json["contact"]["company"]) == (200, "Bell")

    late = await client.patch(f"/contacts/{one}", {"company": "Acme"}, headers={"If-Match": read})
    assert (late.status, late.problem) == (412, "changed")
    newest = (await client.get(f"/contacts/{one}")).headers["etag"]
    assert late.headers["etag"] == edited.headers["etag"] == newest != read
    for header in ("*", "", newest, f'"other", {newest}', f"{read},{newest}"):
        answer = await client.patch(f"/contacts/{one}", {"company": "Bell"}, headers={"If-Match": header})
        assert answer.status == 200, header
        assert answer.headers["etag"] == newest
    for header in ('"other"', f"W/{newest}", newest.strip('"'), f'"{newest}"', f'"{one}.x"', '"', f'"{"-" * 36}.1"'):
        refused = await client.patch(f"/contacts/{one}", {"company": "Acme"}, headers={"If-Match": header})
        assert (refused.status, refused.problem) == (412, "changed"), header

    other = (await client.get(f"/contacts/{two}")).headers["etag"]
    merged = await client.post(f"/contacts/{one}/merge", {"other_id": two})
    assert merged.headers["etag"] == (await client.get(f"/contacts/{two}")).headers["etag"] != other
    moved = await client.patch(f"/contacts/{two}", {"company": "Acme"}, headers={"If-Match": other})
    assert (moved.status, moved.problem) == (412, "changed")
    assert (await client.get(f"/contacts/{one}")).json["company"] == "Bell"


async def test_of_edits_that_go_by_the_same_reading_one_is_carried_out(client: Client) -> None:
    made = await client.post("/contacts", {"email": "kim@example.com", "name": "Kim Lee"})
    answers = await asyncio.gather(
        *(
            client.patch(
                made.headers["location"].removeprefix("/api/v1"),
                {"company": f"Acme {number}"},
                headers={"If-Match": made.headers["etag"]},
            )
            for number in range(8)
        )
    )
    assert sorted(answer.status for answer in answers) == [200, *[412] * 7]


NO_EDITS: list[tuple[dict[str, object], str]] = [
    ({}, "body"),
    ({"email": "kim at example"}, ""),
    ({"phone": "12"}, ""),
    ({"name": "Kim Lee"}, "name"),
    ({"company": 5}, "company"),
    ({"do_not_contact": None}, "do_not_contact"),
]


async def test_an_edit_that_cannot_be_is_refused(client: Client) -> None:
    one, _ = await pair(client)
    for body, field in NO_EDITS:
        answer = await client.patch(f"/contacts/{one}", body)
        assert (answer.status, answer.problem) == (422, "invalid"), body
        if field:
            assert answer.json["errors"][0]["field"] == field
    assert (await client.get(f"/contacts/{one}")).json["version"] == 1


async def test_merge_and_undo_restore_both(client: Client) -> None:
    one, two = await pair(client)
    before = [(await client.get(f"/contacts/{each}")).json for each in (one, two)]
    merged = await client.post(f"/contacts/{two}/merge", {"other_id": one, "keep": two})
    assert merged.status == 200
    assert (merged.json["survivor_id"], merged.json["merged_id"]) == (one, two)
    assert merged.json["contact"]["company"] == "Acme Plumbing"
    assert merged.json["contact"]["email"] == "kim@example.com"
    (told,) = (await client.get(f"/contacts/{two}/merges")).json["merges"]
    assert (told["id"], told["by"], told["undone_at"]) == (merged.json["merge_id"], "zapier", None)

    again = await client.post(f"/contacts/{one}/merge", {"other_id": two})
    assert (again.status, again.problem) == (409, "conflict")

    undone = await client.post(f"/merges/{told['id']}/undo")
    assert undone.status == 200
    assert (undone.json["contact"]["id"], undone.json["restored"]["id"]) == (one, two)
    values = ("email", "phone", "first_name", "last_name", "company", "custom", "tags", "identifiers")
    after = [(await client.get(f"/contacts/{each}")).json for each in (one, two)]
    assert [[each[name] for name in values] for each in after] == [[each[name] for name in values] for each in before]
    twice = await client.post(f"/merges/{told['id']}/undo")
    assert (twice.status, twice.problem) == (409, "conflict")
    for each in (one, two):
        (told,) = (await client.get(f"/contacts/{each}/merges")).json["merges"]
        assert told["undone_by"] == "zapier"


async def test_merge_names_what_is_wrong(client: Client) -> None:
    one, two = await pair(client)
    path = f"/contacts/{one}/merge"
    for body, status, problem in (
        ({"other_id": str(uuid4())}, 404, "not-found"),
        ({"other_id": one}, 409, "conflict"),
        ({"other_id": two, "keep": str(uuid4())}, 422, "invalid"),
        ({"other_id": "x"}, 422, "invalid"),
        ({}, 422, "invalid"),
    ):
        answer = await client.post(path, body)
        assert (answer.status, answer.problem) == (status, problem)
    assert (await client.post(f"/merges/{uuid4()}/undo")).problem == "not-found"


async def test_merging_at_once_from_both_sides_merges_once(client: Client) -> None:
    one, two = await pair(client)
    answers = await asyncio.gather(
        *(client.post(f"/contacts/{a}/merge", {"other_id": b}) for a, b in [(one, two), (two, one)] * 4)
    )
    assert sorted(answer.status for answer in answers) == [200] + [409] * 7


async def test_a_suggestion_is_listed_and_accepted(client: Client) -> None:
    suggestion, one, two = await question(client)
    (listed,) = (await client.get("/suggestions")).json["suggestions"]
    assert (listed["id"], listed["state"], listed["rule"]) == (suggestion, "open", "bridge")
    assert {each["id"] for each in listed["contacts"]} == {one, two}
    assert "names differ" in listed["reasons"][0]
    accepted = await client.post(f"/suggestions/{suggestion}/accept", {"keep": one})
    assert accepted.status == 200
    assert accepted.json["survivor_id"] == one
    assert (await client.get("/suggestions")).json["suggestions"] == []
    (decided,) = (await client.get("/suggestions?state=accepted")).json["suggestions"]
    assert (decided["id"], decided["decided_by"]) == (suggestion, "zapier")
    for verb in ("accept", "reject"):
        answer = await client.post(f"/suggestions/{suggestion}/{verb}")
        assert (answer.status, answer.problem) == (409, "conflict")


async def test_a_rejected_suggestion_stays_rejected(client: Client) -> None:
    suggestion, _, _ = await question(client)
    answer = await client.post(f"/suggestions/{suggestion}/reject")
    assert answer.json == {"id": suggestion, "state": "rejected"}
    again = await client.write(email="kim@example.com", phone="+13125550143", name="Kim Lee")
    assert again["suggestions"] == []
    (rejected,) = (await client.get("/suggestions?state=rejected")).json["suggestions"]
    assert rejected["id"] == suggestion


async def test_suggestions_come_in_pages(client: Client) -> None:
    made = set()
    for number in range(5):
        await client.write(email=f"kim{number}@example.com", name="Kim Lee")
        await client.write(phone=f"+1312555015{number}", name="Pat Moore")
        body = {"email": f"kim{number}@example.com", "phone": f"+1312555015{number}", "name": "Kim Lee"}
        made.add((await client.write(**body))["suggestions"][0])
    for state in ("open", "rejected"):
        seen: list[str] = []
        cursor = ""
        while True:
            page = (await client.get(f"/suggestions?state={state}&limit=2&cursor={cursor}")).json
            seen += [each["id"] for each in page["suggestions"]]
            if page["next"] is None:
                break
            cursor = page["next"]
        assert len(seen) == 5
        assert set(seen) == made
        for each in seen if state == "open" else []:
            await client.post(f"/suggestions/{each}/reject")


async def test_a_suggestion_that_is_none(client: Client) -> None:
    for verb in ("accept", "reject"):
        answer = await client.post(f"/suggestions/{uuid4()}/{verb}")
        assert (answer.status, answer.problem) == (404, "not-found")
    suggestion, _, _ = await question(client)
    wrong = await client.post(f"/suggestions/{suggestion}/accept", {"keep": str(uuid4())})
    assert (wrong.status, wrong.problem) == (422, "invalid")
    for query in ("state=stale", "cursor=x", "cursor=nan_x", "limit=0"):
        assert (await client.get(f"/suggestions?{query}")).status == 422
