"""What should become of leads, read and said."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from mainstay.monitors import OutcomeRule, read_want
from mainstay.settings.hours import read_hours


@pytest.mark.parametrize(
    ("text", "what", "names"),
    [
        ("CRM record", "record", ()),
        ("a first message", "step", ("email.send", "sms.send", "voice.place_call")),
        ("chat.post", "step", ("chat.post",)),
        ("email.send or sms.send", "step", ("email.send", "sms.send")),
        ("speed_to_lead.v2", "workflow", ("speed_to_lead.v2",)),
    ],
)
def test_a_want_is_read(text: str, what: str, names: tuple[str, ...]) -> None:
    assert (read_want(text).what, read_want(text).names) == (what, names)


def test_what_nobody_knows_is_refused_and_open_time_is_counted() -> None:
    with pytest.raises(ValueError, match="nothing that is known"):
        read_want("a pony")
    hours = read_hours("Mon-Fri 08:00-18:00", tz := ZoneInfo("Europe/London"))
    rule = OutcomeRule("x", (read_want("message"),), timedelta(minutes=30), hours=hours)
    assert rule.due_at(datetime(2025, 6, 6, 17, 45, tzinfo=tz)) == datetime(2025, 6, 9, 8, 15, tzinfo=tz)
    assert rule.in_words() == "Every new lead: a message within 30 minutes of business hours"
