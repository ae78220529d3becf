"""``mainstay contacts dedupe``: shows, opens, merges and parts again, and says what it cannot."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest

import mainstay.contacts
from mainstay.errors import DatabaseUnavailableError
from tests.cli.conftest import Run

PEOPLE: tuple[tuple[str, ...], ...] = (
    ("Quentin Farrow", "quentin.farrow@example.com", "+13125550143", ""),
    ("Quentin Farow", "quentin.farow@example.com", "", ""),
    ("Ada Lorne", "ada@lorne.example.org", "+13125550199", ""),
    ("Ada Lorne", "adalorne@home.example.net", "+13125550198", ""),
    ("Boris Birkett", "b@example.org", "", "Birkett Ltd"),
    ("Boris Birkett", "boris@example.net", "", "Birkett"),
    ("Cyril Umber", "cyril@umber.example.com", "", ""),
)


@pytest.fixture
def book(acme: Path, run: Run) -> Path:
    for name, email, phone, company in PEOPLE:
        values = [("--name", name), ("--email", email), ("--phone", phone), ("--company", company)]
        added = run("contacts", "add", *(part for option, value in values if value for part in (option, value)))
        assert added.code == 0, added.err
    return acme


def dedupe(run: Run, *arguments: str) -> Any:
    result = run("contacts", "dedupe", *arguments, "--json")
    assert result.code == 0, result.err
    return result.json


def standing(run: Run) -> int:
    return len(run("contacts", "list", "--json").json["contacts"])


def test_without_a_verb_it_shows_and_changes_nothing(book: Path, run: Run) -> None:
    told = dedupe(run, "--above", "0.5", "--out", "pairs.csv")
    assert told["contacts"] == len(PEOPLE)
    assert told["pairs"] == sum(band["pairs"] for band in told["bands"]) == sum(told["rules"].values()) >= 2
    assert told["rules"]["employer"] == 1
    with Path("pairs.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == told["pairs"]
    assert [float(row["score"]) for row in rows] == sorted((float(row["score"]) for row in rows), reverse=True)
    assert standing(run) == len(PEOPLE)
    assert run("contacts", "suggestions", "--json").json["suggestions"] == []
    shown = run("contacts", "dedupe", "--above", "0.5")
    assert "Quentin Farow" in shown.out
    assert "Nothing was changed" in shown.out


def test_pairs_are_opened_for_review_once_and_not_again_when_rejected(book: Path, run: Run) -> None:
    opened = dedupe(run, "--open", "--above", "0.5")
    assert opened["changed"] == opened["pairs"] >= 2
    again = dedupe(run, "--open", "--above", "0.5")
    assert (again["changed"], again["skipped"]) == (0, opened["pairs"])
    first = run("contacts", "suggestions", "--json").json["suggestions"][0]
    assert run("contacts", "suggestions", "reject", first["id"]).code == 0
    assert dedupe(run, "--open", "--above", "0.5")["pairs"] == opened["pairs"] - 1


def test_a_run_is_merged_and_taken_back(book: Path, run: Run) -> None:
    before = dedupe(run, "--above", "0.5")
    done = dedupe(run, "--apply", "--above", "0.5", "--yes")
    assert done["changed"] == before["pairs"] - before["rules"]["employer"] >= 1
    assert standing(run) == len(PEOPLE) - done["changed"]
    # What is one name at one employer is left to a person (R18).
    assert [pair["rule"] for pair in dedupe(run, "--above", "0.5")["top"]] == ["employer"]
    undone = dedupe(run, "--undo", done["run"])
    assert undone["changed"] == done["changed"]
    assert standing(run) == len(PEOPLE)
    after = dedupe(run, "--above", "0.5")
    assert (after["pairs"], after["rules"]) == (before["pairs"], before["rules"])
    assert run("contacts", "check").code == 0
    assert run("contacts", "dedupe", "--undo", done["run"]).code == 3


def test_it_stops_when_something_fails_and_goes_on_under_the_same_run(
    book: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    merge, count = mainstay.contacts.Contacts.merge_unless_rejected, 0

    async def fail_at_the_second(*args: Any, **values: Any) -> Any:
        nonlocal count
        count += 1
        if count == 2:
            raise DatabaseUnavailableError("PostgreSQL does not answer")
        return await merge(*args, **values)

    with monkeypatch.context() as patched:
        patched.setattr(mainstay.contacts.Contacts, "merge_unless_rejected", fail_at_the_second)
        broken = run("contacts", "dedupe", "--apply", "--above", "0.5", "--yes", "--json")
    assert broken.code == 1
    assert "PostgreSQL does not answer" in broken.json["error"]
    assert broken.json["changed"] == 1
    run_id = broken.json["run"]
    went_on = dedupe(run, "--apply", "--above", "0.5", "--resume", run_id, "--yes")
    assert went_on["run"] == run_id
    assert dedupe(run, "--undo", run_id)["changed"] == 1 + went_on["changed"]
    assert standing(run) == len(PEOPLE)


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--apply",), 2, "--above 0.98"),
        (("--apply", "--above", "0.9", "--open"), 2, "exclude each other"),
        (("--resume", "1f00c2ab"), 2, "goes with --apply"),
        (("--undo", "all"), 2, "is no run"),
        (("--undo", "1f00c2ab"), 3, "no merge of a run"),
        (("--apply", "--above", "0.5"), 2, "Say --yes"),
        (("--out", "nowhere/pairs.csv"), 2, "there is no folder"),
    ],
)
def test_what_cannot_be_done_is_said(book: Path, run: Run, arguments: tuple[str, ...], code: int, said: str) -> None:
    result = run("contacts", "dedupe", *arguments)
    assert result.code == code
    assert said in " ".join(result.err.split())


def test_an_empty_book_is_fine(acme: Path, run: Run) -> None:
    assert dedupe(run)["pairs"] == 0
