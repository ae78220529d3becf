from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay.errors import ConfigError
from mainstay.settings import rewriting
from mainstay.settings.environment import Environment

STACK = """\
# Acme, since 2019
[workspace]
name = "Acme"
timezone = "America/Chicago"
region = "US"

[connections]
ghl     = { connector = "gohighlevel", token = "${TOKEN}", location_id = "y" } # the old one
hubspot = { connector = "hubspot", token = "${TOKEN}" }

[roles]
crm = "ghl"   # what workflows get

[records.contact]   # people
system_of_record = "ghl"  # until spring
"""


def contact_of(text: str) -> Any:
    return tomllib.loads(text)["records"]["contact"]


def comments(text: str) -> list[str]:
    return [line.partition("#")[2] for line in text.splitlines() if "#" in line]


def test_a_whole_swap_keeps_what_people_wrote_and_back_again_is_as_before() -> None:
    fed = rewriting.with_mirror(STACK, "hubspot")
    assert contact_of(fed) == {"system_of_record": "ghl", "mirrors": ["hubspot"]}
    over = rewriting.with_system_of_record(fed, "ghl", "hubspot")
    assert contact_of(over) == {"system_of_record": "hubspot", "mirrors": ["ghl"]}
    assert tomllib.loads(over)["roles"] == {"crm": "hubspot"}
    back = rewriting.with_system_of_record(over, "hubspot", "ghl")
    assert back == fed
    assert contact_of(rewriting.without_mirror(back, "hubspot")) == {"system_of_record": "ghl", "mirrors": []}
    assert comments(fed) == comments(over) == comments(STACK)


@pytest.mark.parametrize(
    "records",
    [
        "",
        "[records]\n",
        "[records]\ncontact = {}\n",
        'records = { contact = { system_of_record = "ghl" } }\n',
        'records.contact.mirrors = ["sheet"]\n',
        '[records.contact]\nmirrors = [\n  "sheet", # the office\n]\n[records.contact.identity]\nphones = "weak"\n',
        '[records.invoice]\nsystem_of_record = "books"\n',
    ],
)
def test_however_records_are_written(records: str) -> None:
    others = contact_of(records).get("mirrors", []) if "contact" in records else []
    fed = rewriting.with_mirror(records, "hubspot")
    assert contact_of(fed)["mirrors"] == [*others, "hubspot"]
    over = rewriting.with_system_of_record(fed, "ghl", "hubspot")
    assert contact_of(over)["system_of_record"] == "hubspot"
    assert contact_of(over)["mirrors"] == [*others, "ghl"]
    assert tomllib.loads(over)["roles"]["crm"] == "hubspot"
    assert contact_of(rewriting.without_mirror(over, "ghl"))["mirrors"] == others
    before, after = tomllib.loads(records).get("records", {}), tomllib.loads(over)["records"]
    assert {name: each for name, each in after.items() if name != "contact"} == {
        name: each for name, each in before.items() if name != "contact"
    }


def test_what_is_said_of_the_mirror_is_of_the_one_that_takes_its_place() -> None:
    text = STACK + '\n[mirrors.hubspot]\nevery = "5m"  # gently\n'
    over = rewriting.with_system_of_record(rewriting.with_mirror(text, "hubspot"), "ghl", "hubspot")
    assert tomllib.loads(over)["mirrors"] == {"ghl": {"every": "5m"}}
    assert "# gently" in over


def test_another_role_crm_is_left_alone_and_the_own_store_is_never_a_mirror() -> None:
    text = STACK.replace('crm = "ghl"', 'crm = "other"')
    over = rewriting.with_system_of_record(text, "ghl", "hubspot")
    assert tomllib.loads(over)["roles"] == {"crm": "other"}
    own = rewriting.with_system_of_record(
        rewriting.with_mirror(STACK, "hubspot"), "mainstay", "hubspot", is_old_mirrored=False
    )
    assert contact_of(own) == {"system_of_record": "hubspot", "mirrors": []}


def test_a_stack_that_would_not_start_is_not_written(tmp_path: Path) -> None:
    file = tmp_path / "stack.toml"
    file.write_text(STACK)
    file.chmod(0o640)
    with pytest.raises(ConfigError, match="the system of record, which needs no mirror"):
        rewriting.write(file, rewriting.with_mirror(STACK, "ghl"), Environment.load(tmp_path, {"TOKEN": "x"}))
    assert file.read_text() == STACK
    rewriting.write(file, rewriting.with_mirror(STACK, "hubspot"), Environment.load(tmp_path, {"TOKEN": "x"}))
    assert contact_of(file.read_text())["mirrors"] == ["hubspot"]
    assert file.stat().st_mode & 0o777 == 0o640
    assert list(tmp_path.iterdir()) == [file]


@given(st.lists(st.sampled_from(["mirror", "over", "back", "without"]), max_size=8), st.booleans())
def test_any_order_of_edits_leaves_a_stack_that_can_be_read(edits: list[str], is_crlf: bool) -> None:
    text = STACK.replace("\n", "\r\n") if is_crlf else STACK
    for edit in edits:
        if edit == "mirror":
            text = rewriting.with_mirror(text, "hubspot")
        elif edit == "without":
            text = rewriting.without_mirror(text, "hubspot")
        else:
            names = ("ghl", "hubspot") if edit == "over" else ("hubspot", "ghl")
            text = rewriting.with_system_of_record(text, *names)
    assert contact_of(text)["system_of_record"] in {"ghl", "hubspot"}
    assert comments(text) == comments(STACK.replace("\n", "\r\n") if is_crlf else STACK)
