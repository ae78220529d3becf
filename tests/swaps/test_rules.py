from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from mainstay.connectors import all_connectors
from mainstay.swaps import Side, Standing, obstacles, phase_of, remarks, seconds_of_backfill

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
READY = Standing(100, 100, NOW - timedelta(hours=3), NOW - timedelta(hours=1), False, 3, 0, "", "")


@pytest.mark.parametrize(
    ("state", "changes", "phase", "said"),
    [
        (None, None, "check", "not all contacts"),
        ("running", None, "restart", "not all contacts"),
        ("running", {"loaded_at": None}, "backfill", "not all contacts"),
        ("running", {"compared_at": None}, "compare", "not compared"),
        ("running", {"compared_at": NOW - timedelta(hours=4)}, "compare", "not compared"),
        ("running", {"loaded_at": NOW - timedelta(days=9), "compared_at": NOW - timedelta(days=2)}, "compare", "older"),
        ("running", {"is_comparing": True}, "compare", "is being compared"),
        ("running", {"open_drifts": 1}, "compare", "1 difference is open"),
        ("running", {"open_drifts": 1000}, "compare", "1,000 differences are open"),
        ("running", {"behind": 1000}, "compare", "1,000 or more changes"),
        ("running", {"run_state": "failed", "error": "401"}, "compare", "it has stopped: 401"),
        ("running", {"run_state": "running"}, "ready", ""),
        ("running", {}, "ready", ""),
        ("over", {}, "over", ""),
        ("back", {}, "back", ""),
    ],
)
def test_where_a_swap_stands(state: Any, changes: dict[str, Any] | None, phase: str, said: str) -> None:
    standing = None if changes is None else replace(READY, **changes)
    assert phase_of(state, standing, NOW) == phase
    found = obstacles(standing, NOW)
    assert bool(found) == bool(said)
    assert said in "; ".join(found)


def side(name: str, *sources: str, **settings: Any) -> Side:
    connector = all_connectors()[name]
    assert connector.settings is not None
    usual = {"gohighlevel": {"token": "x", "location_id": "y"}, "hubspot": {"token": "x"}}[name]
    return Side(name, connector, connector.settings.model_validate({"connector": name, **usual, **settings}), sources)


def said_of(old: Side, new: Side, *, calls: Any = None, in_use: Any = (), unclear: Any = ()) -> dict[str, bool]:
    return {each.text: each.is_stop for each in remarks(old, new, calls=calls or {}, in_use=in_use, unclear=unclear)}


def test_what_the_new_one_lacks_is_said() -> None:
    old = side("gohighlevel", "ghl-hooks", custom_fields={"roof": "f1", "budget": "f2"})
    new = side("hubspot", tag_property="", properties={"roof": "roof_type"})
    calls = {"crm.add_tag": ["welcome.py:4"], "crm.add_note": ["welcome.py:5"], "crm.close_deal": ["deal.py:9"]}
    found = said_of(old, new, calls=calls, in_use=["gclid"], unclear=["odd.v1"])
    assert [text for text, is_stop in found.items() if is_stop] == [
        "workflows call crm.close_deal, which HubSpot cannot do: deal.py:9",
        "workflows add tags, and hubspot keeps none as it is set up",
    ]
    assert [text for text, is_stop in found.items() if not is_stop] == [
        "hubspot does not keep, as it is set up: do_not_contact, source, tags",
        "custom fields that hubspot has no place for: budget, gclid. They stay in Mainstay.",
        "no source brings the webhooks of hubspot; ghl-hooks bring those of gohighlevel",
        "not all calls can be told by the source of: odd.v1",
    ]


def test_where_nothing_is_lost_nothing_is_said() -> None:
    mapped = {"roof": "roof_type", "source": "lead_source", "do_not_contact": "no_contact"}
    old, new = side("gohighlevel", custom_fields={"roof": "f1"}), side("hubspot", "hooks", properties=mapped)
    assert said_of(old, new, calls={"crm.add_tag": ["a.py:1"]}, in_use=["roof"]) == {}


def test_that_merges_and_changes_do_not_come_over_is_said() -> None:
    found = said_of(side("hubspot"), side("gohighlevel"))
    assert "GoHighLevel: merges are not carried there" in str(found)
    assert "GoHighLevel: changes there come by webhook alone" in str(found)


@pytest.mark.parametrize(
    ("name", "rate", "contacts", "seconds"),
    [
        ("gohighlevel", "", 0, 0),
        ("gohighlevel", "", 100_000, 86_400 * 200_000 / (0.8 * 200_000)),
        ("gohighlevel", "100 in 10s", 4000, 1000),
        ("gohighlevel", "off", 9, 0),
        # Fifty by two calls.
        ("hubspot", "100 in 10s", 100_000, 500),
    ],
)
def test_how_long_a_backfill_takes_by_the_rates(name: str, rate: str, contacts: int, seconds: float) -> None:
    assert seconds_of_backfill(side(name, rate=rate), contacts) == pytest.approx(seconds)
