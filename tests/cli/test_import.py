"""``mainstay import contacts``: what is taken, what is refused and why, and that it goes on where it was."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from tests.cli.conftest import Run

ROWS = 300


@pytest.fixture
def file(acme: Path) -> Path:
    path = acme / "customers.csv"
    with path.open("w", newline="") as opened:
        writer = csv.writer(opened)
        writer.writerow(["E-Mail", "First Name", "Last Name", "Phone", "Plan"])
        for number in range(ROWS):
            email = "broken@" if number % 100 == 50 else f"P{number}@Example.com"
            writer.writerow([email, f"P{number}", "Test", "", "gold"])
        opened.write('x@example.com,"too",few\r\n')
    return path


def test_a_dry_run_writes_nothing_and_needs_no_database(file: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://127.0.0.1:1/none")
    result = run("import", "contacts", str(file), "--dry-run", "--json")
    assert result.code == 1
    assert (result.json["accepted"], result.json["refused"]) == (ROWS - 3, 4)


def test_every_refused_line_is_reported_with_its_reason(file: Path, run: Run, tmp_path: Path) -> None:
    report = tmp_path / "refused.csv"
    result = run("import", "contacts", str(file), "--report", str(report))
    assert result.code == 1
    assert "refused" in result.out
    with report.open(newline="") as opened:
        lines = list(csv.DictReader(opened))
    assert [line["line"] for line in lines] == ["52", "152", "252", str(ROWS + 2)]
    assert "'broken@' is not an e-mail address" in lines[0]["reason"]
    assert lines[0]["E-Mail"] == "broken@"
    assert "3 columns, the header 5" in lines[-1]["reason"]


def test_run_again_it_takes_nothing_twice(file: Path, run: Run) -> None:
    first = run("import", "contacts", str(file), "--json").json
    again = run("import", "contacts", str(file), "--json").json
    assert (first["accepted"], first["repeated"]) == (ROWS - 3, 0)
    assert (again["accepted"], again["repeated"], again["refused"]) == (0, ROWS - 3, 4)
    assert run("deliveries", "list", "--limit", "1000", "--json").json["deliveries"].__len__() == ROWS - 3


def test_refused_lines_are_no_trouble_of_the_stack(file: Path, run: Run) -> None:
    run("import", "contacts", str(file))
    assert run("deliveries", "list", "--state", "rejected", "--json").json["deliveries"] == []


def test_columns_are_named_by_map(acme: Path, run: Run) -> None:
    path = acme / "odd.csv"
    path.write_text("Kontakt;Tarif\nsarah@example.com;gold\n", encoding="utf-8")
    assert run("import", "contacts", str(path), "--dry-run").code == 1
    assert run("import", "contacts", str(path), "--map", "email=Kontakt", "--map", "custom.plan=Tarif").code == 0
    wrong = run("import", "contacts", str(path), "--map", "email=Kontact")
    assert wrong.code == 2
    assert 'Did you mean "Kontakt"?' in wrong.err
    unknown = run("import", "contacts", str(path), "--map", "emial=Kontakt")
    assert unknown.code == 2
    assert 'Did you mean "email"?' in unknown.err


def test_a_source_of_the_stack_is_used(acme: Path, run: Run) -> None:
    with (acme / "stack.toml").open("a") as stack:
        stack.write('\n[sources.old_crm]\nkind = "csv"\nmap = { email = "Kontakt" }\n')
    path = acme / "odd.csv"
    path.write_text("Kontakt\nsarah@example.com\n")
    assert run("import", "contacts", str(path), "--json").json["source"] == "old_crm"


@pytest.mark.parametrize(
    ("content", "said"), [("", "empty"), ("a@example.com,Bob\n", "titles"), (None, "No such file")]
)
def test_a_file_that_cannot_be_read_is_told(acme: Path, run: Run, content: str | None, said: str) -> None:
    path = acme / "bad.csv"
    if content is not None:
        path.write_text(content)
    result = run("import", "contacts", str(path))
    assert result.code == 2
    assert said in " ".join(result.err.split())
