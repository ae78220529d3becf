"""What a connector says it pulls is what it pulls."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

import mainstay.connectors
from mainstay.connectors import all_connectors
from mainstay.model import RECORD_TYPES

ROOT = Path(mainstay.connectors.__file__).parent


@pytest.mark.parametrize("name", sorted(all_connectors()))
def test_its_grade_and_its_page_say_which_pulls_there_are(name: str) -> None:
    connector = all_connectors()[name]
    written = (ROOT / name / "quality.toml").read_text("utf-8")
    said = tomllib.loads(written).get("pulls", {})
    pulled = {*connector.pulls, *(["contact"] if "crm.pull_contacts" in connector.idempotency else [])}

    assert {kind for kind, grade in said.items() if grade == "done"} == pulled
    assert all(grade == "done" or grade["exempt"] for grade in said.values())
    assert set(said) <= {"contact", *RECORD_TYPES}
    if pulled:
        page = (ROOT / name / "doc.md").read_text("utf-8").casefold()
        assert "what webhooks miss" in page or "pull" in page
    for able in connector.pulls.values():
        assert connector.idempotency[f"{able.role}.pull_records"] == "state"
