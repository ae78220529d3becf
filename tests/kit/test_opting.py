from __future__ import annotations

import pytest

from mainstay.kit.opting import texted_wish


@pytest.mark.parametrize(
    "text",
    [
        "STOP",
        " stop.\n",
        "Stop!!",
        '"STOP"',
        "StopAll",
        "stop all",
        "UNSUBSCRIBE",
        "cancel",
        "End",
        "QUIT",
        "opt-out",
        "Please stop",
        "stop texting me",
        "Stop please",
        "ARRET",
        "Arrêt",
        "remove me",
    ],
)
def test_what_says_stop_and_nothing_else_is_an_opt_out(text: str) -> None:
    assert texted_wish(text) == "stop"


@pytest.mark.parametrize("text", ["START", "start.", " Unstop "])
def test_what_says_start_lifts_it(text: str) -> None:
    assert texted_wish(text) == "start"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "  ",
        "yes",
        "YES",
        "help",
        "Please stop by tomorrow",
        "Can we start on Monday?",
        "cancel my appointment",
        "the end of the street",
        "don't stop",
        "stop" * 200,
        "👍",
    ],
)
def test_whatever_else_is_said_changes_nothing(text: str) -> None:
    assert texted_wish(text) == ""
