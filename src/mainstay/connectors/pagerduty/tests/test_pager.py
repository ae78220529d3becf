from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from mainstay.connectors.pagerduty import CONNECTOR
from mainstay.kit import Http, NeedsHumanError, PermanentError, TransientError
from mainstay.kit.http import open_session
from mainstay.kit.roles import Page
from mainstay.kit.roles.pager import Action
from mainstay.sandbox import Sandbox

PAGE = Page("trigger", "mainstay-1", "Acme: welcome fails ✗ 李", "critical", "slack", "no such channel", "https://m/1")


def settings(sandbox: Sandbox, **values: Any) -> Any:
    assert CONNECTOR.settings is not None
    base_url = sandbox.url("pagerduty")
    return CONNECTOR.settings.model_validate(
        {"connector": "pagerduty", "routing_key": "R0UT1NGK3Y", "base_url": base_url} | values
    )


async def test_one_alert_for_each_key_from_trigger_to_resolve_and_no_key_is_ever_recorded(sandbox: Sandbox) -> None:
    made = settings(sandbox)
    assert CONNECTOR.http is not None
    async with open_session() as session:
        http = Http(session, CONNECTOR.http(made))
        pager = CONNECTOR.roles["pager"](made, http, None)
        steps: tuple[tuple[Action, str], ...] = (
            ("trigger", "triggered"),
            ("trigger", "triggered"),
            ("acknowledge", "acknowledged"),
            ("resolve", "resolved"),
            ("acknowledge", "resolved"),
        )
        for action, state in steps:
            assert (await pager.page(replace(PAGE, action=action))).id == PAGE.key
            (alert,) = sandbox.state("pagerduty")["alerts"]
            assert (alert["dedup_key"], alert["state"], alert["summary"]) == (PAGE.key, state, PAGE.summary)
        assert "R0UT1NGK3Y" not in str(http.exchanges)

        for wrong in (replace(PAGE, summary=" "), replace(PAGE, key=""), replace(PAGE, key="k" * 256)):
            with pytest.raises(PermanentError, match="a page needs"):
                await pager.page(wrong)
        sandbox.configure("pagerduty", keys=["another"])
        with pytest.raises(NeedsHumanError, match="routing_key' is invalid; copy the integration key"):
            await pager.page(PAGE)
        sandbox.configure("pagerduty", keys=None)
        with pytest.raises(PermanentError, match="severity"):
            await pager.page(replace(PAGE, severity="dire"))
        sandbox.set_fault("pagerduty", "status", status=429, count=1)
        with pytest.raises(TransientError):
            await pager.page(PAGE)


def test_an_address_of_its_own_must_be_https(sandbox: Sandbox) -> None:
    with pytest.raises(ValueError, match="must begin with https://"):
        settings(sandbox, base_url="http://pager.acme.example")
