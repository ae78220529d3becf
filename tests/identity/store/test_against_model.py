"""Random histories against the plain model of the rules, compared after every step."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Coroutine, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, precondition, rule
from hypothesis.stateful import run_state_machine_as_test as run

from mainstay.consequences import Routing
from mainstay.contacts import Contacts
from mainstay.db import GroupCommit, Pool, acquire, open_pool
from mainstay.identity import Policy, check_book
from mainstay.model import Submission, new_id
from mainstay.testing.database import fresh_database
from tests.identity.store.model import FIELDS, ROLE, Model

Result = TypeVar("Result")

EXAMPLES = int(os.environ.get("MAINSTAY_MODEL_EXAMPLES", "30"))
STEPS = int(os.environ.get("MAINSTAY_MODEL_STEPS", "30"))
BEGINNING = datetime.now(UTC).replace(microsecond=0) - timedelta(days=30)
POLICY = Policy(blocked=frozenset({ROLE}))

emails = st.sampled_from(["", "", "a@example.com", "b@example.com", "c@example.com", ROLE])
phones = st.sampled_from(["", "", "+13125550141", "+13125550142", "+13125550143"])
first_names = st.sampled_from(["", "Sarah", "Sarah", "S", "Bob", "Robert"])
last_names = st.sampled_from(["", "Johnson", "Johnson", "J.", "Birch"])
companies = st.sampled_from(["", "", "Birch", "Acme"])
times = st.none() | st.integers(0, 40)
people = st.fixed_dictionaries(
    {
        "email": emails,
        "phone": phones,
        "first_name": first_names,
        "last_name": last_names,
        "company": companies,
        "source": st.sampled_from(["website", "fair", "referral"]),
    }
)
tags = st.lists(st.sampled_from(["vip", "VIP", "new"]), max_size=2).map(tuple)


class _Workspaces:
    def routing(self, workspace_id: UUID) -> Routing:
        return Routing("", {}, "US", POLICY)


class Book(RuleBasedStateMachine):
    """The store and the model, side by side."""

    pool: Pool
    loop: asyncio.AbstractEventLoop

    merges = Bundle("merges")

    def __init__(self) -> None:
        super().__init__()
        self.model = Model()
        self.workspace = new_id()
        self.contacts = Contacts(self.pool, GroupCommit(self.pool), _Workspaces())

    def do(self, work: Coroutine[Any, Any, Result]) -> Result:
        return self.loop.run_until_complete(work)

    async def fetch(self, query: str) -> list[Any]:
        async with acquire(self.pool) as connection:
            return list(await connection.fetch(query, self.workspace))

    @initialize()
    def begin(self) -> None:
        async def work() -> None:
            async with acquire(self.pool) as connection:
                await connection.execute(
                    "INSERT INTO workspaces (id, slug, name) VALUES ($1, $2, 'Acme')",
                    self.workspace,
                    str(self.workspace),
                )

        self.do(work())

    @rule(
        person=people,
        kind=st.sampled_from(["form", "form", "import", "crm"]),
        at=times,
        tags=tags,
        external=st.sampled_from(["", "", "", "x1", "x2", "x3"]),
        wish=st.sampled_from(["", "", "", "", "opt-out", "consent"]),
    )
    def write(
        self, person: dict[str, str], kind: str, at: int | None, tags: tuple[str, ...], external: str, wish: str
    ) -> None:
        if not any(person[name] for name in ("email", "phone", "first_name", "last_name")) and not external:
            return
        submission = Submission(
            **person,  # type: ignore[arg-type]
            tags=tags,
            occurred_at=BEGINNING + timedelta(minutes=at) if at is not None else None,
            connection="ghl" if external else "",
            external_id=external,
            do_not_contact=wish == "opt-out",
            consent="ticked the box" if wish == "consent" else "",
        )
        outcome = self.do(self.contacts.write(self.workspace, submission, source="test", kind=kind))
        made = outcome.contact_id if outcome.outcome == "created" else new_id()
        assert made is not None
        expected = self.model.write(
            made,
            {name: text for name, text in person.items() if text},
            kind=kind,
            at=(0, at) if at is not None else None,
            tags=tags,
            external=external,
            opts_out=wish == "opt-out",
            consents=wish == "consent",
        )
        got = "written" if outcome.outcome in {"updated", "unchanged"} else outcome.outcome
        want = "written" if expected.outcome == "unchanged" else expected.outcome
        assert (got, outcome.contact_id) == (want, expected.contact)
        assert outcome.merged == expected.merged
        assert len(outcome.suggestions) == expected.opened
        self.name_merges()

    def name_merges(self) -> None:
        """Give the merges that writes brought about the ids that the store gave them."""
        rows = self.do(self.fetch("SELECT id, survivor_id, merged_id FROM merges WHERE workspace_id = $1 ORDER BY id"))
        known = dict(self.model.merges)
        unnamed = [merge_id for merge_id in known if merge_id.int >> 127]
        fresh = [row["id"] for row in rows if row["id"] not in known]
        assert len(unnamed) == len(fresh)
        for old, new in zip(unnamed, fresh, strict=True):
            self.model.merges[new] = self.model.merges.pop(old)

    def some(self, number: int) -> UUID:
        ids = [home.id for home in self.model.homes.values() if not home.is_deleted]
        return ids[number % len(ids)]

    def has_contacts(self) -> bool:
        return len(self.model.standing()) > 0

    @precondition(has_contacts)
    @rule(
        number=st.integers(0, 50),
        values=st.dictionaries(
            st.sampled_from(["email", "phone", "first_name", "company", "custom.size"]),
            st.sampled_from(["", "1", "2", "3"]),
            min_size=1,
            max_size=2,
        ),
    )
    def edit(self, number: int, values: dict[str, str]) -> None:
        texts = {
            "email": {"1": "a@example.com", "2": "b@example.com", "3": "d@example.com"},
            "phone": {"1": "+13125550141", "2": "+13125550142", "3": "+13125550144"},
            "first_name": {"1": "Sarah", "2": "S", "3": "Bob"},
        }
        values = {name: texts.get(name, {}).get(text, text) for name, text in values.items()}
        contact_id = self.some(number)
        resolution = self.do(self.contacts.edit(self.workspace, contact_id, values, by="Ann"))
        expected = self.model.write(new_id(), values, kind="manual", contact=contact_id)
        assert resolution.contact.id == expected.contact
        assert tuple(merged.merged_id for merged in resolution.merged) == expected.merged
        assert len(resolution.suggestion_ids) == expected.opened
        self.name_merges()

    @precondition(lambda self: len(self.model.standing()) > 1)
    @rule(one=st.integers(0, 50), other=st.integers(0, 50), keep=st.sampled_from([None, 0, 1]))
    def merge(self, one: int, other: int, keep: int | None) -> None:
        pair = (self.some(one), self.some(other))
        if self.model.root(pair[0]) == self.model.root(pair[1]):
            return
        kept = pair[keep] if keep is not None else None
        merged = self.do(self.contacts.merge(self.workspace, *pair, by="Ann", keep=kept))
        assert merged.survivor_id == self.model.merge(*pair, merged.merge_id, keep=kept)

    @rule(number=st.integers(0, 50))
    def unmerge(self, number: int) -> None:
        standing = [
            merge_id
            for merge_id, merge in self.model.merges.items()
            if not merge.is_undone and not self.model.homes[merge.merged].is_deleted
        ]
        if standing:
            merge_id = standing[number % len(standing)]
            self.do(self.contacts.unmerge(self.workspace, merge_id, by="Ann"))
            self.model.unmerge(merge_id)

    @rule(number=st.integers(0, 50), is_one=st.booleans())
    def answer(self, number: int, is_one: bool) -> None:
        rows = self.do(
            self.fetch(
                "SELECT id, one_id, other_id FROM suggestions WHERE workspace_id = $1 AND state = 'open' "
                "ORDER BY one_id, other_id"
            )
        )
        if not rows:
            return
        row = rows[number % len(rows)]
        if is_one:
            merged = self.do(self.contacts.accept(self.workspace, row["id"], by="Ann"))
            self.model.merge(row["one_id"], row["other_id"], merged.merge_id, keep=None)
        else:
            self.do(self.contacts.reject(self.workspace, row["id"], by="Ann"))
            self.model.reject((row["one_id"], row["other_id"]))

    @precondition(has_contacts)
    @rule(number=st.integers(0, 50))
    def delete(self, number: int) -> None:
        contact_id = self.some(number)
        self.do(self.contacts.delete(self.workspace, contact_id))
        self.model.delete(contact_id)

    @invariant()
    def they_agree(self) -> None:
        rows = self.do(self.fetch("SELECT * FROM contacts WHERE workspace_id = $1"))
        model = self.model
        assert {row["id"]: row["merged_into"] for row in rows} == {h.id: h.into for h in model.homes.values()}
        assert {row["id"] for row in rows if row["deleted_at"]} == {h.id for h in model.homes.values() if h.is_deleted}
        for row in rows:
            if row["merged_into"] or row["deleted_at"]:
                continue
            contact_id = row["id"]
            assert {name: row[name] for name in FIELDS} == {name: model.value(contact_id, name) for name in FIELDS}
            custom = {
                name.removeprefix("custom."): text for name, (text, _) in model.best(contact_id).items() if "." in name
            }
            assert row["custom"] == custom
            assert {tag.casefold() for tag in row["tags"]} == model.tags(contact_id)
            assert row["do_not_contact"] == model.is_out(contact_id)
        found = self.do(self.fetch("SELECT * FROM identifiers WHERE workspace_id = $1"))
        assert {(r["kind"], r["value"], r["home_id"], r["standing"], r["contact_id"]) for r in found} == {
            (*key, home, how, model.root(home)) for key, homes in model.owned.items() for home, how in homes.items()
        }
        found = self.do(self.fetch("SELECT * FROM record_ids WHERE workspace_id = $1"))
        assert {(r["external_id"], r["home_id"]) for r in found} == set(model.elsewhere.items())
        found = self.do(self.fetch("SELECT * FROM suggestions WHERE workspace_id = $1"))
        assert {((r["one_id"], r["other_id"]), r["state"]) for r in found} == set(model.pairs.items())

    @invariant()
    def the_book_is_whole(self) -> None:
        async def work() -> list[Any]:
            async with acquire(self.pool) as connection:
                checked = [each async for each in check_book(connection, self.workspace, sample=None)]
            return [finding for each in checked for finding in each.findings]

        assert self.do(work()) == []


@pytest.fixture
def book(mainstay_server: str, mainstay_template: str) -> Iterator[type[Book]]:
    with fresh_database(mainstay_server, mainstay_template) as dsn, asyncio.Runner() as runner:
        loop = runner.get_loop()
        Book.loop, Book.pool = loop, loop.run_until_complete(open_pool(dsn, size=3))
        yield Book
        loop.run_until_complete(Book.pool.close())


@pytest.mark.timeout(600)
def test_the_store_does_as_the_rules_say(book: type[Book]) -> None:
    profile = settings(
        max_examples=EXAMPLES,
        stateful_step_count=STEPS,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    run(book, settings=profile)
