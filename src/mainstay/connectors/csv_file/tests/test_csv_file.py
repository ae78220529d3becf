"""CSV: one line as a delivery, and files as programs and people write them."""

import codecs
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mainstay.connectors.csv_file.reader import Layout, Row, inspect, rows
from mainstay.connectors.csv_file.webhook import CsvSettings, delivery_key, parse, verify
from mainstay.kit import MalformedError, NotAuthenticError
from tests.sources import load, names, plain, request

FIXTURES = Path(__file__).parent / "fixtures"


def source(**values: Any) -> CsvSettings:
    return CsvSettings(kind="csv", **values)


@pytest.mark.parametrize("name", names(FIXTURES))
def test_fixtures(name: str) -> None:
    made, values, expected = load(FIXTURES, name)
    assert verify(made, source(**values)) == "imported by hand"
    assert delivery_key(made, source(**values)) == expected["delivery_key"]
    assert plain(parse(made, source(**values))) == expected["events"]


@pytest.mark.parametrize("method", ["POST", "GET", "PUT", "import"])
def test_nothing_comes_in_over_http(method: str) -> None:
    with pytest.raises(NotAuthenticError, match="mainstay import"):
        verify(request({"row": {"Email": "a@b.co"}}, method=method), source())


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"row": {"Colour": "red"}, "line": 12}, 'line 12: no e-mail.*the payload has "Colour"'),
        ({"row": [], "line": 12}, "row should be a JSON object"),
        ({}, "row should be a JSON object, but is null"),
        ("", "the body is empty"),
    ],
)
def test_a_line_that_cannot_be_read_says_why(body: Any, words: str) -> None:
    with pytest.raises(MalformedError, match=words):
        parse(request(body, method="IMPORT"), source())


@given(body=st.one_of(st.binary(max_size=60), st.dictionaries(st.sampled_from(["row", "line"]), st.integers())))
def test_hostile_bodies(body: Any) -> None:
    with pytest.raises(MalformedError):
        parse(request(body, method="IMPORT"), source())


def write(folder: Path, content: bytes) -> Path:
    path = folder / "contacts.csv"
    path.write_bytes(content)
    return path


TABLE = "Name,Email\r\nZoë Groß,zoe@example.com\r\nAnn,ann@example.com\r\n"


@pytest.mark.parametrize(
    ("content", "encoding"),
    [
        (TABLE.encode(), "utf-8"),
        (codecs.BOM_UTF8 + TABLE.encode(), "utf-8-sig"),
        (TABLE.encode("utf-16"), "utf-16"),
        (codecs.BOM_UTF16_BE + TABLE.encode("utf-16-be"), "utf-16"),
        (TABLE.encode("utf-16-le"), "utf-16-le"),
        (TABLE.encode("utf-16-be"), "utf-16-be"),
        (TABLE.encode("cp1252"), "cp1252"),
        (b"Name,Email\n" + b"a,b@c.de\n" * 200_000 + b"Zo\xeb,zoe@example.com\n", "cp1252"),
    ],
)
def test_encodings(tmp_path: Path, content: bytes, encoding: str) -> None:
    path = write(tmp_path, content)
    assert inspect(path) == Layout(encoding, ",", ("Name", "Email"))
    assert any("Zoë" in row.values["Name"] for row in rows(path))


@pytest.mark.parametrize(
    ("content", "delimiter"),
    [
        ("Name;Email\nLee, Ann;ann@example.com\n", ";"),
        ("Name\tEmail\nLee, Ann; Dr\tann@example.com\n", "\t"),
        ("Name|Email\nAnn|ann@example.com\n", "|"),
        ('Name,Email\n"Lee; Ann",ann@example.com\n', ","),
        ("Email\nann@example.com\n", ","),
        ("sep=;\nName;Email\nAnn;ann@example.com\n", ";"),
    ],
)
def test_delimiters(tmp_path: Path, content: str, delimiter: str) -> None:
    path = write(tmp_path, content.encode())
    assert inspect(path).delimiter == delimiter
    (row,) = rows(path)
    assert row.values["Email"] == "ann@example.com"
    assert not row.problem


def test_lines_are_numbered_as_an_editor_shows_them(tmp_path: Path) -> None:
    content = '\nName,Note,Email\nAnn,"two\nlines",a@b.co\n\n,,\nBob,x,b@b.co\n'
    assert list(rows(write(tmp_path, content.encode()))) == [
        Row(3, {"Name": "Ann", "Note": "two\nlines", "Email": "a@b.co"}),
        Row(7, {"Name": "Bob", "Note": "x", "Email": "b@b.co"}),
    ]


def test_ragged_and_broken_lines_are_reported_and_the_others_read(tmp_path: Path) -> None:
    content = 'Name,Email\nAnn\nBob,b@b.co,,\nCy,c@b.co,extra\n"Di" x,d@b.co\nEd,e@b.co\n"Fay,f@b.co\n'
    found = list(rows(write(tmp_path, content.encode())))
    assert [row.line for row in found] == [2, 3, 4, 5, 6, 7]
    problems = [row.problem for row in found]
    assert problems[0].startswith("the line has 1 column, the header 2")
    assert problems[1] == problems[4] == ""
    assert problems[2].startswith("the line has 3 columns, the header 2")
    assert problems[3].startswith("the line cannot be read")
    assert problems[5].startswith("a quote is opened and never closed")
    assert found[4].values == {"Name": "Ed", "Email": "e@b.co"}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "is empty"),
        ("\n\n,,\n", "is empty"),
        ("Name,,Email\nAnn,x,a@b.co\n", "no title in column 2"),
        ("Email,Name,Email\na@b.co,Ann,x\n", "'Email' more than once"),
        ("Ann,ann@example.com\nBob,bob@example.com\n", "first line holds an e-mail address"),
        (",".join(f"c{n}" for n in range(501)), "501 columns"),
    ],
)
def test_headers_that_cannot_be_used(tmp_path: Path, content: str, words: str) -> None:
    with pytest.raises(MalformedError, match=words):
        list(rows(write(tmp_path, content.encode())))


@given(content=st.binary(max_size=300))
@settings(max_examples=150, deadline=None)
def test_any_file_is_read_or_malformed(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = write(tmp_path_factory.getbasetemp(), content)
    try:
        found = list(rows(path))
    except MalformedError as error:
        assert "contacts.csv" in str(error)  # noqa: PT017
        return
    lines = [row.line for row in found]
    assert lines == sorted(set(lines))
