"""``mainstay contacts suggest``: a plain file in, pairs with reasons out, and clear words where that cannot be."""

from __future__ import annotations

import csv
from pathlib import Path

import duckdb
import pytest

from tests.cli.conftest import Run

HEADER = "Contact ID,E-Mail,First Name,Last Name,Mobile,Address,City,Zip"
LINES = (
    "c1,quentin@farrow.example.com,Quentin,Farrow,(312) 555-0143,12 Oak Street,Dallas,75001",
    "c2,,Q.,Farrow,,12 Oak St,Dallas,75001",
    "c3,ada@lorne.example.org,Ada,Lorne,,,,",
    "c4,ADA@lorne.example.org,Ada,Lorne,,9 Elm Rd,Austin,73301",
    "c5,boris@birkett.example.org,Boris,Birkett,,,,",
)


@pytest.fixture
def book(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "book.csv"
    path.write_text("\n".join((HEADER, *LINES)) + "\n", encoding="utf-8")
    return path


def pairs(path: Path) -> dict[tuple[str, str], dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return {(row["a"], row["b"]): row for row in csv.DictReader(file)}


def test_pairs_are_written_with_score_and_reasons_the_likeliest_first(book: Path, run: Run) -> None:
    result = run("contacts", "suggest", str(book), "--out", "pairs.csv")
    assert result.code == 0, result.err
    found = pairs(Path("pairs.csv"))
    assert set(found) == {("c1", "c2"), ("c3", "c4")}
    assert "same e-mail" in found["c3", "c4"]["reasons"]
    assert "first name is an initial" in found["c1", "c2"]["reasons"]
    assert "same address" in found["c1", "c2"]["reasons"]
    scores = [float(row["score"]) for row in found.values()]
    assert scores == sorted(scores, reverse=True)
    assert "5 contacts" in result.out


def test_the_summary_as_json(book: Path, run: Run) -> None:
    told = run("contacts", "suggest", str(book), "--out", "pairs.csv", "--json").json
    assert (told["contacts"], told["refused"], told["pairs"], told["with_identifier"]) == (5, 0, 2, 1)
    assert sum(band["pairs"] for band in told["bands"]) == 2
    assert told["columns"]["phone"] == "Mobile"
    assert told["columns"]["postcode"] == "Zip"


def test_only_suggestions_leaves_out_what_the_rules_know(book: Path, run: Run) -> None:
    assert run("contacts", "suggest", str(book), "--out", "pairs.csv", "--only-suggestions").code == 0
    assert set(pairs(Path("pairs.csv"))) == {("c1", "c2")}


def test_a_parquet_file_gives_the_same_pairs(book: Path, run: Run) -> None:
    with duckdb.connect() as connection:
        connection.execute(f"COPY (FROM read_csv('{book}', all_varchar=true)) TO 'book.parquet' (FORMAT parquet)")
    assert run("contacts", "suggest", str(book), "--out", "one.csv").code == 0
    assert run("contacts", "suggest", "book.parquet", "--out", "other.csv").code == 0
    assert pairs(Path("one.csv")) == pairs(Path("other.csv"))


def test_columns_are_named_by_map_and_lines_stand_in_for_ids(tmp_path: Path, run: Run) -> None:
    path = tmp_path / "odd.csv"
    path.write_text("Wer;Id\nQuentin Farrow;1\nBoris Birkett;1\nQuentin Farrow;2\n", encoding="utf-8")
    out = tmp_path / "pairs.csv"
    arguments = ("contacts", "suggest", str(path), "--out", str(out), "--map", "full_name=Wer", "--threshold", "0.01")
    doubled = run(*arguments)
    assert doubled.code == 1
    assert 'the id "1" came before' in " ".join(doubled.out.split())
    assert run(*arguments, "--map", "id=").code == 0
    assert set(pairs(out)) == {("2", "4")}


def test_lines_that_cannot_be_used_are_told_and_the_rest_is_compared(book: Path, run: Run) -> None:
    with book.open("a") as file:
        file.write("c6,,,,,12 Oak St,Dallas,75001\nc7,too,few\n")
    result = run("contacts", "suggest", str(book), "--out", "pairs.csv", "--report", "refused.csv")
    assert result.code == 1
    with Path("refused.csv").open(newline="") as file:
        reasons = {row["line"]: row["reason"] for row in csv.DictReader(file)}
    assert "nothing to compare" in reasons["7"]
    assert "3 columns, the header 8" in reasons["8"]
    assert len(pairs(Path("pairs.csv"))) == 2


@pytest.mark.parametrize(
    ("content", "arguments", "said"),
    [
        (None, (), "No such file"),
        ("", (), "empty"),
        ("Colour,Size\nred,4\n", (), "no column with a name, e-mail, phone or company. Its columns: Colour, Size"),
        ("Kunde\nAda\n", ("--map", "full_name=Kunden"), 'Did you mean "Kunde"?'),
        ("Name\nAda\n", ("--map", "emial=Name"), 'Did you mean "email"?'),
        ("Name\nAda\n", ("--out", "nowhere/pairs.csv"), "there is no folder nowhere"),
        ("Name\nAda\n", ("--out", "."), "is a folder"),
    ],
)
def test_what_cannot_be_done_is_said_with_the_mend(
    tmp_path: Path,
    run: Run,
    monkeypatch: pytest.MonkeyPatch,
    content: str | None,
    arguments: tuple[str, ...],
    said: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    if content is not None:
        Path("bad.csv").write_text(content, encoding="utf-8")
    result = run("contacts", "suggest", "bad.csv", "--out", "pairs.csv", *arguments)
    assert result.code == 2
    assert said in " ".join(result.err.split())
    assert not Path("pairs.csv").exists()


def test_a_file_that_is_no_parquet_is_told(tmp_path: Path, run: Run) -> None:
    path = tmp_path / "bad.parquet"
    path.write_text("no")
    result = run("contacts", "suggest", str(path), "--out", str(tmp_path / "pairs.csv"))
    assert result.code == 2
    assert "is no Parquet file" in " ".join(result.err.split())


def test_what_was_written_before_stays_until_the_new_is_whole(
    book: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("pairs.csv").write_text("before")

    def fail(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("mainstay.cli.suggesting.why", fail)
    run("contacts", "suggest", str(book), "--out", "pairs.csv")
    assert Path("pairs.csv").read_text() == "before"
    assert list(book.parent.glob(".*.part")) == []
