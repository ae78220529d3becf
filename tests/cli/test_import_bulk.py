"""``mainstay import contacts --bulk``: quiet, exact, resumable."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb
import psycopg
import pytest
from psycopg.rows import dict_row

from tests.cli.conftest import Run

HEADER = ("E-Mail", "Phone", "First Name", "Last Name", "Unsubscribed", "Plan")


def write_csv(path: Path, lines: Sequence[Sequence[str]], header: Sequence[str] = HEADER) -> Path:
    with path.open("w", newline="") as opened:
        writer = csv.writer(opened)
        writer.writerow(header)
        writer.writerows(lines)
    return path


def query(dsn: str, statement: str) -> list[Mapping[str, Any]]:
    with psycopg.connect(dsn, row_factory=dict_row) as connection:
        return list(connection.execute(statement))


@pytest.fixture
def customers(acme: Path) -> Path:
    return write_csv(
        acme / "customers.csv",
        [
            ("Sarah@Example.com", "(312) 555-0147", "Sarah", "Johnson", "", "gold"),
            ("bob@example.com", "", "Bob", "Miller", "yes", ""),
            ("broken@", "", "Nobody", "", "", ""),
            ("sarah@example.com", "", "S.", "", "", "silver"),
            ("info@example.com", "", "", "", "no", ""),
        ],
    )


def test_a_list_comes_in_quietly(customers: Path, dsn: str, run: Run) -> None:
    report = customers.parent / "refused.csv"
    done = run("import", "contacts", str(customers), "--bulk", "--report", str(report), "--json")
    assert done.code == 1  # a line was refused
    told = done.json
    assert (told["lines"], told["created"], told["unchanged"], told["refused"]) == (5, 3, 1, 1)
    rows = query(dsn, "SELECT email, phone, first_name, custom, do_not_contact FROM contacts ORDER BY email")
    assert [tuple(row.values()) for row in rows] == [
        ("bob@example.com", "", "Bob", {}, True),
        ("info@example.com", "", "", {}, False),
        ("sarah@example.com", "+13125550147", "Sarah", {"Plan": "gold"}, False),
    ]
    assert query(dsn, "SELECT line FROM changes ORDER BY line") == [{"line": line} for line in (2, 3, 5, 6)]
    raw = query(dsn, "SELECT raw FROM changes WHERE line = 2")
    assert raw[0]["raw"] == {"email": "Sarah@Example.com", "phone": "(312) 555-0147"}
    brought = (
        "SELECT (SELECT count(*) FROM runs) + (SELECT count(*) FROM deliveries) + (SELECT count(*) FROM events) AS n"
    )
    assert query(dsn, brought) == [{"n": 0}]
    with report.open(newline="") as opened:
        (refused,) = csv.DictReader(opened)
    assert (refused["line"], refused["E-Mail"], refused["First Name"]) == ("4", "broken@", "Nobody")
    assert "'broken@' is not an e-mail address" in refused["reason"]


def test_the_same_file_again_does_nothing(customers: Path, dsn: str, run: Run) -> None:
    run("import", "contacts", str(customers), "--bulk")
    again = run("import", "contacts", str(customers), "--bulk")
    assert again.code == 0
    assert "in already" in again.out
    assert query(dsn, "SELECT count(*) AS n FROM changes") == [{"n": 4}]


def test_an_old_list_fills_gaps_and_overwrites_nothing(acme: Path, dsn: str, run: Run) -> None:
    new = write_csv(acme / "new.csv", [("sarah@example.com", "", "Sarah", "Smith", "", "")])
    old = write_csv(acme / "old.csv", [("sarah@example.com", "3125550147", "Sarah", "Johnson", "", "gold")])
    assert run("import", "contacts", str(new), "--bulk", "--as-of", "2024-05-01").code == 0
    assert run("import", "contacts", str(old), "--bulk", "--as-of", "2021-05-01").code == 0
    (row,) = query(dsn, "SELECT last_name, phone, custom, created_at::date::text AS created FROM contacts")
    assert row == {
        "last_name": "Smith",
        "phone": "+13125550147",
        "custom": {"Plan": "gold"},
        "created": "2021-05-01",
    }


def test_without_a_date_the_values_are_as_old_as_the_file(customers: Path, dsn: str, run: Run) -> None:
    os.utime(customers, (1_600_000_000, 1_600_000_000))
    told = run("import", "contacts", str(customers), "--bulk", "--json").json
    assert told["as_of"] == "2020-09-13T12:26:40+00:00"
    (row,) = query(dsn, "SELECT min(occurred_at)::text AS first, max(occurred_at)::text AS last FROM changes")
    assert row["first"] == row["last"]


def test_a_column_says_when(acme: Path, dsn: str, run: Run) -> None:
    file = write_csv(
        acme / "dated.csv",
        [("a@example.com", "2020-01-31"), ("b@example.com", ""), ("c@example.com", "31/01/2020")],
        ("Email", "Changed"),
    )
    told = run(
        "import", "contacts", str(file), "--bulk", "--map", "occurred_at=Changed", "--map", "email=Email", "--json"
    )
    assert told.json["refused"] == 1
    assert "occurred_at is not a time" in told.json["first_refusals"][0]["reason"]
    rows = query(dsn, "SELECT created_at::date::text AS created FROM contacts ORDER BY email")
    assert rows[0] == {"created": "2020-01-31"}


def test_json_lines(acme: Path, dsn: str, run: Run) -> None:
    file = acme / "people.ndjson"
    file.write_text(
        '{"email": "a@example.com", "profile": {"city": "Austin"}}\n\n[1]\n{"email": "b@example.com"\n'
        '{"phone": "3125550147"}'
    )
    told = run("import", "contacts", str(file), "--bulk", "--json").json
    assert (told["created"], told["refused"]) == (2, 2)
    assert [each["line"] for each in told["first_refusals"]] == [3, 4]
    assert query(dsn, "SELECT custom FROM contacts WHERE email <> ''") == [{"custom": {"profile.city": "Austin"}}]


def test_parquet(acme: Path, dsn: str, run: Run) -> None:
    file = acme / "people.parquet"
    people = "(VALUES ('a@example.com', 7, DATE '2020-01-31'), (NULL, 8, NULL)) AS t (email, plan, since)"
    duckdb.execute(f"COPY (SELECT * FROM {people}) TO '{file}' (FORMAT parquet)")  # noqa: S608 - the line above
    told = run("import", "contacts", str(file), "--bulk", "--json").json
    assert (told["created"], told["refused"]) == (1, 1)
    assert query(dsn, "SELECT custom FROM contacts") == [{"custom": {"plan": "7", "since": "2020-01-31"}}]


def test_a_dry_run_writes_nothing_and_needs_no_database(
    customers: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://127.0.0.1:1/none")
    told = run("import", "contacts", str(customers), "--bulk", "--dry-run", "--json")
    assert told.code == 1
    assert (told.json["accepted"], told.json["refused"]) == (4, 1)


def test_what_cannot_be_done_is_told(customers: Path, run: Run) -> None:
    assert "is not a time" in run("import", "contacts", str(customers), "--bulk", "--as-of", "yesterday").err
    assert 'no column "Mial"' in run("import", "contacts", str(customers), "--bulk", "--map", "email=Mial").err
    parquet = customers.with_suffix(".parquet")
    parquet.write_text("no parquet")
    assert run("import", "contacts", str(parquet), "--bulk").code == 2


def test_a_long_list_is_not_taken_for_leads_by_mistake(acme: Path, run: Run) -> None:
    file = write_csv(acme / "long.csv", [(f"p{number}@example.com",) for number in range(10_001)], ("Email",))
    refused = run("import", "contacts", str(file))
    assert refused.code == 2
    assert "--bulk" in refused.err


def test_killed_in_the_middle_it_goes_on_where_it_was(acme: Path, dsn: str, run: Run) -> None:
    """Some lines are refused in every part: the report, too, is whole and without doubles."""
    rows = [
        ("broken@" if number % 500 == 7 else f"p{number % 9_000}@example.com", "", f"P{number}", "Test", "", "")
        for number in range(20_000)
    ]
    file, report = write_csv(acme / "list.csv", rows), acme / "refused.csv"
    command = [sys.executable, "-m", "mainstay", "import", "contacts", str(file), "--bulk", "--report", str(report)]
    for wanted in (1, 8_001):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 60
        while process.poll() is None and time.monotonic() < deadline:
            done = query(dsn, "SELECT records FROM imports")
            if done and done[0]["records"] >= wanted:
                break
        process.send_signal(signal.SIGKILL)
        process.wait()
    (stopped,) = query(dsn, "SELECT records, finished_at FROM imports")
    assert 0 < stopped["records"] < len(rows)
    assert stopped["finished_at"] is None

    told = run("import", "contacts", str(file), "--bulk", "--report", str(report), "--json").json

    assert told["lines"] + told["lines_before"] == len(rows)
    (kept,) = query(dsn, "SELECT counts FROM imports")
    with report.open(newline="") as opened:
        lines = [int(line["line"]) for line in csv.DictReader(opened)]
    assert lines == [number + 2 for number in range(20_000) if number % 500 == 7]
    assert kept["counts"]["refused"] == len(lines)
    assert query(dsn, "SELECT count(*) AS n, count(DISTINCT line) AS lines FROM changes") == [
        {"n": 20_000 - len(lines), "lines": 20_000 - len(lines)}
    ]
    assert query(dsn, "SELECT count(*) AS n FROM contacts") == [{"n": 9_000 - 18}]


def test_what_it_did_can_be_read_by_a_program(customers: Path, run: Run) -> None:
    told = json.loads(run("import", "contacts", str(customers), "--bulk", "--json").out)
    assert set(told) >= {"import_id", "as_of", "created", "updated", "unchanged", "merged", "suggested", "refused"}
