"""What must hold after every fault, once all is quiet: I1 to I10, each told of by what breaks it.

I1: what was accepted comes to an end. I2: nothing is done twice at a vendor, unless the ledger says that it may be.
I3: one person is one contact, in each workspace. I4: the system of record says what our book says, or the push that
failed is an open failure. I5: what fails is reported. I6: an opt-out stands. I7: no workspace's data is in another's
hands. I8: a failed run tells what began it, with what, what it tried and where it stopped. I9: the states add up to
what was accepted. I10: a mail that the ledger holds for sent is one record in our book.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mainstay.sandbox.client import Sandbox
    from tests.faults.fleet import Books

REPORTED_WITHIN_SECONDS = 300
OPEN = ("queued", "running", "waiting")
_KEY = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}-\d+")


async def problems(
    books: Books,
    sandbox: Sandbox,
    *,
    accepted: Collection[str] | None = None,
    opted_out: Iterable[tuple[str, str]] = (),
    owners: Mapping[str, Collection[str]] | None = None,
    but: Collection[str] = (),
    beside: Collection[str] = (),
) -> list[str]:
    """Return what is broken.

    Args:
        books: the database.
        sandbox: the vendors, which other databases may share.
        accepted: the ids of all deliveries that were answered with 2xx; None where nobody counted.
        opted_out: (workspace's slug, e-mail) of those who asked not to be written to.
        owners: for each workspace the texts that are its alone (its people's domain, its account at a vendor).
        but: the workflows that need not have ended, because they begin all the time.
        beside: the connections that have ids of contacts, and are no CRM.
    """
    vendors = {name: await asyncio.to_thread(sandbox.state, name) for name in ("gohighlevel", "slack", "postmark")}
    return [
        *await accepted_means_kept(books, accepted, but),
        *await nothing_is_done_twice(books, vendors),
        *await one_person_is_one_contact(books, vendors["gohighlevel"]["contacts"]),
        *await both_say_the_same(books, vendors["gohighlevel"]["contacts"], beside),
        *await failures_are_reported(books),
        *await opt_outs_stand(books, opted_out),
        *await workspaces_are_apart(books, vendors, owners or {}),
        *await failures_tell_their_story(books),
        *await states_add_up(books, accepted),
        *await attempts_follow_one_another(books),
        *await calls_are_records(books),
    ]


async def accepted_means_kept(books: Books, accepted: Collection[str] | None, but: Collection[str]) -> list[str]:
    """I1."""
    states = {row["id"]: row["state"] for row in await books.rows("SELECT id::text, state FROM deliveries")}
    found = [
        f"I1: the delivery {each} was answered with 2xx and is not kept" for each in set(accepted or ()) - set(states)
    ]
    found += [f"I1: the delivery {each} is still {state}" for each, state in states.items() if state == "accepted"]
    left = await books.rows(
        """
        SELECT id, workflow, state, waiting_for, wake_at, held_at FROM runs
        WHERE state = ANY($1) AND workflow <> ALL($2)
        """,
        OPEN,
        list(but),
    )
    found += [f"I1: a run is not at its end: {row}" for row in left]
    missing = await books.rows(
        """
        SELECT id FROM deliveries WHERE state = 'processed'
          AND NOT EXISTS (SELECT FROM changes WHERE changes.delivery_id = deliveries.id)
        """
    )
    return found + [f"I1: the delivery {row['id']} is processed, and nobody was written" for row in missing]


async def nothing_is_done_twice(books: Books, vendors: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """I2."""
    rows = await books.rows(
        """
        SELECT event_id, workflow, count(*) FROM runs WHERE event_id IS NOT NULL AND parent_id IS NULL
        GROUP BY event_id, workflow HAVING count(*) > 1
        """
    )
    found = [f"I2: an event began a workflow more than once: {row}" for row in rows]
    marked: Counter[str] = Counter()
    ours = set()
    for row in await books.rows(
        "SELECT run_id, step, name, bool_or(repeated) AS marked FROM attempts GROUP BY 1, 2, 3"
    ):
        ours.add(f"{row['run_id']}-{row['step']}")
        marked[f"{row['run_id']}-{row['step']}"] += row["marked"]
        marked[row["name"]] += row["marked"]
    for vendor in ("slack", "postmark"):
        times: Counter[str] = Counter()
        for effect in vendors[vendor]["effects"]:
            times.update(_KEY.findall(json.dumps(effect["correlation"])))
        found += [
            f"I2: {vendor} did the step {key} {count} times, and no attempt is marked as a repeat"
            for key, count in times.items()
            if count > 1 and key in ours and not marked[key]
        ]
    known = {row["external_id"] for row in await books.rows("SELECT external_id FROM crosswalk")}
    notes = Counter((note["contactId"], note["body"]) for note in vendors["gohighlevel"]["notes"])
    doubled = {note: count for note, count in notes.items() if count > 1 and note[0] in known}
    if sum(doubled.values()) - len(doubled) > marked["crm.add_note"]:
        found.append(f"I2: notes are there more than once, and {marked['crm.add_note']} are marked: {doubled}")
    return found


async def one_person_is_one_contact(books: Books, theirs: Iterable[Mapping[str, Any]]) -> list[str]:
    """I3."""
    rows = await books.rows(
        """
        SELECT workspace_id, email, count(*) FROM contacts WHERE email <> '' AND merged_into IS NULL
        GROUP BY workspace_id, email HAVING count(*) > 1
        """
    )
    found = [f"I3: one e-mail, several contacts: {row}" for row in rows]
    emails = {row["email"] for row in await books.rows("SELECT email FROM contacts")}
    counted = Counter((each.get("locationId"), each.get("email")) for each in theirs if each.get("email") in emails)
    return found + [f"I3: the CRM has {count} records of {who}" for who, count in counted.items() if count > 1]


async def both_say_the_same(books: Books, theirs: Iterable[Mapping[str, Any]], beside: Collection[str]) -> list[str]:
    """I4."""
    records = {each["id"]: each for each in theirs}
    found = []
    for row in await books.rows(
        """
        SELECT crosswalk.*, email, first_name, last_name,
               EXISTS (SELECT FROM runs WHERE runs.id = push_run_id AND runs.state = ANY($1)) AS is_pushed
        FROM crosswalk JOIN contacts ON contacts.id = record_id
        WHERE connection <> ALL($2)
        """,
        OPEN,
        list(beside),
    ):
        if row["push_run_id"] is not None and not row["is_pushed"]:
            found.append(f"I4: the crosswalk names a push that has ended: {row}")
        if row["error"]:
            continue
        if row["pushed_version"] < row["wanted_version"]:
            found.append(f"I4: the crosswalk is behind: {row}")
        their = records.get(row["external_id"])
        said = their and tuple(their.get(key) or "" for key in ("email", "firstName", "lastName"))
        if said != (row["email"], row["first_name"], row["last_name"]):
            found.append(f"I4: the CRM says {said} of {row}")
    rows = await books.rows(
        """
        SELECT * FROM crosswalk WHERE error <> '' AND NOT EXISTS (
            SELECT FROM runs WHERE runs.contact_id = record_id AND runs.workflow = 'push.v1' AND runs.state = 'failed')
        """
    )
    return found + [f"I4: a push has failed, and no run says so: {row}" for row in rows]


async def failures_are_reported(books: Books) -> list[str]:
    """I5."""
    rows = await books.rows(
        """
        SELECT runs.id, runs.workflow, runs.error FROM runs LEFT JOIN incidents ON incidents.id = runs.incident_id
        WHERE runs.state = 'failed' AND incidents.id IS NULL
        """
    )
    found = [f"I5: a failed run is in no incident: {row}" for row in rows]
    rows = await books.rows(
        """
        SELECT incidents.id, title, first_seen FROM incidents
        WHERE workflow <> 'alert.v1' AND NOT EXISTS (
            SELECT FROM alerts WHERE incident_id = incidents.id
              AND told_at < incidents.first_seen + make_interval(secs => $1))
        """,
        REPORTED_WITHIN_SECONDS,
    )
    return found + [f"I5: nobody was told in time: {row}" for row in rows]


async def opt_outs_stand(books: Books, opted_out: Iterable[tuple[str, str]]) -> list[str]:
    """I6."""
    rows = await books.rows(
        """
        SELECT slug, email FROM contacts JOIN workspaces ON workspaces.id = workspace_id
        WHERE do_not_contact AND merged_into IS NULL
        """
    )
    standing = {(row["slug"], row["email"]) for row in rows}
    return [f"I6: {who} asked not to be written to, and may be" for who in set(opted_out) - standing]


async def workspaces_are_apart(
    books: Books, vendors: Mapping[str, Mapping[str, Any]], owners: Mapping[str, Collection[str]]
) -> list[str]:
    """I7."""
    found = []
    for table, column in {"runs": "contact_id", "events": "contact_id", "crosswalk": "record_id"}.items():
        rows = await books.rows(
            f"SELECT t.* FROM {table} t JOIN contacts ON contacts.id = t.{column} "  # noqa: S608 - of this file
            "WHERE contacts.workspace_id <> t.workspace_id"
        )
        found += [f"I7: a row of {table} is of another workspace than its contact: {row}" for row in rows]
    rows = await books.rows(
        "SELECT attempts.* FROM attempts JOIN runs ON runs.id = run_id WHERE runs.workspace_id <> attempts.workspace_id"
    )
    found += [f"I7: an attempt is of another workspace than its run: {row}" for row in rows]
    kept = [each for state in vendors.values() for kind in ("contacts", "messages") for each in state.get(kind, ())]
    said = [json.dumps(each) for each in kept]
    for slug, own in owners.items():
        others = [text for other, texts in owners.items() if other != slug for text in texts]
        found += [
            f"I7: {slug}'s data in another's: {text}"
            for text in said
            if any(each in text for each in own) and any(each in text for each in others)
        ]
        rows = await books.rows(
            """
            SELECT attempts.name, attempts.exchanges FROM attempts JOIN workspaces ON workspaces.id = workspace_id
            WHERE slug = $1 AND attempts.exchanges::text LIKE ANY($2)
            """,
            slug,
            [f"%{text}%" for text in others],
        )
        found += [f"I7: a run of {slug} shows another's data: {row}" for row in rows]
    return found


async def failures_tell_their_story(books: Books) -> list[str]:
    """I8."""
    rows = await books.rows(
        """
        SELECT id, workflow, input, failed_step, fate, error, contact_id, delivery_id, event_id, parent_id,
               EXISTS (SELECT FROM attempts WHERE run_id = runs.id AND step = failed_step AND state = 'failed') AS tried
        FROM runs WHERE state = 'failed'
        """
    )
    found = []
    for row in rows:
        if not any(row[key] for key in ("input", "contact_id", "delivery_id", "event_id", "parent_id")):
            found.append(f"I8: a failed run does not say what began it: {row}")
        if not row["error"] or not row["fate"]:
            found.append(f"I8: a failed run does not say why: {row}")
        if row["fate"] not in {"workflow", "deadline"} and not row["tried"]:
            found.append(f"I8: a failed run does not say where it stopped: {row}")
    return found


async def states_add_up(books: Books, accepted: Collection[str] | None) -> list[str]:
    """I9."""
    counted = await books.rows("SELECT state, count(*) FROM deliveries GROUP BY state")
    total = sum(row["count"] for row in counted)
    found = []
    if accepted is not None and total != len(set(accepted)):
        found.append(f"I9: {len(set(accepted))} deliveries were accepted, and the states are {counted}")
    runs = await books.value("SELECT count(*) FROM runs WHERE workflow = 'inbound.v1'")
    read = sum(row["count"] for row in counted if row["state"] != "rejected")
    if runs != read:
        found.append(f"I9: {read} deliveries were read by {runs} runs")
    return found


async def attempts_follow_one_another(books: Books) -> list[str]:
    """Check the form of the ledger: tries are numbered without a gap, and none follows a success."""
    steps: dict[Any, dict[int, list[tuple[int, str, str]]]] = defaultdict(lambda: defaultdict(list))
    rows = await books.rows(
        """
        SELECT attempts.*, workflow, runs.state AS run_state FROM attempts JOIN runs ON runs.id = run_id
        ORDER BY run_id, step, number
        """
    )
    runs = {row["run_id"]: row for row in rows}
    for row in rows:
        steps[row["run_id"]][row["step"]].append((row["number"], row["state"], row["name"]))
    found = []
    for run_id, taken in steps.items():
        for number, chain in taken.items():
            states = [state for _, state, _ in chain]
            is_whole = [entry[0] for entry in chain] == list(range(1, len(chain) + 1))
            if not is_whole or "ok" in states[:-1] or (runs[run_id]["run_state"] == "done" and states[-1] != "ok"):
                found.append(f"the attempts of {runs[run_id]['workflow']}, step {number}, are {chain}")
    return found


async def calls_are_records(books: Books) -> list[str]:
    """I10."""
    rows = await books.rows(
        """
        SELECT sent.run_id, sent.result ->> 'id' AS id, count(ids.record_id)::int AS records,
               count(said.id)::int AS words
        FROM attempts AS sent
        LEFT JOIN crosswalk AS ids ON ids.workspace_id = sent.workspace_id AND ids.record_type = 'message'
         AND ids.connection = sent.connection AND ids.external_id = sent.result ->> 'id'
        LEFT JOIN record_changes AS said ON said.record_id = ids.record_id AND said.run_id = sent.run_id
        WHERE sent.name = 'email.send' AND sent.state = 'ok' AND sent.result ->> 'id' <> ''
        GROUP BY 1, 2 HAVING count(ids.record_id) <> 1 OR count(said.id) <> 1
        """
    )
    found = [f"I10: a mail that was sent is not one record: {row}" for row in rows]
    strays = await books.rows(
        """
        SELECT ids.external_id FROM crosswalk AS ids WHERE ids.record_type = 'message' AND NOT EXISTS (
            SELECT FROM attempts AS sent WHERE sent.workspace_id = ids.workspace_id AND sent.name = 'email.send'
               AND sent.state = 'ok' AND sent.result ->> 'id' = ids.external_id)
        """
    )
    return found + [f"I10: a record of a mail that the ledger has not got: {row}" for row in strays]
