from __future__ import annotations

from datetime import timedelta

import pytest

from mainstay.pulls import Pull
from tests.settings.conftest import Load, Refuse

HUB = """
[connections]
hub = { connector = "hubspot", token = "${HUBSPOT_TOKEN}" }
[sources.hooks]
kind = "hubspot"
connection = "hub"
client_secret = "${HUBSPOT_SECRET}"
[sources.website]
kind = "form"
[records.contact]
"""
GHL = """
[connections]
ghl = { connector = "gohighlevel", token = "${GHL_TOKEN}", location_id = "l", pull_by_date_updated = FLAG }
"""


@pytest.mark.parametrize(
    ("line", "minutes"), [("", 15), ('reconcile = "2h"', 120), ('reconcile = "1m"', 1), ('reconcile = "off"', None)]
)
def test_how_often_it_is_pulled(load: Load, line: str, minutes: int | None) -> None:
    expected = None if minutes is None else Pull("hub", timedelta(minutes=minutes), ("hooks",))
    assert load(HUB + line).pull == expected


@pytest.mark.parametrize(("flag", "is_pulled"), [("true", True), ("false", False)])
def test_gohighlevel_is_pulled_when_its_setting_allows_it(load: Load, flag: str, *, is_pulled: bool) -> None:
    assert (load(GHL.replace("FLAG", flag)).pull is not None) is is_pulled


def test_our_own_store_is_not_pulled(load: Load) -> None:
    assert load("").pull is None


@pytest.mark.parametrize("value", ['"5s"', '"often"', "true", '"-1h"'])
def test_what_is_no_length_of_time_is_refused(refuse: Refuse, value: str) -> None:
    (problem,) = refuse(f"{HUB}reconcile = {value}")
    assert "records.contact.reconcile" in repr(problem)
