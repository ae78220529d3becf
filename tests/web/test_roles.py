"""What a session may see and do by its scopes: every route is walked, so that a new one cannot be forgotten."""

from __future__ import annotations

import re
from html import unescape
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import pytest

from mainstay.db import acquire
from mainstay.insight.weeks import Week
from mainstay.model import new_id
from mainstay.web.scopes import ALL, PERSONAL, READ, RETRY, WRITE, needed
from tests.web.conftest import Browser, Site
from tests.web.test_gate import OPEN, routes
from tests.web.test_mirrors import drift
from tests.web.watched_told import fill

READERS = OPEN | {("POST", "/sign-out")}
# Everything that the workspace holds of one person, in the forms in which people and vendors write it.
KNOWN = [
    "sarah.johnson@example.com",
    "+13125550147",
    "(312) 555-0147",
    "312-555-0147",
    "312 555 0147",
    "3125550147",
    "sarah",
    "johnson",
]
QUOTED = "HTTP 422: sarah.johnson@example.com with (312) 555-0147, also +1 312 555 0147, is taken. " * 2
# A list shows so much of it that an e-mail is cut before the end of its domain.
CUT = f'{"x" * 110},"email":"sarah.johnson@example.com","text":"{"y" * 40}"'
_FORM = re.compile(r'<form[^>]*method="post"[^>]*action="([^"?]+)')


async def _write(site: Site) -> dict[str, list[str]]:
    """Write the person wherever a page could show them; returns what each name in an address may stand for."""
    story, order, ping = site.story, new_id(), "backup"
    workspace_id, said = story.card.id, {"name": "Sarah Johnson", "email": KNOWN[0], "phone": KNOWN[2]}
    await fill(site.backend.pool, workspace_id)
    drift_id, _ = await drift(site, Phone="312-555-0147", Company="Johnson & Daughters")
    async with acquire(site.backend.pool) as connection:
        for query in (
            "UPDATE runs SET error = $2 WHERE workspace_id = $1 AND state IN ('failed', 'waiting')",
            "UPDATE incidents SET title = left($2, 90), cause = $2, mend = $2 WHERE workspace_id = $1",
            "UPDATE attempts SET error = $2 WHERE workspace_id = $1",
            "UPDATE deliveries SET reason = $2 WHERE workspace_id = $1",
            "UPDATE quarantine SET reason = $2 WHERE workspace_id = $1",
            "UPDATE canaries SET error = $2 WHERE workspace_id = $1",
        ):
            await connection.execute(query, workspace_id, CUT if "attempts" in query else QUOTED)
        for query in (
            "UPDATE attempts SET result = $2 WHERE workspace_id = $1",
            "UPDATE runs SET input = $2, result = $2 WHERE workspace_id = $1",
            "UPDATE deliveries SET headers = headers || $2 WHERE workspace_id = $1",
            "UPDATE quarantine SET headers = headers || $2 WHERE workspace_id = $1",
            """
            UPDATE attempts SET exchanges = jsonb_build_array(jsonb_build_object('method', 'POST', 'status', 422,
                'url', 'https://crm.example/?email=sarah.johnson%40example.com', 'request', $2::jsonb,
                'response', $2::jsonb)) WHERE workspace_id = $1
            """,
        ):
            await connection.execute(query, workspace_id, said)
        for query in (
            "UPDATE outcome_breaches SET contact_id = $2 WHERE workspace_id = $1",
            "UPDATE drifts SET record_id = $2, key = $2::uuid::text WHERE workspace_id = $1",
            """
            UPDATE drifts SET fields = jsonb_set(fields, '{Company,ours}', '"Johnson"')
            WHERE workspace_id = $1 AND record_id = $2
            """,
        ):
            await connection.execute(query, workspace_id, story.contact)
        await connection.execute(
            "INSERT INTO monitors (workspace_id, kind, name, rule, pings) VALUES ($1, 'ping', $2, 'daily', 1)",
            workspace_id,
            ping,
        )
        await connection.execute(
            "INSERT INTO pings (workspace_id, monitor, number, at, signal, method, body) "
            "VALUES ($1, $2, 1, now(), 'fail', 'POST', 'Sarah Johnson, ' || $3)",
            workspace_id,
            ping,
            QUOTED * 2,
        )
        await connection.execute(
            """
            INSERT INTO bulk_retries
                (id, workspace_id, run_id, state, chosen, stops_on_error, from_start, by, begun_at, note)
            VALUES ($1, $2, $1, 'stopped', '{}', true, false, 'Dana', now(), $3)
            """,
            order,
            workspace_id,
            QUOTED,
        )
    return {
        "slug": [story.card.slug],
        "run_id": [str(each) for each in (story.failed_run, story.waiting_run, story.done_run)],
        "contact_id": [str(story.contact)],
        "delivery_id": [str(story.delivery), str(story.rejected)],
        "quarantine_id": [str(story.quarantined)],
        "incident_id": [str(story.incident)],
        "order_id": [str(order)],
        "drift_id": [str(drift_id)],
        "mirrors": ["sheet"],
        "monitors": ["backup"],
        "monitors kind": ["outcome", "canary", "source"],
        "weeks": [Week.of(story.seed.now, ZoneInfo(story.card.timezone)).name],
    }


_OF_KIND = {"outcome": "speed-to-lead", "canary": "canary", "source": "website"}


def _addresses(pattern: str, known: dict[str, list[str]]) -> list[str]:
    """Return the addresses to try for a route; the ids are of what is there, where it is there to be seen."""
    found = [pattern]
    while any("{" in each for each in found):
        address = next(each for each in found if "{" in each)
        found.remove(address)
        name = re.search(r"\{(\w+)", address)
        assert name is not None
        place = pattern.split("/")[3] if pattern.count("/") > 2 else ""
        values = known.get(name[1]) or {
            "name": known.get(place, ["ghl"]),
            "kind": known.get(f"{place} kind", ["invoice"]),
            "verb": ["revert", "take-over"],
        }.get(name[1], [str(uuid4())])
        for value in values:
            one = re.sub(r"\{" + name[1] + r"(:\w+)?\}", value, address)
            found.append(one.replace("{name}", _OF_KIND[value]) if value in _OF_KIND else one)
    return found


async def _body(browser: Browser, path: str) -> tuple[int, str]:
    if not path.endswith("/news"):
        answer = await browser.get(path)
        return answer.status, answer.text
    # A stream has no end: what it begins with, and its first word of news, are all that it ever says.
    cookies = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
    async with browser.session.get(browser.url + path, headers={"Cookie": cookies}) as stream:
        return stream.status, "".join([(await stream.content.readuntil(b"data:")).decode()])


def _shown(text: str) -> list[str]:
    plain = unescape(text).casefold()
    return [each for each in KNOWN if each.casefold() in plain]


async def test_who_may_only_read_sees_nobody_and_changes_nothing(site: Site) -> None:
    known = await _write(site)
    reader, owner = await site.sign_in("Sam", scopes=[READ]), await site.sign_in("Dana")
    looked, refused, told = 0, 0, set()
    for method, pattern in routes(site):
        if method == "HEAD" or (method, pattern) in READERS:
            continue
        for path in _addresses(pattern, known):
            if method == "GET" and READ in needed(method, path) and needed(method, path) <= {READ}:
                status, text = await _body(reader, path)
                assert status in {200, 303}, (path, status)
                assert not _shown(text), (path, _shown(text))
                for address in _FORM.findall(text):
                    assert needed("POST", unescape(address)) <= {READ}, f"{path} has a button for {address}"
                looked += 1
                if _shown((await _body(owner, path))[1]):
                    told.add(pattern)
            else:
                answer = await reader.ask(method, path, headers={"Origin": site.url, "Sec-Fetch-Site": "same-origin"})
                assert answer.status == 403, (method, path, answer.status)
                assert "mainstay sign-in --as Sam --may " in answer.text
                assert not _shown(answer.text), path
                refused += 1
    assert site.backend.asked == []
    assert looked >= 25
    assert refused >= 30
    # What nobody is shown proves nothing of a mask: most of these pages do show the person to whoever may see them.
    assert len(told) >= 11, told


async def test_what_is_found_tells_nothing_to_who_may_not_see(site: Site) -> None:
    await _write(site)
    reader, seer = await site.sign_in(scopes=[READ]), await site.sign_in(scopes=[READ, PERSONAL])
    short = site.story.failed_run.hex[-8:]
    for text, is_of_people in (
        ("sarah.johnson@example.com", True),
        ("Sarah", True),
        ("is taken", True),
        (short, False),
    ):
        for browser, finds in ((reader, not is_of_people), (seer, True)):
            page = await browser.get("/w/acme/runs", params={"q": text})
            assert (str(site.story.failed_run) in page.text) == finds, (text, finds)


async def test_each_scope_opens_its_own_and_no_more(site: Site) -> None:
    root, story = "/w/acme", site.story
    retrier = await site.sign_in("Ray", scopes=[RETRY])
    page = (await retrier.get(f"{root}/runs/{story.failed_run}")).text
    assert "Ray</b><span> may read, retry" in page
    assert f'action="{root}/runs/{story.failed_run}/retry"' in page
    assert 'name="given"' not in page
    assert (await retrier.post(f"{root}/runs/{story.failed_run}/retry")).status == 303
    assert (await retrier.post(f"{root}/incidents/{story.incident}/acknowledge")).status == 303
    assert (await retrier.post(f"{root}/connections/ghl/pause")).status == 403
    assert (await retrier.get(f"{root}/contacts/{story.contact}")).status == 403
    seer = await site.sign_in(scopes=[PERSONAL])
    contact = await seer.get(f"{root}/contacts/{story.contact}")
    assert contact.status == 200
    assert "sarah.johnson@example.com" in contact.text
    assert (await seer.post(f"{root}/contacts/{story.contact}/delete")).status == 403
    assert (await seer.get(f"{root}/connections/ghl/connect")).status == 403


async def test_a_session_makes_no_token_that_may_more_than_itself(site: Site) -> None:
    writer = await site.sign_in(scopes=[WRITE])
    beyond = await writer.post("/w/acme/api", data={"name": "spy", "scope": ["read", "personal"]})
    assert (beyond.status, "may not personal" in beyond.text) == (403, True)
    assert "mst_" in (await writer.post("/w/acme/api", data={"name": "own", "scope": ["read", "write"]})).text
    async with acquire(site.backend.pool) as connection:
        held = await connection.fetch("SELECT name, scopes FROM api_tokens")
    assert [(row["name"], row["scopes"]) for row in held] == [("own", ["read", "write"])]


@pytest.mark.parametrize("scopes", [[READ], [READ, PERSONAL], [READ, RETRY], [READ, PERSONAL, RETRY]])
def test_what_is_unknown_needs_the_most(site_free_routes: list[str], scopes: list[str]) -> None:
    for path in site_free_routes:
        for method in ("POST", "PUT", "PATCH", "DELETE", "BREW"):
            assert WRITE in needed(method, path)
            assert not needed(method, path) <= set(scopes)
            assert needed(method, path) <= ALL


@pytest.fixture
def site_free_routes() -> list[str]:
    some: list[Any] = [UUID(int=7), "retry", "runs", "contacts", "%0A", "x" * 40]
    return [f"/w/acme/{one}/{other}/new" for one in some if one != "retries" for other in some]
