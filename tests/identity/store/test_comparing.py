"""Comparing on write: what is found, what stays as a person said, and that nothing is lost on the way."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any
from uuid import UUID

import asyncpg
import pytest

import mainstay.comparing
from mainstay.comparing import Comparer
from mainstay.db import acquire
from mainstay.identity.likeness import are_outdated, compare, done
from tests.identity.store.conftest import Book

QUENTIN = ("quentin.farrow@example.com", "", "Quentin Farrow")
STRANGERS = (
    "Ada Lorne", "Boris Birkett", "Cyril Umber", "Dagmar Voss", "Edith Zimmer", "Frank Ojeda", "Gita Kapoor",
    "Hugo Stahl", "Ines Pacheco", "Jonas Wren", "Kezia Thorpe", "Ludmila Hruby", "Magnus Eide", "Nadia Fawcett",
    "Oskar Delgado", "Petra Ivanova", "Ruben Asante", "Selma Gunn", "Tobias Marsh", "Ursula Quill", "Vikram Chetty",
    "Wilma Brandt", "Xenia Ruiz", "Yusuf Temel", "Zelda Kirk",
)  # fmt: skip


@pytest.fixture
def comparer(book: Book) -> Comparer:
    # In a book of two dozen, one name alone is hardly more likely than not.
    book.policy = replace(book.policy, suggest=0.5)
    return Comparer(book.pool, book.verbs, book)


async def compare_all(comparer: Comparer) -> int:
    taken = 0
    while some := await comparer.compare_some():
        taken += some
    return taken


async def open_pairs(book: Book) -> set[frozenset[UUID]]:
    rows = await book.rows("SELECT one_id, other_id FROM suggestions WHERE state = 'open'")
    return {frozenset(row) for row in rows}


async def waiting(book: Book) -> int:
    ((count,),) = await book.rows("SELECT count(*) FROM to_compare")
    return int(count)


async def fill(book: Book, number: int = len(STRANGERS)) -> None:
    """People of whom none is like another: a name is rare only in a book of some size."""
    for place, name in enumerate(STRANGERS[:number]):
        await book.say(f"{name[:3].lower()}{place * 7919 % 1000}@{name[-4:]}.example.org", "", name)


@pytest.mark.parametrize(
    ("one", "other", "says"),
    [
        (QUENTIN, ("qfarrow@example.net", "", "Quentin Farrow"), "same name"),
        (QUENTIN, ("quentin.farow@example.com", "", "Quentin Farow"), "typing"),
        (("rob.farrow@example.com", "", "Robert Farrow"), ("rob.farrow@example.net", "", "Bob Farrow"), "nickname"),
        (("qu@example.com", "+13125550143", "Quentin Farrow"), ("q@example.net", "+13125550142", "Q Farrow"), "digit"),
        (QUENTIN, ("qf@example.net", "", "Farrow Quentin"), "swapped"),
    ],
    ids=["same name", "typing error", "nickname", "phone", "swapped"],
)  # fmt: skip
async def test_one_person_under_other_identifiers_is_suggested(
    book: Book, comparer: Comparer, one: tuple[str, ...], other: tuple[str, ...], says: str
) -> None:
    await fill(book)
    first, second = await book.id(*one), await book.id(*other)
    await compare_all(comparer)
    assert await open_pairs(book) == {frozenset({first, second})}
    ((score, model_score, reasons),) = await book.rows("SELECT score, model_score, reasons FROM suggestions")
    assert score == model_score >= 0.5
    assert says in "; ".join(reasons)
    assert await waiting(book) == 0


@pytest.mark.parametrize(
    ("one", "other", "rule"),
    [
        ({"email": "s.birch@gmail.com", "name": "Ann Lee"}, {"email": "sbirch+x@gmail.com", "name": "Rod"}, "alias"),
        ({"email": "a@example.com", "name": "John Smith", "company": "Acme Ltd"},
         {"email": "b@example.net", "name": "John Smith", "company": "ACME"}, "employer"),
    ],
    ids=["alias", "employer"],
)  # fmt: skip
async def test_alias_and_one_name_at_one_employer_are_always_suggested_and_never_merged(
    book: Book, comparer: Comparer, one: dict[str, Any], other: dict[str, Any], rule: str
) -> None:
    book.policy = replace(book.policy, suggest=1.0, auto_merge=0.0)
    pair = {await book.id(**one), await book.id(**other)}
    await compare_all(comparer)
    assert await open_pairs(book) == {frozenset(pair)}
    assert await book.rows("SELECT rule FROM suggestions") == [(rule,)]
    assert await book.rows("SELECT FROM merges") == []


async def test_strangers_and_other_workspaces_are_not_suggested(book: Book, comparer: Comparer) -> None:
    await fill(book)
    await book.id("quentin@example.com", "", "Quentin Farrow")
    other = UUID(int=7)
    async with acquire(book.pool) as connection:
        await connection.execute("INSERT INTO workspaces (id, slug, name) VALUES ($1, 'other', 'Other')", other)
    await book.say("qfarrow@example.net", "", "Quentin Farrow", workspace=other)
    await book.id("boris@example.com", "", "Noel Hargrave")
    await compare_all(comparer)
    assert await open_pairs(book) == set()
    # What is of a workspace that this process does not serve waits for one that does.
    assert await waiting(book) == 1


async def test_a_rejected_pair_is_not_opened_again(book: Book, comparer: Comparer) -> None:
    await fill(book)
    await book.id(*QUENTIN)
    other = await book.id("qfarrow@example.net", "", "Quentin Farrow")
    await compare_all(comparer)
    ((suggestion,),) = await book.rows("SELECT id FROM suggestions")
    await book.verbs.reject(book.workspace, suggestion, by="Ann")
    await book.verbs.edit(book.workspace, other, {"company": "Farrow Roofing"}, by="Ann")
    assert await compare_all(comparer) == 1
    assert await open_pairs(book) == set()


async def test_a_write_that_changes_nothing_comparable_is_not_compared(book: Book, comparer: Comparer) -> None:
    await book.id("quentin.farrow@example.com", "", "Quentin Farrow", at=0)
    await compare_all(comparer)
    await book.id("quentin.farrow@example.com", "", "Quentin Farrow", at=1)
    assert await waiting(book) == 0


async def test_a_process_that_dies_in_between_loses_nothing(
    book: Book, comparer: Comparer, monkeypatch: pytest.MonkeyPatch
) -> None:
    await fill(book)
    await compare_all(comparer)
    pair = frozenset({await book.id(*QUENTIN), await book.id("qf@example.net", "", "Quentin Farrow")})

    async def die(*_: object) -> None:
        raise asyncio.CancelledError

    with monkeypatch.context() as patched:
        patched.setattr(mainstay.comparing, "done", die)
        with pytest.raises(asyncio.CancelledError):
            await comparer.compare_some()
    assert (await waiting(book), await open_pairs(book)) == (2, set())
    await compare_all(comparer)
    assert (await waiting(book), await open_pairs(book)) == (0, {pair})


async def test_a_write_in_the_midst_of_comparing_is_compared_too_and_does_not_wait(
    book: Book, comparer: Comparer, monkeypatch: pytest.MonkeyPatch
) -> None:
    await fill(book)
    await compare_all(comparer)
    one = await book.id(*QUENTIN)
    other = await book.id("unknown@example.net")
    finish = done

    async def write_meanwhile(connection: asyncpg.Connection, some: Any) -> None:
        await book.say("unknown@example.net", "", "Quentin Farrow")
        await finish(connection, some)

    with monkeypatch.context() as patched:
        patched.setattr(mainstay.comparing, "done", write_meanwhile)
        await comparer.compare_some()
    assert await open_pairs(book) == set()
    assert await waiting(book) == 1
    await compare_all(comparer)
    assert await open_pairs(book) == {frozenset({one, other})}


async def test_many_processes_share_the_queue(book: Book, comparer: Comparer) -> None:
    await fill(book)
    pair = frozenset({await book.id(*QUENTIN), await book.id("qf@example.net", "", "Quentin Farrow")})
    several = [comparer, Comparer(book.pool, book.verbs, book), Comparer(book.pool, book.verbs, book)]
    await asyncio.gather(*map(compare_all, several))
    assert (await waiting(book), await open_pairs(book)) == (0, {pair})


async def test_what_is_likely_enough_is_merged_where_the_stack_says_so_and_only_once(
    book: Book, comparer: Comparer
) -> None:
    book.policy = replace(book.policy, auto_merge=0.5)
    await fill(book)
    one = await book.id(*QUENTIN)
    other = await book.id("qfarrow@example.net", "", "Quentin Farrow")
    await compare_all(comparer)
    ((merge_id, survivor, merged, rule, by),) = await book.rows(
        "SELECT id, survivor_id, merged_id, rule, by FROM merges"
    )
    assert (survivor, merged, rule, by) == (one, other, "suggestion", "")
    assert await book.rows("SELECT type FROM events WHERE type = 'contact.merged'") == [("contact.merged",)]
    ((suggestion,),) = await book.rows("SELECT id FROM suggestions WHERE state = 'accepted'")
    await book.verbs.reopen(book.workspace, suggestion, by="Ann")
    assert await comparer.merge_likely(book.workspace) == 0
    await book.verbs.edit(book.workspace, other, {"company": "Farrow Roofing"}, by="Ann")
    await compare_all(comparer)
    assert await book.rows("SELECT id FROM merges WHERE undone_at IS NULL") == []
    assert merge_id is not None


async def test_a_contact_that_cannot_be_judged_does_not_hold_up_the_others(
    book: Book, comparer: Comparer, monkeypatch: pytest.MonkeyPatch
) -> None:
    await fill(book)
    await compare_all(comparer)
    one = await book.id(*QUENTIN)
    judge, bad = compare, await book.id("qfarrow@example.net", "", "Quentin Farrow")

    def judge_some(one: Any, others: Any, *args: Any, **values: Any) -> Any:
        if bad in others:
            raise ValueError("no such form")
        return judge(one, others, *args, **values)

    monkeypatch.setattr(mainstay.comparing, "compare", judge_some)
    await compare_all(comparer)
    assert await waiting(book) == 0
    # The other of the two was judged, and found the pair.
    assert await open_pairs(book) == {frozenset({one, bad})}


async def test_a_list_brought_in_counts_as_growth(book: Book, comparer: Comparer) -> None:
    await fill(book)
    await compare_all(comparer)
    ((before,),) = await book.rows("SELECT at FROM book_frequencies")
    async with acquire(book.pool) as connection:
        await connection.execute(
            """
            INSERT INTO imports (id, workspace_id, digest, file, source, as_of, started_at, finished_at)
            VALUES (gen_random_uuid(), $1, '', 'list.csv', 'import', now(), now(), clock_timestamp())
            """,
            book.workspace,
        )
    await book.id(*QUENTIN)
    await compare_all(comparer)
    ((after, total),) = await book.rows("SELECT at, total FROM book_frequencies")
    assert after > before
    assert total == len(STRANGERS) + 1


@pytest.mark.parametrize(
    ("total", "compared", "is_outdated"),
    [(10, 20, False), (10, 21, True), (1000, 100, False), (1000, 101, True), (0, 0, False)],
)
async def test_a_book_is_counted_again_when_it_has_grown_by_a_tenth(
    book: Book, total: int, compared: int, is_outdated: bool
) -> None:
    async with acquire(book.pool) as connection:
        assert await are_outdated(connection, book.workspace)
        await connection.execute(
            "INSERT INTO book_frequencies VALUES ($1, $2, '{}', $3, now())", book.workspace, total, compared
        )
        assert await are_outdated(connection, book.workspace) is is_outdated


async def test_off_is_off(book: Book, comparer: Comparer) -> None:
    book.policy = replace(book.policy, suggest=2.0)
    await book.id("sam.birch@gmail.com", "", "Sam Birch")
    await book.id("sambirch@gmail.com", "", "Sam Birch")
    await compare_all(comparer)
    assert (await open_pairs(book), await waiting(book)) == (set(), 0)


async def test_ten_decisions_refine_what_is_open_and_what_comes(book: Book, comparer: Comparer) -> None:
    await fill(book)
    await book.id(*QUENTIN)
    await book.id("qfarrow@example.net", "", "Quentin Farrow")
    await compare_all(comparer)
    ((before, model_score),) = await book.rows("SELECT score, model_score FROM suggestions WHERE state = 'open'")
    async with acquire(book.pool) as connection:
        await connection.execute(
            """
            INSERT INTO suggestions (id, workspace_id, one_id, other_id, state, rule, score, model_score, opened_at,
                                     decided_at, decided_by)
            SELECT gen_random_uuid(), $1, ('00000000-0000-0000-0000-' || lpad(n::text, 12, '0'))::uuid,
                   ('00000000-0000-0000-0001-' || lpad(n::text, 12, '0'))::uuid, 'rejected', 'model', 0.95, 0.95, now(),
                   now(), CASE WHEN n < 10 THEN 'Ann' ELSE 'dedupe 1' END
            FROM generate_series(1, 30) AS n
            """,
            book.workspace,
        )
    assert await comparer.learn(book.workspace) is None
    async with acquire(book.pool) as connection:
        await connection.execute("UPDATE suggestions SET decided_by = 'Ann' WHERE decided_by = 'dedupe 1'")
    learned = await comparer.learn(book.workspace)
    assert learned is not None
    assert learned.decisions == 30
    ((after,),) = await book.rows("SELECT score FROM suggestions WHERE state = 'open'")
    assert after == pytest.approx(learned.refine([model_score])[0])
    assert after < before
    assert await comparer.learn(book.workspace) is None
