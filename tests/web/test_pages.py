from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import quote
from uuid import UUID

import pytest

import mainstay.web
from mainstay.db import Connection, acquire
from mainstay.web import WorkspaceCard
from tests.insight.seed import Seed
from tests.web.conftest import Browser, Site
from tests.web.story import exchange

STATIC = Path(mainstay.web.__file__).parent / "static"
ATTACK = "\"'><script>alert(1)</script><img src=x onerror=alert(2)>{{7*7}}</title></textarea>&lt;b&gt;"


class Markup(HTMLParser):
    """What a browser would make of a page: its elements and attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))


async def test_every_page_answers_and_begins_with_the_verdict(site: Site, operator: Browser) -> None:
    for name, path in site.story.paths().items():
        page = await operator.get(path)
        assert page.status == 200, name
        assert "2 things are broken, the latest: speed_to_lead.v1 fails at voice." in page.text, name
        markup = Markup(page.text)
        ids = [attributes["id"] for _, attributes in markup.elements if "id" in attributes]
        assert len(ids) == len(set(ids)), name
        for tag, attributes in markup.elements:
            assert "style" not in attributes, (name, tag)
            assert not any(key.startswith("on") for key in attributes), (name, tag)


async def test_the_overview_answers_the_question(site: Site, operator: Browser) -> None:
    text = (await operator.get("/w/acme")).text

    assert f"/w/acme/incidents/{site.story.incident}" in text
    assert "1 run of 1 lead waits, nothing is lost" in text
    assert "Deliveries from &#34;website&#34; cannot be read" in text
    assert "ghl</b>: 9 retries" in text
    assert "mainstay send quiet" in text


async def test_a_failed_runs_page_says_where_it_stopped_and_what_to_do(site: Site, operator: Browser) -> None:
    text = (await operator.get(f"/w/acme/runs/{site.story.failed_run}")).text

    assert re.search(r"Stopped at step 3 of 3, <code>voice\.call</code> at voice, after 4 attempts in 12 min", text)
    assert "check the credentials, permissions and account of voice" in text
    assert "Retry from step 3" in text
    assert "https://crm.example/contacts/ocQHyuzHvysMo5N5VsXc" in text
    assert "may have had its effect twice" in text
    assert "überraschend" in text


async def test_a_run_on_its_way_refreshes_and_one_that_ended_does_not(site: Site, operator: Browser) -> None:
    assert (
        'hx-trigger="news from:body, every 5s"' in (await operator.get(f"/w/acme/runs/{site.story.waiting_run}")).text
    )
    assert 'hx-trigger="every' not in (await operator.get(f"/w/acme/runs/{site.story.done_run}")).text


async def test_retry_and_mark_handled(site: Site, operator: Browser) -> None:
    path = f"/w/acme/runs/{site.story.failed_run}"

    handled = await operator.post(f"{path}/handled")
    assert "Marked as handled." in (await operator.get(handled.headers["location"])).text
    retried = await operator.post(f"{path}/retry")
    assert "back on the queue" in (await operator.get(retried.headers["location"])).text
    again = await operator.post(f"{path}/retry")
    assert "not a failed run any more" in (await operator.get(again.headers["location"])).text

    assert [verb for verb, _ in site.backend.asked] == ["handled", "retry", "retry"]


async def test_a_run_that_asks_is_answered_and_not_retried(site: Site, operator: Browser) -> None:
    run_id = site.story.failed_run
    pool = site.backend.pool
    await pool.execute("UPDATE runs SET fate = 'asked' WHERE id = $1", run_id)
    await pool.execute("UPDATE attempts SET guard = 'asked' WHERE run_id = $1 AND state = 'failed'", run_id)
    path = f"/w/acme/runs/{run_id}"

    text = (await operator.get(path)).text
    assert "It happened: go on" in text
    assert "Make the call again" in text
    assert "--it-happened" in text
    assert "Retry from step 3" not in text
    assert "nobody but you can tell whether it happened" in text
    answered = await operator.post(f"{path}/answer", data={"happened": "true"})
    shown = (await operator.get(answered.headers["location"])).text
    assert "goes on with your answer" in shown
    assert "A person said that it had happened at voice: nothing was sent again." in shown
    again = await operator.post(f"{path}/answer", data={"happened": "false"})
    assert "does not ask this any more" in (await operator.get(again.headers["location"])).text


async def test_a_verb_reaches_its_own_workspace_alone(site: Site, operator: Browser) -> None:
    answer = await operator.post(f"/w/bell/runs/{site.story.failed_run}/retry")

    assert answer.headers["location"].endswith("done=not_failed")
    assert (await operator.get(answer.headers["location"])).status == 404
    state = await site.backend.pool.fetchval("SELECT state FROM runs WHERE id = $1", site.story.failed_run)
    assert state == "failed"


async def test_an_open_run_is_cancelled_and_an_ended_one_is_not(site: Site, operator: Browser) -> None:
    pool = site.backend.pool
    run = await pool.fetchval(
        "UPDATE runs SET state = 'waiting', workflow = 'welcome.v1' WHERE id = $1 RETURNING id", site.story.failed_run
    )
    assert "Cancel this run" in (await operator.get(f"/w/acme/runs/{run}")).text

    answer = await operator.post(f"/w/acme/runs/{run}/cancel")

    shown = (await operator.get(answer.headers["location"])).text
    assert "Cancelled. What waited behind it begins." in shown
    assert "cancelled by" in shown
    assert "Cancel this run" not in shown
    again = await operator.post(f"/w/acme/runs/{run}/cancel")
    assert again.headers["location"].endswith("done=not_cancelled")
    stranger = await operator.post(f"/w/bell/runs/{run}/cancel")
    assert stranger.headers["location"].endswith("done=not_cancelled")


async def test_replay_leads_to_the_new_run(site: Site, operator: Browser) -> None:
    answer = await operator.post(f"/w/acme/deliveries/{site.story.delivery}/replay")

    assert re.fullmatch(r"/w/acme/runs/[0-9a-f-]{36}\?done=replayed", answer.headers["location"])


async def test_a_replay_that_is_refused_says_why(site: Site, operator: Browser) -> None:
    site.backend.refusal = "no one can be recognised by this: <b>still</b>"

    answer = await operator.post(f"/w/acme/deliveries/{site.story.rejected}/replay")

    assert answer.status == 422
    assert "It could not be replayed: no one can be recognised by this: &lt;b&gt;still&lt;/b&gt;" in answer.text


async def test_release_and_resolve(site: Site, operator: Browser) -> None:
    released = await operator.post(f"/w/acme/quarantine/{site.story.quarantined}/release")
    resolved = await operator.post(f"/w/acme/incidents/{site.story.incident}/resolve")

    assert "on its way" in (await operator.get(released.headers["location"])).text
    assert "The incident is resolved." in (await operator.get(resolved.headers["location"])).text
    assert (await operator.get(f"/w/acme/quarantine/{site.story.quarantined}")).status == 404


async def test_what_is_released_and_cannot_be_read_is_said(site: Site, operator: Browser) -> None:
    site.backend.released_as = "rejected"

    released = await operator.post(f"/w/acme/quarantine/{site.story.quarantined}/release")

    shown = (await operator.get(released.headers["location"])).text
    assert "It left quarantine, but cannot be read" in shown
    assert "Rejected" in shown


@pytest.mark.parametrize("path", ["/w/acme/runs/none", "/w/nobody", f"/w/acme/contacts/{UUID(int=1)}", "/nothing"])
async def test_what_is_not_there_is_said_kindly(operator: Browser, path: str) -> None:
    page = await operator.get(path)

    assert page.status == 404
    assert "Not found" in page.text


async def test_lists_take_any_text_without_harm(operator: Browser) -> None:
    fields = ("runs?q=", "contacts?q=", "deliveries?q=", "deliveries?source=", "runs?workflow=", "runs?state=")
    for text in ("%27%3B--", "%F0%9F%92%A3", "x" * 3000, "%25", "%5C", quote(ATTACK)):
        for place in fields:
            page = await operator.get(f"/w/acme/{place}{text}")
            assert page.status == 200, (place, text)
            assert "<script>alert" not in page.text


async def test_a_character_that_the_database_cannot_hold_is_refused(operator: Browser) -> None:
    assert (await operator.get("/w/acme/runs?q=a%00b")).status == 400


async def test_an_empty_workspace_says_the_next_command(site: Site, operator: Browser) -> None:
    async with acquire(site.backend.pool) as connection:
        empty = await Seed.workspace(connection, "empty", "Empty Ltd")
    site.backend.cards.append(WorkspaceCard(empty.workspace_id, "empty", "Empty Ltd"))
    site.backend.sources.clear()
    site.backend.connections.clear()

    assert "Nothing broke in the last 24 hours." in (await operator.get("/w/empty")).text
    assert "[sources.website]" in (await operator.get("/w/empty")).text
    assert "mainstay send" in (await operator.get("/w/empty/runs")).text
    assert "mainstay import contacts" in (await operator.get("/w/empty/contacts")).text
    assert "mainstay send" in (await operator.get("/w/empty/deliveries")).text
    assert "Quarantine is empty" in (await operator.get("/w/empty/quarantine")).text
    assert "Nothing is broken." in (await operator.get("/w/empty/incidents")).text


async def hostile(connection: Connection) -> Seed:
    """Write a workspace in which every text is an attack."""
    seed = await Seed.workspace(connection, "evil", ATTACK)
    contact = await seed.contact(
        first_name=ATTACK, last_name=ATTACK, company=ATTACK, source=ATTACK, email=f"a{ATTACK}@example.com",
        phone=ATTACK, tags=[ATTACK], custom={ATTACK: ATTACK},
    )  # fmt: skip
    other = await seed.contact(first_name=ATTACK, last_name=ATTACK, flags=[ATTACK], do_not_contact=True)
    merged = await seed.contact(first_name=ATTACK, last_name=ATTACK)
    await seed.suggestion(contact, other, reasons=[ATTACK, ATTACK], rule=ATTACK)
    await seed.suggestion(contact, merged, reasons=[ATTACK], state="accepted", decided_by=ATTACK, decided_at=seed.now)
    await seed.merge(contact, merged, rule=ATTACK, by=ATTACK, note=ATTACK)
    said = await seed.change(
        contact, person={"company": ATTACK, "custom": {ATTACK: ATTACK}}, raw={"company": f"raw {ATTACK}"}, kind=ATTACK
    )
    await seed.as_identity(
        "UPDATE contacts SET flags = $2, do_not_contact = true, origins = $3 WHERE id = $1",
        contact,
        [ATTACK],
        {
            field: ["2026-01-01T00:00:00.000000+00:00", ATTACK, str(said), 1]
            for field in ("company", f"custom.{ATTACK}")
        },
    )
    delivery = await seed.delivery(
        source=ATTACK, kind=ATTACK, verified=ATTACK, reason=ATTACK, state="rejected", method="<b>", url=ATTACK,
        headers={ATTACK: ATTACK, "content-type": "text/html"}, body=ATTACK.encode(),
    )  # fmt: skip
    await seed.quarantined(source=ATTACK, reason=ATTACK, body=ATTACK.encode(), headers={ATTACK: ATTACK})
    incident = await seed.incident(title=ATTACK, cause=ATTACK, mend=ATTACK, workflow=ATTACK, connection=ATTACK)
    await seed.incident(title=ATTACK, source=ATTACK)
    run = await seed.run(
        workflow=ATTACK, state="failed", error=ATTACK, contact_id=contact, delivery_id=delivery, incident_id=incident,
        input={ATTACK: ATTACK}, failed_step=1, fate="human",
    )  # fmt: skip
    await seed.attempt(
        run, 1, name=ATTACK, connection=ATTACK, state="failed", error=ATTACK, result={ATTACK: ATTACK},
        exchanges=[exchange(500, method=ATTACK, url=ATTACK, request={ATTACK: ATTACK}, response=ATTACK, error=ATTACK)],
    )  # fmt: skip
    await seed.run(workflow=ATTACK, state="waiting", waiting_for=ATTACK, contact_id=contact)
    await seed.change(contact, rule=ATTACK, source=ATTACK, before={ATTACK: ATTACK}, after={ATTACK: ATTACK}, note=ATTACK)
    await seed.event(contact, ATTACK, source=ATTACK, data={ATTACK: ATTACK})
    await seed.counterpart(contact, ATTACK, external_id="javascript:alert(1)", error=ATTACK)
    await seed.tally(f"source {ATTACK}", "accepted", 3)
    await seed.tally(f"attempt {ATTACK}", "retry", 3)
    return seed


async def test_no_text_from_outside_becomes_markup(site: Site, operator: Browser) -> None:
    async with acquire(site.backend.pool) as connection:
        seed = await hostile(connection)
        shown = {
            table: await connection.fetchval(
                f"SELECT id FROM {table} WHERE workspace_id = $1 LIMIT 1",  # noqa: S608 - five fixed names
                seed.workspace_id,
            )
            for table in ("runs", "contacts", "deliveries", "quarantine", "incidents")
        }
        pairs = await connection.fetchrow("SELECT * FROM suggestions WHERE state = 'open'")
        failed = await connection.fetchval(
            "SELECT id FROM runs WHERE workspace_id = $1 AND state = 'failed'", seed.workspace_id
        )
    site.backend.cards.append(WorkspaceCard(seed.workspace_id, "evil", ATTACK))
    site.backend.record_link = ""
    site.backend.sources[0] = type(site.backend.sources[0])(ATTACK, ATTACK, ATTACK)
    site.backend.connections[0] = type(site.backend.connections[0])(ATTACK, ATTACK, (ATTACK,))

    assert pairs is not None
    one, two = pairs["one_id"], pairs["other_id"]
    shown["contacts"] = one
    pages = ["", f"/runs/{failed}", *(f"/{table}" for table in shown)]
    pages += [f"/{table}/{id_}" for table, id_ in shown.items()]
    pages += ["/reviews", "/reviews/decided", f"/contacts/{two}"]
    pages += [f"/contacts/{one}/merge", f"/contacts/{one}/merge?q={quote(ATTACK)}", f"/contacts/{one}/merge/{two}"]
    for path in pages:
        page = await operator.get(f"/w/evil{path}")
        assert page.status == 200, path
        markup = Markup(page.text)
        scripts = [attributes.get("src") or "" for tag, attributes in markup.elements if tag == "script"]
        assert all(source.startswith("/static/") for source in scripts), path
        assert len(scripts) == 2, path
        assert "img" not in {tag for tag, _ in markup.elements}, path
        assert "49" not in re.sub(r"[0-9a-f-]{8,}", "", page.text) or "{{7*7}}" in page.text
        for tag, attributes in markup.elements:
            assert not any(key.startswith("on") for key in attributes), (path, tag)
            assert not (attributes.get("href") or "").lower().startswith("javascript:"), (path, attributes)


async def test_static_files_are_small_and_kept_by_the_browser(site: Site) -> None:
    scripts = sum(file.stat().st_size for file in STATIC.glob("*.js"))
    assert scripts < 100_000

    page = (await site.stranger.get("/sign-in")).text
    for address in re.findall(r'(?:src|href)="(/static/[^"]+)"', page):
        answer = await site.stranger.get(address)
        assert (answer.status, "immutable" in answer.headers["cache-control"]) == (200, True)
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert "https://" not in page
