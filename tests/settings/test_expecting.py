"""What a stack says of silence: ``expect`` of sources, outcomes, and the canary."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import orjson
import pytest

from mainstay.errors import ConfigError
from tests.settings.conftest import Load, Refuse

FULL = """
hours = "Mon-Fri 08:00-18:00"

[connections]
hub = { connector = "hubspot", token = "${HUBSPOT_TOKEN}" }
slack = { connector = "slack", webhook_url = "${SLACK_WEBHOOK}" }

[sources.website]
kind = "form"
secret = "${WEBSITE_SECRET}"
expect = "1 in 4 business hours"
map = { email = "E-mail", name = "Your name", source = "'website'" }
[sources.ads]
kind = "json"
[sources.old]
kind = "form"
expect = "Off"

[outcomes.speed-to-lead]
expect = ["CRM record", "first message"]
sources = ["website"]
within_hours = true

[canary]
source = "website"
email = "Canary@Acme.example"
"""


def test_days_off_close_the_hours_and_await_nothing(load: Load) -> None:
    head = '[workspace]\nname = "Acme"\ntimezone = "America/Chicago"\nregion = "US"\n'
    said = 'holidays = "us-tx"\ndays_off = [2026-12-24, "2026-12-27..2027-01-02"]\n'
    stack = load(head + said + FULL)
    closed, texan, worked = date(2026, 12, 24), date(2026, 3, 2), date(2026, 12, 23)
    assert stack.hours is not None
    for rule in stack.expected.values():
        assert [rule.is_holiday(day) for day in (closed, texan, worked)] == [True, True, False]
    assert [stack.hours.is_day_off(day) for day in (closed, texan, worked)] == [True, True, False]
    # Where nothing is said, those of the region are awaited by nobody, and close nothing; to keep none can be said.
    christmas = date(2026, 12, 25)
    assumed = load(f'{head}days_off = ["2026-12-24"]\n{FULL}')
    assert assumed.hours is not None
    assert [assumed.expected["website"].is_holiday(day) for day in (closed, christmas, texan)] == [True, True, False]
    assert [assumed.hours.is_day_off(day) for day in (closed, christmas, texan)] == [True, False, False]
    assert not load(f'{head}holidays = "none"\n{FULL}').days_off.includes(christmas)
    unknown = load(head.replace('"US"', '"AC"') + FULL)  # of Ascension none are known
    assert not unknown.expected["website"].is_holiday(christmas)


@pytest.mark.parametrize(
    ("text", "key", "says"),
    [
        ('holidays = "Texas"', "workspace.holidays", 'like "US", its part like "US-TX"'),
        ('holidays = "GB-TX"', "workspace.holidays", "GB-SCT"),
        ('days_off = "2026-12-24"', "workspace.days_off", '["2026-12-24", "2026-12-27..2027-01-02"]'),
        ('days_off = ["24 December"]', "workspace.days_off", "write them like"),
        ('days_off = ["2027-01-02..2026-12-27"]', "workspace.days_off", '"2026-12-27..2027-01-02"'),
        ('days_off = ["2026-01-01..2027-12-31"]', "workspace.days_off", "a year at most"),
    ],
)
def test_days_off_that_cannot_be_read_are_told(refuse: Refuse, text: str, key: str, says: str) -> None:
    (problem,) = refuse(f'[workspace]\nname = "Acme"\ntimezone = "America/Chicago"\nregion = "US"\n{text}\n')
    assert (problem.where, problem.key) == ("stack.toml:5", key)
    assert says in problem.message + problem.hint


def test_sources_outcomes_and_the_canary_are_read(load: Load) -> None:
    stack = load(f'[workspace]\nname = "Acme"\ntimezone = "America/Chicago"\nregion = "US"\n{FULL}')
    assert {name: rule.in_words() for name, rule in stack.expected.items()} == {
        "website": "At least 1 in 4 business hours",
        "ads": "As it usually comes, learned",
    }
    outcome = stack.outcomes["speed-to-lead"]
    assert (outcome.within, outcome.event, outcome.hours) == (timedelta(minutes=5), "contact.created", stack.hours)
    canary = stack.canary
    assert canary is not None
    assert (canary.email, canary.crm, canary.chat) == ("canary@acme.example", "hub", "slack")
    sent = canary.compose("key-1", datetime(2026, 3, 2, tzinfo=UTC))
    assert orjson.loads(sent.body) == {"E-mail": "canary@acme.example", "Your name": "Mainstay Canary"}
    assert sent.headers["X-Webhook-Secret"] == "website-0123456789"
    assert "website-0123456789" not in repr(stack)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('[sources.w]\nkind = "form"\nexpect = "often"', "at least 1 in 4 business hours"),
        ('[sources.w]\nkind = "form"\nexpect = "1 in 4 business hours"', "add  hours ="),
        ("[outcomes.o]\nexpect = []", "expect"),
        ('[outcomes.o]\nexpect = ["a pony"]', "nothing that is known"),
        ('[outcomes.o]\nexpect = ["message"]\nwithin = "1s"', "from a minute to 30 days"),
        ('[outcomes.o]\nexpect = ["message"]\nsources = ["website"]', 'there is no source "website"'),
        ('[outcomes.o]\nexpect = ["message"]\nwithin_hours = true', "the workspace has no hours"),
        ("[outcomes]\no = 1", 'expect = ["message"]'),
        ('[canary]\nsource = "w"\nemail = "canary@acme.example"', 'there is no source "w"'),
        ('[canary]\nsource = "w"\nemail = "nobody"\n[sources.w]\nkind = "form"', "no e-mail address"),
        (
            '[canary]\nsource = "w"\nemail = "a@acme.example"\nevery = "1s"\n[sources.w]\nkind = "form"',
            "from five minutes",
        ),
        (
            '[canary]\nsource = "w"\nemail = "a@acme.example"\n[sources.w]\nkind = "tally"\nsecret = "x"',
            "name one of kind form, json or typeform",
        ),
        (
            (
                '[canary]\nsource = "w"\nemail = "a@acme.example"\n[sources.w]\nkind = "facebook_lead_ads"\n'
                'app_secret = "x"\nverify_token = "y"\npage_token = "z"'
            ),
            "only its vendor can send by it, as its notices name a record",
        ),
        (
            '[canary]\nsource = "w"\nemail = "a@acme.example"\n[sources.w]\nkind = "gohighlevel"\nlocation_id = "L1"',
            "as GoHighLevel signs with a private key that it alone has",
        ),
    ],
)
def test_what_is_wrong_is_told(load: Load, text: str, says: str) -> None:
    with pytest.raises(ConfigError) as refused:
        load(text)
    assert says in str(refused.value)
